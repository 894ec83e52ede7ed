/**
 * Sends the probes of links, takes those of others, and says at which of its addresses each peer is reached.
 *
 * Invariant: without a peer that has two links in common with us no timer runs and nothing is sent.
 */
import { randomInt } from "node:crypto";
import { type CommonLink, commonLinks } from "../../links/common-links.ts";
import { LinkPaths, type LinkStep, type LinkView } from "../../links/link-paths.ts";
import { decodeLinkProbe, encodeLinkProbe } from "../../links/link-probe.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { NodeLink } from "../../values/node-link.ts";
import type { Envelope } from "./envelope.ts";
import { isHeard, type RosterNode } from "./roster.ts";

export interface LinkLoopOptions {
  /** Port of gossip, of a peer. */
  readonly send: (to: Endpoint, body: Uint8Array) => void;
  /** Other links are used to these peers now. */
  readonly moved: (peers: readonly NodeId[]) => void;
  /** These peers came to the link that we use to them. */
  readonly followed: (peers: readonly NodeId[]) => void;
}

interface Known {
  readonly node: RosterNode;
  readonly common: readonly CommonLink[];
}

export class LinkLoop {
  readonly #options: LinkLoopOptions;
  readonly #paths = new LinkPaths(randomInt(2 ** 32));
  readonly #peers = new Map<NodeId, Known>();
  #own: readonly NodeLink[] = [];
  #timer: NodeJS.Timeout | undefined;
  #armedMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: LinkLoopOptions) {
    this.#options = options;
  }

  /** Our links and the peers as they are now; `before` says which link was used to a peer in a former life of the daemon. */
  setPeers(
    own: readonly NodeLink[],
    peers: readonly RosterNode[],
    before: (peer: NodeId) => number | undefined,
  ): void {
    if (this.#closed) return;
    this.#own = own;
    this.#peers.clear();
    for (const node of peers) {
      const common = commonLinks(own, node.metadata.links);
      this.#peers.set(node.metadata.id, { node, common });
    }
    const pairs = [...this.#peers].map(([peer, { node, common }]) => ({
      ...{ peer, links: common, isHeard: isHeard(node), before: before(peer) },
    }));
    this.#paths.setPairs(pairs, performance.now());
    this.#arm();
  }

  /** Our own, as announced. */
  get own(): readonly NodeLink[] {
    return this.#own;
  }

  /** The link on which `peer` is sent to; undefined where there is no choice. */
  used(peer: NodeId): CommonLink | undefined {
    return this.#paths.used(peer);
  }

  /** Where `peer` is reached now; undefined where the address that it announces is the only one. */
  addressOf(peer: NodeId): string | undefined {
    const used = this.#paths.used(peer);
    if (used) return used.theirs;
    // A peer with whom only another link than its first is common is reached there.
    return this.#peers.get(peer)?.common[0]?.theirs;
  }

  /** Each address of a peer that is heard and is not reached there now, and that place. Another may have the address of one that is dead. */
  routes(): Map<string, string> {
    const routes = new Map<string, string>();
    for (const [peer, { node }] of this.#peers) {
      if (!isHeard(node)) continue;
      const to = this.addressOf(peer);
      if (to === undefined) continue;
      const addresses = node.metadata.links.map(({ address }) => address);
      for (const from of [node.member.endpoint.ip, ...addresses])
        if (from !== to) routes.set(from, to);
    }
    return routes;
  }

  /** The links to `peer` by number: one whose state is not known where there is no choice. */
  view(peer: NodeId): LinkView[] {
    const several = this.#paths.view(peer, performance.now());
    if (several.length > 0) return several;
    const common = this.#peers.get(peer)?.common ?? [];
    return common.map((link) => ({
      ...{ ...link, state: "unknown", rttMs: undefined, inUse: true },
    }));
  }

  /** Takes a probe that gossip has authenticated. */
  receive({ sender, fingerprint, body }: Envelope): void {
    const peer = this.#peers.get(sender);
    if (peer?.node.metadata.keyFingerprint !== fingerprint) return;
    const probe = decodeLinkProbe(body);
    if (probe) this.#carryOut(this.#paths.heard(sender, probe, performance.now()));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #carryOut({ probes, moved, followed = [] }: LinkStep): void {
    for (const { peer, to, body } of probes) {
      const port = this.#peers.get(peer)?.node.member.endpoint.port;
      if (port !== undefined) this.#options.send({ ip: to, port }, encodeLinkProbe(body));
    }
    if (followed.length > 0) this.#options.followed(followed);
    if (moved.length === 0) return;
    this.#arm();
    this.#options.moved(moved);
  }

  /** An earlier time only: one that was put off is looked at when the timer fires. */
  #arm(): void {
    const next = this.#paths.nextTickMs();
    if (this.#closed || next >= this.#armedMs || next === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.#timer);
    this.#armedMs = next;
    // A millisecond late, for a timer may fire a fraction of one early.
    const pauseMs = Math.max(1, Math.ceil(next - performance.now()) + 1);
    this.#timer = setTimeout(() => this.#tick(), pauseMs);
  }

  #tick(): void {
    this.#armedMs = Number.POSITIVE_INFINITY;
    this.#carryOut(this.#paths.tick(performance.now()));
    this.#arm();
  }
}
