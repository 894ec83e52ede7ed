/**
 * A cluster of address machines and lease books in one process, with a network that loses, repeats, reorders and cuts up
 * messages (`SimulatedMail`), and processes that die between any two steps. For tests. Pure: all chance comes from `random`.
 *
 * Invariant: what survives a crash is what was persisted, and nothing else.
 *
 * As in the daemon, gossip fences of twins (see `twinOf`) the one with the higher key for good once they met, and drops what it
 * says of addresses.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import type { AddressPlan } from "./address-plan.ts";
import { Addresses, type PersistedRings } from "./addresses.ts";
import { entriesOf } from "./ring-codec.ts";
import { type DiskImage, idOf, SimulatedHost } from "./simulated-host.ts";
import { SimulatedMail } from "./simulated-mail.ts";
import type { IpamInput, IpamOutput } from "./step.ts";
import { straysOf } from "./strays.ts";

export interface SimulationOptions {
  readonly plan: AddressPlan;
  readonly ids: readonly NodeId[];
  /** At least 0, less than 1. */
  readonly random: () => number;
  /** Chances, 0 to 1: that a message is lost, repeated; that a process dies at a step. */
  readonly loss?: number;
  readonly crash?: number;
  /** Called for each thing that happens, for transcripts. */
  readonly trace?: (key: number, event: TraceEvent) => void;
}

export type TraceEvent =
  | { readonly kind: "input"; readonly input: IpamInput }
  | { readonly kind: "output"; readonly output: IpamOutput };

