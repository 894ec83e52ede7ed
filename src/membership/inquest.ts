/**
 * The quick way from suspicion to death: who suspects a member by its own failed probe looks closely, and asks others to look.
 *
 * Round by round the suspect is pinged by us and, for us, by a few others drawn anew. It is held dead when it was silent from the first unanswered
 * ping to the end of the last round, towards all of us, and others said so: half of those asked in the last round answered "it does not
 * answer". Any sign of life ends the inquest, and leaves the suspicion to its usual time. Nothing is concluded from a round for whose end we
 * were late, or in which we stood still, or while we are unhealthy.
 *
 * Among many members (`discreetAbove`) it begins before anybody, the suspect included, is told: an answer ends all, and costs nobody else a word. Only when it
 * could conclude but lacks witnesses, or comes to no end, the suspicion is told. Since the suspect has no chance to refute, it is asked over a stream as well,
 * which heavy loss only delays.
 *
 * Invariants: at most MAX_INQUESTS at a time, one per member; no conclusion without a witness; each round costs 1 + indirectChecks packets.
 */
import type { Endpoint } from "../values/endpoint.ts";
import type { Context } from "./context.ts";
import type { Deadline } from "./deadline-queue.ts";
import { sameEndpoint } from "./member-registry.ts";
import type { Suspect } from "./message.ts";
import { inquestRounds } from "./timing.ts";

/** More suspects at one time are left to the suspicion's own time: then it is a split, and no haste. */
const MAX_INQUESTS = 8;
/** After so many rounds without enough witnesses the suspicion's own time decides. */
const MAX_ROUNDS = 8;
/** Whoever wakes up so much late may have answers waiting unread. */
const LATE_MS = 100;

interface Inquest {
  readonly slot: number;
  readonly name: string;
  readonly incarnation: number;
  /** Of all pings so far, the failed probe's too: a late answer is a sign of life as well. */
  readonly seqs: number[];
  /** Rounds before a conclusion. */
  readonly needed: number;
  /** Whether others know of the suspicion. */
  isTold: boolean;
  rounds: number;
  roundBeganMs: number;
  /** Who could say in this round that it does not answer. */
  asked: readonly Endpoint[];
  /** Who of them said so. */
  readonly witnesses: Set<Endpoint>;
  deadline: Deadline | undefined;
}

/** What an inquest does through others. */
export interface InquestActs {
  /** Pings the slot, the accusation first, and has others ping it; returns who of them could say that it does not answer. */
  readonly askAbout: (slot: number, seq: number) => readonly Endpoint[];
  readonly pingByStream: (slot: number, seq: number, deadlineMs: number) => void;
  /** Tells everybody that we suspect a member. */
  readonly suspect: (suspect: Suspect) => void;
  readonly convict: (slot: number) => void;
}

export class Inquests {
  readonly #context: Context;
  readonly #acts: InquestActs;
  readonly #bySlot = new Map<number, Inquest>();

  constructor(context: Context, acts: InquestActs) {
    this.#context = context;
    this.#acts = acts;
  }

  /** Inquests under way. */
  get size(): number {
    return this.#bySlot.size;
  }

  /** Our probe of this suspect failed: its pings `seqs` were in vain. */
  open(slot: number, seqs: readonly number[]): void {
    const { table } = this.#context;
    if (table.state(slot) === "suspect") this.#open(slot, seqs, true);
  }

  /** The same before the member is suspect; false when that has to be told at once: among few members, or with too many inquests. */
  openDiscreetly(name: string, incarnation: number, seqs: readonly number[]): boolean {
    const { table, timing } = this.#context;
    if (table.liveCount < timing.discreetAbove) return false;
    const slot = table.find(name);
    if (slot < 0 || table.state(slot) !== "alive") return false;
    if (table.incarnation(slot) !== incarnation) return false;
    return this.#open(slot, seqs, false);
  }

  /** True when the ack answers a ping of an inquest: the suspect lives. */
  onAck(seq: number): boolean {
    const inquest = this.#withPing(seq);
    if (inquest !== undefined) this.#close(inquest);
    return inquest !== undefined;
  }

