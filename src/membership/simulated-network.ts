/**
 * Many membership machines on one simulated network in virtual time: latency, loss, partitions, kills and restarts.
 *
 * For tests and simulations only. The same seed gives the same run. Messages are handed over as values, without the wire codec.
 */
import { type Endpoint, formatEndpoint } from "../values/endpoint.ts";
import { type Deadline, DeadlineQueue } from "./deadline-queue.ts";
import { Membership, type MembershipOptions } from "./machine.ts";
import { MemberRegistry } from "./member-registry.ts";
import type { MemberState, Message } from "./message.ts";
import type { MemberEvent, MembershipInput, MembershipOutput } from "./step.ts";

export interface NetworkOptions {
  readonly seed: number;
  /** One way, uniform between the two; streams take twice as long. */
  readonly latencyMs?: readonly [number, number];
  /** Share of packets lost; streams lose nothing. */
  readonly loss?: number;
}

export interface SimulatedMember {
  readonly name: string;
  readonly endpoint: Endpoint;
  machine: Membership;
  isUp: boolean;
  /** What its disk holds. */
  writtenIncarnation: number;
  /** Members of different groups do not hear each other. */
  group: number;
  tick: Deadline | undefined;
  readonly events: { readonly atMs: number; readonly event: MemberEvent }[];
  readonly users: Uint8Array[];
}

/** A small seeded generator of uniform numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes of a message, about as the wire format has them. */
export function roughSize(message: Message): number {
  if (message.type === "alive") return 90 + message.node.length + message.meta.length;
  if (message.type === "user") return 1 + message.payload.length;
  return message.type === "ack" || message.type === "nack" ? 20 : 100;
}

export class SimulatedNetwork {
  readonly random: () => number;
  readonly members = new Map<string, SimulatedMember>();
  readonly #byEndpoint = new Map<string, SimulatedMember>();
  readonly #registry = new MemberRegistry();
  readonly #queue = new DeadlineQueue();
  readonly #latency: readonly [number, number];
  loss: number;
  nowMs = 0;
  packets = 0;
  /** Packets that carried neither ping, ack, nack nor indirect ping. */
  gossipPackets = 0;

  constructor({ seed, latencyMs = [0.2, 2], loss = 0 }: NetworkOptions) {
    this.random = seeded(seed);
    this.#latency = latencyMs;
    this.loss = loss;
  }

  /** Adds and starts a member; without `endpoint` it gets one of its own. */
  add(
    name: string,
    options: Partial<MembershipOptions> & { readonly key?: string } = {},
  ): SimulatedMember {
    const number = this.#byEndpoint.size + 1;
    const endpoint = options.endpoint ?? { ip: `10.0.${number >> 8}.${number & 255}`, port: 6783 };
    const member: SimulatedMember = {
      name,
      endpoint,
      machine: this.#machine(name, endpoint, options),
      isUp: true,
      writtenIncarnation: options.incarnation ?? 0,
      group: 0,
      tick: undefined,
      events: [],
      users: [],
    };
    this.members.set(options.key ?? name, member);
    this.#byEndpoint.set(formatEndpoint(endpoint), member);
    return member;
  }

