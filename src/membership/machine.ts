/**
 * The membership machine: SWIM with Lifeguard as memberlist speaks it, without any contact with the world.
 *
 * Inputs and the time of a monotonic clock go in, outputs come out; the same inputs, times and random numbers give the same outputs. Each
 * message costs O(1) or O(log n) beyond what it carries. See docs/internals/membership.md.
 */
import type { Endpoint } from "../values/endpoint.ts";
import { isAcceptable, OUR_VERSIONS } from "./acceptable.ts";
import { Awareness } from "./awareness.ts";
import { type Context, remoteMember } from "./context.ts";
import { DeadlineQueue } from "./deadline-queue.ts";
import { MemberRegistry } from "./member-registry.ts";
import { MemberTable } from "./member-table.ts";
import type { MemberState, Message, RemoteMember, Versions } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { Prober } from "./probe.ts";
import { Rumours } from "./rumours.ts";
import { refuseLongMeta, Selfhood } from "./selfhood.ts";
import { StateSyncs } from "./state-syncs.ts";
import type { MembershipInput, MembershipOutput } from "./step.ts";
import { LAN_TIMING, type MembershipTiming } from "./timing.ts";

export interface MembershipOptions {
  readonly name: string;
  /** Where others reach us. */
  readonly endpoint: Endpoint;
  /** At most 512 bytes. */
  readonly meta: Uint8Array;
  /** The last incarnation written down, 0 for none: this life begins one above it. */
  readonly incarnation: number;
  readonly timing?: Partial<MembershipTiming>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Bytes that the messages of one packet may take together, compound header included, after label and encryption. */
  readonly packetBudget: number;
  /** Encoded bytes of one message, its type byte included. */
  readonly sizeOf: (message: Message) => number;
  readonly versions?: Versions;
  /** Shared by simulated machines; else the machine has one of its own. */
  readonly registry?: MemberRegistry;
  /** What is known from the start (a simulation of a cluster that has met already): it is copied, and its registry is used. */
  readonly known?: MemberTable;
  /** Pieces of news kept at most, of members and of users each. 4096 when left out. */
  readonly queueCapacity?: number;
}

export interface MemberView {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly meta: Uint8Array;
  readonly incarnation: number;
  readonly state: MemberState;
  /** When the state began, rounded down to 50 ms; on the machine's clock. */
  readonly sinceMs: number;
  readonly versions: Versions;
  /** Round trip of the last direct ping, when there was one. */
  readonly rttMs: number | undefined;
}

export interface MachineHoldings {
  readonly news: number;
  readonly relaysAndInquests: number;
  readonly suspicions: number;
  readonly deadlines: number;
}

export class Membership {
  readonly #context: Context;
  readonly #selfhood: Selfhood;
  readonly #rumours: Rumours;
  readonly #prober: Prober;
  readonly #syncs: StateSyncs;
  #isNew = true;

