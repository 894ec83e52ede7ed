/**
 * Many membership machines on one simulated network in virtual time: latency, loss, doubled and overtaken packets, one-way links, splits,
 * members that stand still, kills and restarts.
 *
 * The same seed gives the same run. Messages are handed over as values; bytes are counted as the encrypted wire format has them.
 * 10,000 members fit: tables share names and facts, and begin as copies of one.
 */

import { Membership, type MembershipOptions } from "../../src/membership/machine.ts";
import { MemberRegistry } from "../../src/membership/member-registry.ts";
import { MemberTable } from "../../src/membership/member-table.ts";
import type { Message } from "../../src/membership/message.ts";
import type { MemberEvent, MembershipInput, MembershipOutput } from "../../src/membership/step.ts";
import type { MembershipTiming } from "../../src/membership/timing.ts";
import { datagramSize, messageSize } from "../../src/membership/wire/message-size.ts";
import { type Endpoint, formatEndpoint } from "../../src/values/endpoint.ts";
import { seeded } from "../../src/values/seeded-random.ts";
import { Beliefs } from "./beliefs.ts";
import { EventQueue } from "./event-queue.ts";
import { arrivals, LAN, type Link, streamDelay } from "./link.ts";
import { SimulatedMember, type SimulationObserver } from "./member.ts";

/** A label's header and the room that is left beside it and the encryption. */
const LABEL_HEADER_BYTES = 2 + 16;
const PACKET_BUDGET = 1400 - LABEL_HEADER_BYTES - 29;
/** A stream that takes longer has failed. */
const STREAM_TIMEOUT_MS = 10_000;
const META_BYTES = 120;
const DIAL_AGAIN_MS = 5_000;

export interface NetworkOptions {
  readonly seed: number;
  readonly link?: Partial<Link>;
  readonly timing?: Partial<MembershipTiming>;
  /** Members keep no lists of their events: for large runs. */
  readonly forgetEvents?: boolean;
}

export class SimulatedNetwork {
  readonly random: () => number;
  readonly members = new Map<string, SimulatedMember>();
  readonly beliefs = new Beliefs();
  readonly observers: SimulationObserver[] = [];
  readonly #byEndpoint = new Map<string, SimulatedMember>();
  readonly #byIdentity = new Map<Endpoint, SimulatedMember>();
  readonly #registry = new MemberRegistry();
  readonly #queue = new EventQueue();
  readonly #timing: Partial<MembershipTiming>;
  readonly #forgetEvents: boolean;
  /** Directions that carry nothing, as `from * 2^20 + to`. */
  readonly #cuts = new Set<number>();
  link: Link;
  nowMs = 0;
  packets = 0;
  /** Packets that carried neither ping, ack, nack nor indirect ping. */
  gossipPackets = 0;
  bytes = 0;
  /** Bytes of push/pulls, each member counted as large as the first. */
  streamBytes = 0;
  /** Inputs handled by all machines. */
  inputs = 0;

  constructor({ seed, link = {}, timing = {}, forgetEvents = false }: NetworkOptions) {
    this.random = seeded(seed);
    this.link = { ...LAN, ...link };
    this.#timing = timing;
    this.#forgetEvents = forgetEvents;
  }

  /** Adds and starts a member; without `endpoint` it gets one of its own. */
  add(
    name: string,
    options: Partial<MembershipOptions> & { readonly key?: string } = {},
  ): SimulatedMember {
    const member = this.#place(name, options);
    member.isUp = true;
    this.beliefs.setUp(member.index, true);
    return member;
  }