  /** What a dial does: a push/pull begun by `member` with whoever is at `to`. */
  sync(member: SimulatedMember, to: Endpoint, join = true): void {
    const other = this.#byEndpoint.get(formatEndpoint(to));
    if (!member.isUp) return;
    const state = { join, members: member.machine.localMembers(), userState: new Uint8Array() };
    this.#later(2, () => {
      if (other === undefined || !this.#hears(member, other)) return;
      const answer = { ...state, members: other.machine.localMembers() };
      this.feed(other, { type: "remote-state", from: member.endpoint, state });
      this.#later(2, () => {
        if (!this.#hears(other, member)) return;
        this.feed(member, { type: "remote-state", from: other.endpoint, state: answer });
      });
    });
  }

  feed(member: SimulatedMember, input: MembershipInput): void {
    if (!member.isUp) return;
    for (const output of member.machine.handle(input, this.nowMs)) this.#carry(member, output);
    const next = member.machine.nextTickMs();
    if (member.tick?.action !== undefined && member.tick.dueMs === next) return;
    this.#queue.cancel(member.tick);
    if (next === Number.POSITIVE_INFINITY) return;
    member.tick = this.#queue.at(next, () => this.feed(member, { type: "tick" }));
  }

  kill(member: SimulatedMember): void {
    member.isUp = false;
    this.#queue.cancel(member.tick);
  }

  /** Starts a killed member again with an empty memory; without `incarnation` from what it wrote down. */
  restart(member: SimulatedMember, incarnation = member.writtenIncarnation): void {
    member.machine = this.#machine(member.name, member.endpoint, { incarnation });
    member.writtenIncarnation = incarnation;
    member.isUp = true;
    this.feed(member, { type: "tick" });
  }

  /** Runs for `ms` of virtual time, or until `condition` holds after some event; says whether it did. */
  run(ms: number, condition?: () => boolean): boolean {
    const endMs = this.nowMs + ms;
    while (this.#queue.nextMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.#queue.nextMs);
      this.#queue.run(this.nowMs);
      if (condition?.()) return true;
    }
    this.nowMs = endMs;
    return condition?.() ?? false;
  }

  /** Whether every running member holds every other one in `state(other)`. */
  agree(state: (other: SimulatedMember) => MemberState | undefined): boolean {
    const all = [...this.members.values()];
    return all
      .filter((member) => member.isUp)
      .every((member) => all.every((other) => sees(member, other) === state(other)));
  }

  /** Whether all running members hold each other alive. */
  isWhole(): boolean {
    const up = [...this.members.values()].filter((member) => member.isUp);
    return up.every((member) => up.every((other) => sees(member, other) === "alive"));
  }

  #machine(name: string, endpoint: Endpoint, options: Partial<MembershipOptions>): Membership {
    const base = {
      name,
      endpoint,
      meta: new Uint8Array(40),
      incarnation: 0,
      random: this.random,
      packetBudget: 1380,
      sizeOf: roughSize,
      registry: this.#registry,
    };
    return new Membership({ ...base, ...options }, this.nowMs);
  }

  #hears(from: SimulatedMember, to: SimulatedMember): boolean {
    return to.isUp && from.group === to.group;
  }

  #later(factor: number, action: () => void): void {
    const [least, most] = this.#latency;
    this.#queue.at(this.nowMs + factor * (least + this.random() * (most - least)), action);
  }

  #carry(member: SimulatedMember, output: MembershipOutput): void {
    switch (output.type) {
      case "packet":
        this.#packet(member, output.to, output.messages);
        return;
      case "sync":
        this.sync(member, output.to, false);
        return;
      case "stream-ping": {
        const other = this.#byEndpoint.get(formatEndpoint(output.to));
        const { ping } = output;
        if (other === undefined || ping.type !== "ping") return;
        this.#later(4, () => {
          if (!this.#hears(member, other)) return;
          const message = { type: "ack", seq: ping.seq, payload: new Uint8Array() } as const;
          this.feed(member, { type: "packet", from: other.endpoint, message, reliable: true });
        });
        return;
      }
      case "incarnation":
        member.writtenIncarnation = output.value;
        return;
      case "event":
        member.events.push({ atMs: this.nowMs, event: output.event });
        return;
      case "user":
        member.users.push(output.payload);
        return;
    }
  }

  #packet(member: SimulatedMember, to: Endpoint, messages: readonly Message[]): void {
    this.packets++;
    const isProbe = messages.some(({ type }) => /^(ping|indirectPing|ack|nack)$/.test(type));
    if (!isProbe) this.gossipPackets++;
    if (this.random() < this.loss) return;
    this.#later(1, () => {
      const other = this.#byEndpoint.get(formatEndpoint(to));
      if (other === undefined || !this.#hears(member, other)) return;
      for (const message of messages) {
        this.feed(other, { type: "packet", from: member.endpoint, message });
      }
    });
  }
}

/** How `member` holds `other`. */
export function sees(member: SimulatedMember, other: SimulatedMember): MemberState | undefined {
  return member.machine.member(other.name)?.state;
}