  /** Throws RangeError for metadata above 512 bytes, or a name or endpoint that nobody would accept. */
  constructor(options: MembershipOptions, nowMs: number) {
    const { name, endpoint, meta, random, packetBudget, sizeOf } = options;
    const versions = options.versions ?? OUR_VERSIONS;
    const incarnation = options.incarnation + 1;
    refuseLongMeta(meta);
    const facts = { name, endpoint, meta, versions };
    if (!isAcceptable(facts, incarnation, versions)) {
      throw new RangeError(`member ${JSON.stringify(name)} cannot be announced`);
    }
    const timing = { ...LAN_TIMING, ...options.timing };
    const table =
      options.known?.copy(random) ??
      new MemberTable(options.registry ?? new MemberRegistry(), nowMs, random);
    const deadlines = new DeadlineQueue();
    const queueCapacity = options.queueCapacity ?? 4096;
    // A random start keeps answers to a former life from being taken for answers to this one.
    let seq = Math.floor(random() * 2 ** 32);
    this.#context = {
      name,
      self: table.addSelf(facts, incarnation, nowMs),
      timing,
      random,
      table,
      deadlines,
      awareness: new Awareness(timing.awarenessMax),
      outbox: new Outbox({
        table,
        timing,
        deadlines,
        random,
        packetBudget,
        sizeOf,
        queueCapacity,
      }),
      nextSeq: () => {
        seq = (seq + 1) % 2 ** 32;
        return seq;
      },
      nowMs,
      wokeMs: Number.NEGATIVE_INFINITY,
      hasLeft: false,
    };
    this.#selfhood = new Selfhood(this.#context);
    this.#rumours = new Rumours(this.#context, this.#selfhood);
    this.#prober = new Prober(this.#context, this.#rumours);
    this.#syncs = new StateSyncs(this.#context);
  }

  /**
   * Applies one input and returns what is to be done, in order; also does what is due at `nowMs`. The first call's
   * outputs begin with the incarnation of this life. Throws RangeError for a broadcast that fits into no packet and
   * for metadata that is too long.
   */
  handle(input: MembershipInput, nowMs: number): MembershipOutput[] {
    const context = this.#context;
    this.#excuseStandstill(nowMs);
    context.nowMs = nowMs;
    if (this.#isNew) {
      this.#isNew = false;
      const value = context.table.incarnation(context.self);
      context.outbox.emit({ type: "incarnation", value });
    }
    this.#apply(input);
    context.deadlines.run(nowMs);
    this.#prober.settle();
    this.#syncs.settle();
    context.outbox.settle(nowMs);
    return context.outbox.drain();
  }

  /** When the next "tick" is due, on the same clock; Infinity when nothing is. */
  nextTickMs(): number {
    return this.#context.deadlines.nextMs;
  }

  /** Our half of a push/pull: ourselves, then all others in any state. */
  localMembers(): RemoteMember[] {
    return this.#slots().map((slot) => remoteMember(this.#context, slot));
  }

  /** Ourselves, then all others in any state. */
  members(): readonly MemberView[] {
    return this.#slots().map((slot) => this.#view(slot));
  }

  /** One member, ourselves included; O(1). */
  member(name: string): MemberView | undefined {
    const slot = this.#context.table.find(name);
    return slot < 0 ? undefined : this.#view(slot);
  }

  /** Others that are alive or suspect. */
  get liveCount(): number {
    return this.#context.table.liveCount;
  }

  /** Pieces of news still to be told: 0 after a leave means that it was spread. */
  get queued(): number {
    return this.#context.outbox.queued;
  }

  /** What is kept besides the table: each is bounded, deadlines by what is under way. */
  get held(): MachineHoldings {
    const { outbox, deadlines } = this.#context;
    return {
      news: outbox.queued,
      relaysAndInquests: this.#prober.held,
      suspicions: this.#rumours.suspects,
      deadlines: deadlines.size,
    };
  }

  /** Lifeguard's score: 0 is healthy. */
  get awareness(): number {
    return this.#context.awareness.score;
  }

  /** Whether a living twin holds our name and we leave it to it (see the "conflict" event). */
  get hasYielded(): boolean {
    return this.#selfhood.namesake.hasYielded;
  }

  /** Where a living twin holds our name; undefined while there is none. */
  get rival(): Endpoint | undefined {
    return this.#selfhood.namesake.rival;
  }

  #slots(): number[] {
    return [this.#context.self, ...this.#context.table.others()];
  }

  #view(slot: number): MemberView {
    const { table } = this.#context;
    return {
      ...remoteMember(this.#context, slot),
      sinceMs: table.sinceMs(slot),
      rttMs: table.rttMs(slot),
    };
  }

  /**
   * We were not run for so long that answers to our pings may wait unread: nobody else is to blame, so everything is put off by
   * that time and our own health is held lower.
   */
  #excuseStandstill(nowMs: number): void {
    const { deadlines, timing, awareness } = this.#context;
    const lateMs = nowMs - deadlines.nextMs;
    if (lateMs <= timing.probeTimeoutMs) return;
    this.#context.wokeMs = nowMs;
    awareness.apply(1);
    this.#rumours.shift(lateMs);
    deadlines.shift(lateMs);
  }

  #apply(input: MembershipInput): void {
    switch (input.type) {
      case "packet":
        this.#receive(input.message, input.from, input.reliable ?? false);
        return;
      case "remote-state":
        this.#rumours.merge(input.state.members, input.isAnswer ?? false);
        return;
      case "tick":
        return;
      case "beat":
        this.#prober.beat();
        return;
      case "broadcast":
        this.#context.outbox.spreadUser(input.key, {
          type: "user",
          payload: input.payload,
        });
        return;
      case "announce":
        if (this.#selfhood.announce(input.meta, input.endpoint)) this.#syncs.syncSoon();
        return;
      case "leave":
        this.#prober.stop();
        this.#syncs.stop();
        this.#rumours.stop();
        this.#selfhood.leave();
        return;
      case "remove":
        this.#rumours.remove(input.name);
        return;
    }
  }

  #receive(message: Message, from: Endpoint, reliable: boolean): void {
    switch (message.type) {
      case "ping":
        if (!this.#selfhood.namesake.ownsPing(message)) this.#prober.onPing(message, from);
        return;
      case "indirectPing":
        this.#prober.onIndirectPing(message, from);
        return;
      case "ack":
        if (!this.#selfhood.namesake.onAck(message.seq))
          this.#prober.onAck(message, from, reliable);
        return;
      case "nack":
        this.#prober.onNack(message, from);
        return;
      case "suspect":
        this.#rumours.onSuspect(message, from);
        return;
      case "alive":
        this.#rumours.onAlive(message);
        return;
      case "dead":
        this.#rumours.onDead(message, from);
        return;
      case "user":
        this.#context.outbox.emit({ type: "user", from, payload: message.payload });
        return;
      case "error":
        return;
    }
  }
}