  /** Counts once for each relay that was asked in this round, whatever else says so. */
  onNack(seq: number, from: Endpoint): void {
    const inquest = this.#withPing(seq);
    if (inquest?.seqs.at(-1) !== seq) return;
    const witness = inquest.asked.find((relay) => sameEndpoint(relay, from));
    if (witness !== undefined) inquest.witnesses.add(witness);
  }

  /** The member of this slot said something itself. */
  heard(slot: number): void {
    const inquest = this.#bySlot.get(slot);
    if (inquest !== undefined) this.#close(inquest);
  }

  /** Ends all. */
  stop(): void {
    for (const inquest of this.#bySlot.values()) this.#close(inquest);
  }

  #open(slot: number, seqs: readonly number[], isTold: boolean): boolean {
    const { table, timing } = this.#context;
    const needed = inquestRounds(timing, table.liveCount + 1);
    if (needed < 1 || this.#bySlot.has(slot) || this.#bySlot.size >= MAX_INQUESTS) return false;
    const { name } = table.record(slot);
    const incarnation = table.incarnation(slot);
    const inquest: Inquest = {
      slot,
      name,
      incarnation,
      seqs: [...seqs],
      needed,
      isTold,
      rounds: 0,
      roundBeganMs: Number.NaN,
      asked: [],
      witnesses: new Set(),
      deadline: undefined,
    };
    this.#bySlot.set(slot, inquest);
    this.#nextRound(inquest);
    if (!isTold) {
      const deadlineMs = this.#context.nowMs + needed * timing.inquestRoundMs;
      this.#acts.pingByStream(slot, inquest.seqs.at(-1)!, deadlineMs);
    }
    return true;
  }

  #nextRound(inquest: Inquest): void {
    const { deadlines, timing, nowMs, nextSeq } = this.#context;
    const seq = nextSeq();
    inquest.seqs.push(seq);
    inquest.rounds++;
    inquest.roundBeganMs = nowMs;
    inquest.witnesses.clear();
    inquest.asked = this.#acts.askAbout(inquest.slot, seq);
    const deadline: Deadline = deadlines.at(nowMs + timing.inquestRoundMs, () =>
      this.#endRound(inquest, deadline.dueMs),
    );
    inquest.deadline = deadline;
  }

  #endRound(inquest: Inquest, dueMs: number): void {
    const { table, nowMs, awareness, wokeMs } = this.#context;
    const { slot, name, incarnation, needed, rounds, roundBeganMs, asked, witnesses } = inquest;
    const state = table.find(name) === slot ? table.state(slot) : undefined;
    const isOpen = state === "suspect" || (state === "alive" && !inquest.isTold);
    if (!isOpen || table.incarnation(slot) !== incarnation) {
      this.#close(inquest);
      return;
    }
    // A standstill has put the due time off, so that it alone does not show it.
    const isPunctual = nowMs - dueMs <= LATE_MS && wokeMs <= roundBeganMs;
    const isSure = rounds >= needed && isPunctual && awareness.score === 0;
    const isWitnessed = witnesses.size > 0 && witnesses.size * 2 >= asked.length;
    const isLast = rounds >= MAX_ROUNDS;
    if (isSure && isWitnessed && !isLast) {
      this.#close(inquest);
      this.#acts.convict(slot);
      return;
    }
    if (isSure || isLast) this.#tell(inquest);
    if (isLast) this.#close(inquest);
    else this.#nextRound(inquest);
  }

  /** What the inquest could not decide is for all to know, and for the suspect to refute. */
  #tell(inquest: Inquest): void {
    if (inquest.isTold) return;
    inquest.isTold = true;
    const { incarnation, name: node } = inquest;
    this.#acts.suspect({ type: "suspect", incarnation, node, from: this.#context.name });
  }

  #withPing(seq: number): Inquest | undefined {
    for (const inquest of this.#bySlot.values()) if (inquest.seqs.includes(seq)) return inquest;
    return undefined;
  }

  #close(inquest: Inquest): void {
    this.#context.deadlines.cancel(inquest.deadline);
    this.#bySlot.delete(inquest.slot);
  }
}
