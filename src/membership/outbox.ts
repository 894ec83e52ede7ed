/**
 * What leaves the machine: outputs in order, packets filled up with news, and rounds of gossip.
 *
 * Fresh news goes out at once while the pace allows it, everything else once per gossip interval. Invariant: no packet is longer
 * than the budget, and no packet is sent for gossip when there is no news.
 */
import type { Endpoint } from "../values/endpoint.ts";
import { BroadcastQueue } from "./broadcast-queue.ts";
import type { Deadline, DeadlineQueue } from "./deadline-queue.ts";
import { GossipPace } from "./gossip-pace.ts";
import type { MemberTable } from "./member-table.ts";
import type { Message } from "./message.ts";
import type { MembershipOutput } from "./step.ts";
import { type MembershipTiming, retransmitLimit } from "./timing.ts";

/** A compound packet's own header, and what it adds to each message. */
const COMPOUND_HEADER_BYTES = 2;
const COMPOUND_MESSAGE_BYTES = 2;
const COMPOUND_MAX_MESSAGES = 255;

export interface OutboxOptions {
  readonly table: MemberTable;
  readonly timing: MembershipTiming;
  readonly deadlines: DeadlineQueue;
  readonly random: () => number;
  readonly packetBudget: number;
  readonly sizeOf: (message: Message) => number;
  readonly queueCapacity: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  /** News of members goes before what users broadcast. */
  readonly #members: BroadcastQueue;
  readonly #users: BroadcastQueue;
  readonly #pace: GossipPace;
  #outputs: MembershipOutput[] = [];
  #round: Deadline | undefined;
  #lastRoundMs = Number.NEGATIVE_INFINITY;
  #lastDeathMs = Number.NEGATIVE_INFINITY;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#members = new BroadcastQueue(options.queueCapacity);
    this.#users = new BroadcastQueue(options.queueCapacity);
    this.#pace = new GossipPace(options.timing.gossipIntervalMs, options.timing.gossipBurst);
  }

  /** Pieces of news still to be told. */
  get queued(): number {
    return this.#members.size + this.#users.size;
  }

  /** Bytes that one message may take in a packet of its own. */
  get maxMessageBytes(): number {
    return this.#options.packetBudget - COMPOUND_HEADER_BYTES - COMPOUND_MESSAGE_BYTES;
  }

  emit(output: MembershipOutput): void {
    this.#outputs.push(output);
  }

  /** The outputs so far; the caller owns them. */
  drain(): MembershipOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** One packet with `messages` first, filled up with news. */
  send(to: Endpoint, messages: readonly Message[]): void {
    const { packetBudget, sizeOf } = this.#options;
    const packet = [...messages];
    let room = packetBudget - COMPOUND_HEADER_BYTES;
    for (const message of messages) room -= sizeOf(message) + COMPOUND_MESSAGE_BYTES;
    this.#fill(packet, room);
    this.emit({ type: "packet", to, messages: packet });
  }

  /** Queues news of a member; older news of it is dropped. */
  spread(name: string, message: Message): void {
    const bytes = this.#options.sizeOf(message) + COMPOUND_MESSAGE_BYTES;
    this.#members.add(name, message, bytes);
  }

  forget(name: string): void {
    this.#members.delete(name);
  }

  /** Queues a user message. Throws RangeError when it fits into no packet. */
  spreadUser(key: string, message: Message): void {
    const bytes = this.#options.sizeOf(message);
    if (bytes > this.maxMessageBytes) {
      throw new RangeError(
        `a broadcast of ${bytes} bytes is above the ${this.maxMessageBytes} bytes of a packet`,
      );
    }
    this.#users.add(key, message, bytes + COMPOUND_MESSAGE_BYTES);
  }

  /** Somebody was just held dead: some gossip goes to the dead for a while. */
  noteDeath(nowMs: number): void {
    this.#lastDeathMs = nowMs;
  }

  /** After each input: tells fresh news at once if it may, and plans the next round. */
  settle(nowMs: number): void {
    const fresh = this.#members.hasFresh || this.#users.hasFresh;
    if (fresh && this.#pace.allows(nowMs)) this.#gossip(nowMs);
    const wanted = this.queued > 0 && this.#hasAudience(nowMs);
    if (!wanted) {
      this.#options.deadlines.cancel(this.#round);
      this.#round = undefined;
    } else if (this.#round === undefined) {
      const atMs = Math.max(
        nowMs,
        this.#lastRoundMs + this.#options.timing.gossipIntervalMs,
        this.#pace.nextMs,
      );
      const round: Deadline = this.#options.deadlines.at(atMs, () => {
        this.#round = undefined;
        this.#gossip(round.dueMs);
      });
      this.#round = round;
    }
  }

  #hasAudience(nowMs: number): boolean {
    return this.#options.table.liveCount > 0 || this.#deadListen(nowMs);
  }

  #deadListen(nowMs: number): boolean {
    return nowMs - this.#lastDeathMs <= this.#options.timing.gossipToTheDeadMs;
  }

  #gossip(nowMs: number): void {
    // Also a round without an audience counts, or it would be due again at once for ever.
    this.#lastRoundMs = nowMs;
    const targets = this.#targets(nowMs);
    if (targets.length === 0) return;
    this.#pace.spend(nowMs);
    for (const slot of targets) {
      const packet: Message[] = [];
      this.#fill(packet, this.#options.packetBudget - COMPOUND_HEADER_BYTES);
      if (packet.length === 0) return;
      this.emit({
        type: "packet",
        to: this.#options.table.record(slot).endpoint,
        messages: packet,
      });
    }
  }

  #targets(nowMs: number): number[] {
    const { table, timing, random } = this.#options;
    const targets = table.randomLive(timing.gossipNodes);
    if (!this.#deadListen(nowMs) || (targets.length > 0 && random() >= 0.25)) return targets;
    const dead = table.randomGone(
      1,
      (slot) =>
        table.state(slot) === "dead" && nowMs - table.sinceMs(slot) <= timing.gossipToTheDeadMs,
    );
    if (targets.length >= timing.gossipNodes && dead.length > 0) targets.pop();
    return targets.concat(dead);
  }

  #fill(packet: Message[], room: number): void {
    if (this.queued === 0) return;
    const limit = retransmitLimit(this.#options.timing, this.#options.table.liveCount + 1);
    const used = this.#members.take(packet, room, COMPOUND_MAX_MESSAGES - packet.length, limit);
    this.#users.take(packet, room - used, COMPOUND_MAX_MESSAGES - packet.length, limit);
  }
}