  /** Starts with `count` members that have known each other for long; nobody else may be there yet. */
  addConverged(count: number): SimulatedMember[] {
    const known = new MemberTable(this.#registry, this.nowMs, this.random);
    const facts = Array.from({ length: count }, (_, index) => ({
      name: `n${index + 1}`,
      endpoint: endpointOf(index + 1),
      meta: new Uint8Array(META_BYTES),
      versions: [2, 5, 5, 0, 0, 0] as const,
    }));
    for (const one of facts) known.add(one, 1, "alive", this.nowMs);
    const members = facts.map(({ name, endpoint }) => this.#place(name, { endpoint, known }));
    this.beliefs.convergeAll();
    for (const member of members) {
      member.isUp = true;
      this.feed(member, { type: "tick" });
    }
    return members;
  }

  /** What a dial does: a push/pull begun by `member` with whoever is at `to`. */
  sync(member: SimulatedMember, to: Endpoint, join = true): void {
    const other = this.#at(to);
    if (!member.isUp || other === undefined) return;
    const ours = member.machine.localMembers();
    this.#countSync(member, ours.length);
    const state = { join, members: ours, userState: new Uint8Array() };
    this.#stream(member, other, 3, () => {
      const answer = { join, members: other.machine.localMembers(), userState: new Uint8Array() };
      this.#countSync(other, answer.members.length);
      this.feed(other, { type: "remote-state", from: member.endpoint, state });
      this.#stream(other, member, 1, () => {
        const from = other.endpoint;
        this.feed(member, { type: "remote-state", from, state: answer, isAnswer: true });
      });
    });
  }

  /** What a daemon's dialler does: syncs with `target` at once, and again as long as it does not hold it alive. */
  dial(member: SimulatedMember, target: SimulatedMember): void {
    const { life } = member;
    const again = () => {
      if (member.life !== life || member.sees(target) === "alive") return;
      this.sync(member, target.endpoint);
      this.at(DIAL_AGAIN_MS * (0.5 + this.random()), again);
    };
    again();
  }

  /** Hands `input` over, now or as soon as the member runs again. */
  feed(member: SimulatedMember, input: MembershipInput): void {
    if (!member.isUp) return;
    if (this.nowMs < member.stillUntilMs) {
      if (input.type !== "tick") member.defer(() => this.feed(member, input));
      return;
    }
    this.inputs++;
    for (const output of member.machine.handle(input, this.nowMs)) this.#carry(member, output);
    this.#plan(member);
    for (const { handled } of this.observers) handled?.(member, input);
  }

  kill(member: SimulatedMember): void {
    member.isUp = false;
    member.life++;
    member.diedAtIncarnation = Math.max(member.diedAtIncarnation, member.writtenIncarnation);
    member.waiting = [];
    member.tickMs = Number.POSITIVE_INFINITY;
    this.beliefs.setUp(member.index, false);
  }

  /** Starts a killed member again with an empty memory; without `incarnation` from what it wrote down. */
  restart(member: SimulatedMember, incarnation = member.writtenIncarnation): void {
    member.machine = this.#machine(member.name, member.endpoint, { incarnation });
    member.writtenIncarnation = incarnation;
    member.isUp = true;
    member.stillUntilMs = Number.NEGATIVE_INFINITY;
    this.beliefs.setUp(member.index, true);
    this.feed(member, { type: "tick" });
  }

  /** The member gets no processor time for `ms`. */
  standStill(member: SimulatedMember, ms: number): void {
    const { life } = member;
    const untilMs = Math.max(member.stillUntilMs, this.nowMs + ms);
    member.stillUntilMs = untilMs;
    this.at(untilMs - this.nowMs, () => {
      if (member.life !== life || member.stillUntilMs > this.nowMs) return;
      this.feed(member, { type: "tick" });
      const waiting = member.waiting;
      member.waiting = [];
      for (const action of waiting) action();
    });
  }

  /** Alternates for ever between standing still and running, each for a random time between the two given. */
  starve(
    member: SimulatedMember,
    stillMs: readonly [number, number],
    runMs: readonly [number, number],
  ): void {
    const { life } = member;
    const starving = ++member.starving;
    const between = ([least, most]: readonly [number, number]) =>
      least + this.random() * (most - least);
    const next = () => {
      if (member.life !== life || member.starving !== starving) return;
      const still = between(stillMs);
      this.standStill(member, still);
      this.at(still + between(runMs), next);
    };
    this.at(between(runMs), next);
  }

  /** Ends all starving of the member, which runs on as soon as it no longer stands still. */
  wake(member: SimulatedMember): void {
    member.starving++;
  }

  /** Whether packets from one to the other get through. */
  setCut(from: SimulatedMember, to: SimulatedMember, isCut: boolean): void {
    const key = from.index * 2 ** 20 + to.index;
    if (isCut) this.#cuts.add(key);
    else this.#cuts.delete(key);
  }

  /** Mends everything between members: groups, cuts and what links do to packets; they stay as long as they are. */
  mend(): void {
    this.#cuts.clear();
    this.link = { ...this.link, loss: 0, duplication: 0, reordering: 0 };
    for (const member of this.members.values()) member.group = 0;
  }

  /** Has `action` done `ms` from now. */
  at(ms: number, action: () => void): void {
    this.#queue.at(this.nowMs + ms, action);
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

  /** Whether all running members hold each other alive. */
  isWhole(): boolean {
    return this.beliefs.strangers === 0;
  }

  /** Whether, besides, no running member holds a stopped one alive or suspect. */
  isSettled(): boolean {
    return this.beliefs.strangers === 0 && this.beliefs.ghosts === 0;
  }

  up(): SimulatedMember[] {
    return [...this.members.values()].filter((member) => member.isUp);
  }

  #place(
    name: string,
    options: Partial<MembershipOptions> & { readonly key?: string },
  ): SimulatedMember {
    const endpoint = options.endpoint ?? endpointOf(this.#byEndpoint.size + 1);
    const index = this.beliefs.add(name);
    const machine = this.#machine(name, endpoint, options);
    const member = new SimulatedMember(name, endpoint, index, machine, options.incarnation ?? 0);
    this.members.set(options.key ?? name, member);
    this.#byEndpoint.set(formatEndpoint(endpoint), member);
    this.#byIdentity.set(endpoint, member);
    return member;
  }

  #machine(name: string, endpoint: Endpoint, options: Partial<MembershipOptions>): Membership {
    const base = {
      name,
      endpoint,
      meta: new Uint8Array(META_BYTES),
      incarnation: 0,
      random: this.random,
      packetBudget: PACKET_BUDGET,
      sizeOf: messageSize,
      registry: this.#registry,
      timing: this.#timing,
    };
    return new Membership({ ...base, ...options }, this.nowMs);
  }

  #at(endpoint: Endpoint): SimulatedMember | undefined {
    return this.#byIdentity.get(endpoint) ?? this.#byEndpoint.get(formatEndpoint(endpoint));
  }

  #hears(from: SimulatedMember, to: SimulatedMember): boolean {
    if (!to.isUp || from.group !== to.group) return false;
    return this.#cuts.size === 0 || !this.#cuts.has(from.index * 2 ** 20 + to.index);
  }

  /** One timer a member, planned anew only when something is due earlier, as the driver does it. */
  #plan(member: SimulatedMember): void {
    const next = member.machine.nextTickMs();
    if (next >= member.tickMs || next === Number.POSITIVE_INFINITY) return;
    const { life } = member;
    const number = ++member.tickNumber;
    member.tickMs = next;
    this.#queue.at(next, () => {
      if (member.life !== life || member.tickNumber !== number) return;
      member.tickMs = Number.POSITIVE_INFINITY;
      if (this.nowMs < member.stillUntilMs) return;
      if (member.machine.nextTickMs() <= this.nowMs) this.feed(member, { type: "tick" });
      else this.#plan(member);
    });
  }

  /** A connection of `from` to `to` on which the last of `legs` messages ends in `action`, when it does. */
  #stream(from: SimulatedMember, to: SimulatedMember, legs: number, action: () => void): void {
    const delay = streamDelay(this.link, legs, this.random);
    if (delay > STREAM_TIMEOUT_MS) return;
    const { life } = to;
    const arrive = () => {
      if (to.life !== life || !this.#hears(from, to) || !this.#hears(to, from)) return;
      if (this.nowMs < to.stillUntilMs) to.defer(arrive);
      else action();
    };
    this.at(delay, arrive);
  }

  #countSync(member: SimulatedMember, entries: number): void {
    const entry = META_BYTES + 100 + member.name.length;
    this.streamBytes += entries * entry;
  }

  #carry(member: SimulatedMember, output: MembershipOutput): void {
    switch (output.type) {
      case "packet":
        this.#packet(member, output.to, output.messages);
        return;
      case "sync":
        for (const { sync } of this.observers) sync?.(member);
        this.sync(member, output.to, false);
        return;
      case "stream-ping":
        this.#streamPing(member, output.to, output.ping, output.deadlineMs);
        return;
      case "incarnation":
        member.writtenIncarnation = output.value;
        return;
      case "event":
        this.#event(member, output.event);
        return;
      case "user":
        member.users.push(output.payload);
        return;
    }
  }

  #streamPing(member: SimulatedMember, to: Endpoint, ping: Message, deadlineMs: number): void {
    const other = this.#at(to);
    if (other === undefined || ping.type !== "ping") return;
    this.#stream(member, other, 3, () => {
      this.#stream(other, member, 1, () => {
        if (this.nowMs > deadlineMs) return;
        const message = { type: "ack", seq: ping.seq, payload: new Uint8Array() } as const;
        this.feed(member, { type: "packet", from: other.endpoint, message, reliable: true });
      });
    });
  }

  #event(member: SimulatedMember, event: MemberEvent): void {
    const { name, state } = event.member;
    if (event.kind !== "conflict") this.beliefs.set(member.index, name, state);
    if (!this.#forgetEvents) member.events.push({ atMs: this.nowMs, event });
    for (const observer of this.observers) observer.event?.(member, event);
  }

  #packet(member: SimulatedMember, to: Endpoint, messages: readonly Message[]): void {
    const bytes = datagramSize(messages, LABEL_HEADER_BYTES);
    this.packets++;
    this.bytes += bytes;
    member.packets++;
    member.bytes += bytes;
    if (!messages.some(isProbe)) this.gossipPackets++;
    for (const { packet } of this.observers) packet?.(member, bytes);
    const other = this.#at(to);
    if (other === undefined) return;
    const read = () => {
      for (const message of messages) {
        this.feed(other, { type: "packet", from: member.endpoint, message });
      }
    };
    for (const delay of arrivals(this.link, this.random)) {
      this.at(delay, () => {
        if (!this.#hears(member, other)) return;
        if (this.nowMs < other.stillUntilMs) other.defer(read);
        else read();
      });
    }
  }
}

function isProbe({ type }: Message): boolean {
  return type === "ping" || type === "indirectPing" || type === "ack" || type === "nack";
}

function endpointOf(number: number): Endpoint {
  return { ip: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`, port: 6783 };
}
