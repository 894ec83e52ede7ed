/** Nodes with several links in virtual time, for tests: every packet takes LATENCY_MS, unless the network drops it. */
import { plainLinks } from "../values/node-link.ts";
import { commonLinks } from "./common-links.ts";
import { type LinkPair, LinkPaths, type LinkProbe } from "./link-paths.ts";

const LATENCY_MS = 1;

export interface Hop {
  readonly from: number;
  readonly to: number;
  readonly link: number;
}

interface Sent extends Hop {
  readonly atMs: number;
  readonly probe: LinkProbe;
}

export class SimulatedLinks {
  nowMs = 1_000;
  /** True for what the network drops. */
  drops: (hop: Hop) => boolean = () => false;
  /** Nodes that stand still: nothing is read, sent or decided. */
  readonly asleep = new Set<number>();
  /** Probes sent by each node. */
  readonly sent = new Map<number, number>();
  /** What moved, in order. */
  readonly moves: { readonly atMs: number; readonly node: number; readonly peer: number }[] = [];
  readonly #nodes = new Map<number, LinkPaths>();
  readonly #armedMs = new Map<number, number>();
  readonly #underWay: Sent[] = [];
  /** For nodes that stand still. */
  #waiting: Sent[] = [];

  /** Nodes 1 to `count`, each with as many links; `priorities` by link number, of all nodes. */
  constructor(count: number, links: number, priorities: readonly number[] = []) {
    for (let id = 1; id <= count; id++) {
      this.#nodes.set(id, new LinkPaths(id * 1_000_000));
      this.restart(id, { count, links, priorities });
    }
  }

  /** The daemon of `id` begins anew; it used the link `before`. */
  restart(
    id: number,
    {
      count,
      links,
      priorities = [],
      before,
    }: {
      count: number;
      links: number;
      priorities?: readonly number[];
      before?: number;
    },
  ): void {
    const linksOf = (node: number) =>
      plainLinks(Array.from({ length: links }, (_, link) => `10.0.${link}.${node}`)).map(
        (link) => ({ ...link, priority: priorities[link.number] ?? 1 }),
      );
    const paths = new LinkPaths(Math.floor(this.nowMs) + id * 1_000_000);
    const others = Array.from({ length: count }, (_, index) => index + 1).filter((n) => n !== id);
    const pairs = others.map((peer): LinkPair => {
      return { peer, links: commonLinks(linksOf(id), linksOf(peer)), isHeard: true, before };
    });
    paths.setPairs(pairs, this.nowMs);
    this.#nodes.set(id, paths);
    this.#armedMs.set(id, paths.nextTickMs());
  }

  node(id: number): LinkPaths {
    const node = this.#nodes.get(id);
    if (!node) throw new RangeError(`node ${id}`);
    return node;
  }

  /** The number of the link that `from` uses to `to`. */
  used(from: number, to: number): number | undefined {
    return this.node(from).used(to)?.number;
  }

  run(forMs: number): void {
    const endMs = this.nowMs + forMs;
    for (; this.nowMs < endMs; this.nowMs += 1) {
      const arrived = this.#arrivals();
      // As in a daemon: a timer that is due goes before packets that wait.
      for (const [id, node] of this.#nodes) {
        if (this.asleep.has(id) || (this.#armedMs.get(id) ?? 0) > this.nowMs) continue;
        this.#carryOut(id, node.tick(this.nowMs));
        this.#armedMs.set(id, node.nextTickMs());
      }
      for (const { from, to, probe } of arrived)
        this.#carryOut(to, this.node(to).heard(from, probe.body, this.nowMs));
    }
  }

  /** All packets take equally long, so they come in the order in which they were sent. */
  #arrivals(): Sent[] {
    const end = this.#underWay.findIndex(({ atMs }) => atMs > this.nowMs);
    const due = this.#underWay.splice(0, end < 0 ? this.#underWay.length : end);
    if (this.asleep.size === 0 && this.#waiting.length === 0) return due;
    const all = [...this.#waiting, ...due];
    this.#waiting = all.filter(({ to }) => this.asleep.has(to));
    return all.filter(({ to }) => !this.asleep.has(to));
  }

  #carryOut(
    from: number,
    { probes, moved }: { probes: readonly LinkProbe[]; moved: readonly number[] },
  ): void {
    // As in a daemon: its timer is not put off by what comes before, only brought forward.
    if (moved.length > 0) this.#armedMs.set(from, this.node(from).nextTickMs());
    for (const peer of moved) this.moves.push({ atMs: this.nowMs, node: from, peer });
    for (const probe of probes) {
      this.sent.set(from, (this.sent.get(from) ?? 0) + 1);
      const hop = { from, to: probe.peer, link: probe.body.link };
      if (!this.drops(hop)) this.#underWay.push({ ...hop, probe, atMs: this.nowMs + LATENCY_MS });
    }
  }
}