export class SimulatedCluster {
  readonly #options: SimulationOptions;
  readonly hosts = new Map<number, SimulatedHost>();
  /** `at`: the key of the host that saw it. */
  readonly conflicts: { readonly at: number; readonly range: Range; readonly other: NodeId }[] = [];
  nowMs = 0;
  crash: number;
  readonly #mail: SimulatedMail;
  #nextClaim = 1;
  /** A lease book may differ from what the last check saw. */
  #isNews = true;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#mail = new SimulatedMail({ ...options, loss: options.loss ?? 0 });
    this.crash = options.crash ?? 0;
    for (const id of options.ids) this.add(id);
  }

  get loss(): number {
    return this.#mail.loss;
  }

  set loss(chance: number) {
    this.#mail.loss = chance;
  }

  /** A host with an empty disk. */
  add(key: number): SimulatedHost {
    const host = new SimulatedHost(key, this.#machine(idOf(key)));
    this.hosts.set(key, host);
    this.#isNews = true;
    return host;
  }

  host(key: number): SimulatedHost {
    const host = this.hosts.get(key);
    if (!host) throw new RangeError(`no host ${key}`);
    return host;
  }

  chance(probability: number): boolean {
    return this.#options.random() < probability;
  }

  pick<T>(list: readonly T[]): T {
    const one = list[Math.floor(this.#options.random() * list.length)];
    if (one === undefined) throw new RangeError("nothing to pick from");
    return one;
  }

  /** Splits the cluster; nodes of one group reach one another. */
  part(groups: readonly (readonly number[])[]): void {
    this.#mail.part(groups);
    this.announceReachable();
  }

  heal(): void {
    this.part([[...this.hosts.keys()]]);
  }

  announceReachable(): void {
    for (const host of this.hosts.values()) this.#announceTo(host);
  }

  #announceTo(host: SimulatedHost): void {
    const others = [...this.hosts.values()].filter((other) => this.#connected(host.key, other.key));
    host.fenced ||= others.some(({ id, key }) => id === host.id && key < host.key);
    if (host.fenced && others.length > 0) this.feed(host, { type: "fenced", fenced: true });
    const nodes = [...new Set(others.map(({ id }) => id))].filter((id) => id !== host.id);
    this.feed(host, { type: "reachable", nodes });
  }

  settle(key: number): void {
    this.host(key).settled = true;
    this.feed(this.host(key), { type: "settled" });
  }

  /** The disk of a host as it is now. */
  image(key: number): DiskImage {
    const { disk, journal } = this.host(key);
    return structuredClone({ disk, journal });
  }

  /** Its power is cut and its disk is that of `image`. No container lives, and Docker says so to the plugin. */
  restore(key: number, image: DiskImage): void {
    const host = this.host(key);
    host.disk = image.disk;
    host.journal.splice(0, Number.POSITIVE_INFINITY, ...image.journal);
    host.lastSpace = undefined;
    this.crashDaemon(host);
    this.crashPlugin(host);
    for (const address of [...host.book.leases.keys()]) this.release(key, address);
  }

  /** Every host says its strays, and hears those that it can. */
  shareStrays(): void {
    for (const host of this.hosts.values()) {
      const leases = [...host.book.leases.keys()].map((address) => ({
        address,
        container: `${host.key}:${address}`,
      }));
      const others = host.board.list();
      const strays = straysOf(leases, host.fenced ? [] : host.addresses.owned(), others);
      for (const other of this.hosts.values()) {
        if (!this.#connected(host.key, other.key)) continue;
        other.board.take(host.name, strays, this.nowMs);
      }
    }
    for (const host of this.hosts.values()) {
      host.board.expire(this.nowMs, (name) => {
        const other = [...this.hosts.values()].find((each) => each.name === name);
        if (!other) return "gone";
        return this.#connected(host.key, other.key) ? "heard" : "silent";
      });
      this.feed(host, { type: "avoid", ranges: host.board.ranges() });
    }
  }

  /** Both sides give each other all they know, in whole or (with loss) in part. */
  pushPull(a: number, b: number): void {
    if (!this.#connected(a, b)) return;
    const [left, right] = [this.host(a), this.host(b)];
    const fromLeft = left.disk ? entriesOf(left.disk) : [];
    const fromRight = right.disk ? entriesOf(right.disk) : [];
    this.#send(a, b, { type: "entries", entries: this.#mail.overTheWire(fromLeft) });
    this.#send(b, a, { type: "entries", entries: this.#mail.overTheWire(fromRight) });
  }

  /** A container on the host wants an address; claims what the book lacks, and tries again after. */
  request(key: number, wanted: Ipv4 | "any", deadlineMs = this.nowMs + 8000): Ipv4 | undefined {
    const host = this.host(key);
    if (!host.alive) return undefined;
    const answer = host.book.request(wanted, this.nowMs);
    if (answer.ok) {
      this.#isNews = true;
      host.journal.push(answer.record);
      host.reportUsage(this.nowMs);
      return answer.address;
    }
    if (["no-space", "not-ours", "not-ready"].includes(answer.reason)) {
      const address = wanted === "any" ? undefined : wanted;
      const request = this.#nextClaim++;
      host.toDaemon.push({ type: "claim", request, address, deadlineMs });
    }
    return undefined;
  }

  release(key: number, address: Ipv4): void {
    const host = this.host(key);
    const record = host.book.release(address, this.nowMs);
    if (record) host.journal.push(record);
    this.#isNews = true;
    host.reportUsage(this.nowMs);
  }

  crashDaemon(host: SimulatedHost): void {
    host.toPlugin = [];
    host.toDaemon = [];
    host.openCede = undefined;
    host.settled = false;
    host.addresses = this.#machine(host.id, host.disk);
    // What others hold is on disk too, and comes first: the space that is set next must leave it out.
    this.feed(host, { type: "avoid", ranges: host.board.ranges() });
    this.#announceTo(host);
  }

  crashPlugin(host: SimulatedHost): void {
    this.#isNews = true;
    host.restartPlugin();
    if (host.openCede !== undefined) {
      this.feed(host, { type: "ceded", request: host.openCede, ranges: [] });
    }
    if (host.lastSpace) host.toPlugin.unshift(host.lastSpace);
  }

  /** The host is gone for good, with its containers. */
  destroy(key: number): void {
    this.#isNews = true;
    this.host(key).alive = false;
    this.hosts.delete(key);
    this.#mail.dropFor(key);
    this.announceReachable();
  }

  /**
   * Lets time pass, and all that is due happen in random order. `look` is called at first and after each step that touched a lease
   * book: it is to look at nothing else, so between two others it would see the same.
   */
  run(forMs: number, look: () => void = () => {}): void {
    const untilMs = this.nowMs + forMs;
    this.#isNews = true;
    const check = (): void => {
      if (!this.#isNews) return;
      this.#isNews = false;
      look();
    };
    while (this.nowMs < untilMs) {
      this.nowMs += 10;
      for (let busy = true; busy; ) {
        busy = this.#deliver();
        for (const host of this.hosts.values()) {
          if (this.#work(host)) {
            busy = true;
            check();
          }
          if (this.chance(this.crash)) this.crashDaemon(host);
          if (this.chance(this.crash)) this.crashPlugin(host);
        }
      }
      check();
    }
  }

  feed(host: SimulatedHost, input: IpamInput): void {
    this.#options.trace?.(host.key, { kind: "input", input });
    for (const output of host.addresses.handle(input, this.nowMs)) {
      if (this.chance(this.crash)) {
        this.crashDaemon(host);
        return;
      }
      this.#options.trace?.(host.key, { kind: "output", output });
      this.#carryOut(host, output);
    }
  }

  #carryOut(host: SimulatedHost, output: IpamOutput): void {
    switch (output.type) {
      case "persist":
        host.disk = host.addresses.persisted();
        return;
      case "send":
        this.#send(host.key, this.#keyOf(output.to), {
          type: "message",
          from: host.id,
          message: this.#mail.cutUp(output.message),
        });
        return;
      case "broadcast":
        for (const to of this.hosts.keys()) {
          // Each record travels alone, so that receivers see every partial view there is.
          for (const entry of this.#mail.overTheWire(output.entries)) {
            this.#send(host.key, to, { type: "entries", entries: [entry] });
          }
        }
        return;
      case "space":
        host.lastSpace = output;
        host.toPlugin.push(output);
        return;
      case "cede":
        host.openCede = output.request;
        host.toPlugin.push(output);
        return;
      case "claim-done":
        host.claims.set(output.request, output.result);
        return;
      case "conflict":
        this.conflicts.push({ at: host.key, range: output.range, other: output.other });
        return;
    }
  }

  /** One thing on the control channel, one way or the other, or a due tick. */
  #work(host: SimulatedHost): boolean {
    // With loss the channel is slow too, so that questions and answers cross.
    const slow = this.loss > 0 && this.chance(host.id % 2 ? 0.5 : 0.95);
    if (slow && host.addresses.nextTickMs() > this.nowMs) return false;
    if (this.chance(0.5) && this.#plugin(host)) return true;
    const input = slow ? undefined : host.toDaemon.shift();
    if (input) {
      if (input.type === "ceded") host.openCede = undefined;
      this.feed(host, input);
      return true;
    }
    if (!slow && this.#plugin(host)) return true;
    if (host.addresses.nextTickMs() > this.nowMs) return false;
    this.feed(host, { type: "tick" });
    return true;
  }

  #plugin(host: SimulatedHost): boolean {
    if (!host.workPlugin(this.#options.plan, this.nowMs)) return false;
    this.#isNews = true;
    return true;
  }

  /** What is due by now, to whom it still reaches. */
  #deliver(): boolean {
    const due = this.#mail.takeDue(this.nowMs);
    for (const packet of due) {
      const host = this.hosts.get(packet.to);
      if (!host || !this.#connected(packet.from, packet.to)) continue;
      // A twin that lost its id speaks for nobody.
      if (packet.input.type === "message" && this.hosts.get(packet.from)?.fenced) continue;
      this.feed(host, packet.input);
    }
    return due.length > 0;
  }

  /** Whom messages to an id reach: the one that has it. */
  #keyOf(id: NodeId): number {
    const holders = [...this.hosts.values()].filter((host) => host.id === id);
    return holders.find(({ fenced }) => !fenced)?.key ?? id;
  }

  #send(from: number, to: number, input: IpamInput): void {
    if (this.#connected(from, to)) this.#mail.send(from, to, input, this.nowMs);
  }

  #connected(a: number, b: number): boolean {
    if (a === b || !this.hosts.has(a) || !this.hosts.has(b)) return false;
    return this.#mail.sameGroup(a, b);
  }

  #machine(id: NodeId, persisted?: PersistedRings): Addresses {
    const { plan, random } = this.#options;
    return new Addresses({ self: id, plan, random }, persisted);
  }
}
