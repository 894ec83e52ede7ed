/**
 * All members that one machine knows, in columns of typed arrays: 19 bytes a member (see BYTES_PER_MEMBER), times at most 1.25 for growth.
 *
 * A member's slot is the number of its name in the registry, so that a table needs no index by name of its own, and a copy is a copy of columns.
 * `#order` lists the slots of all others in three parts, so that every choice costs O(1), and a change between live and gone a search:
 *
 *     0 ... cursor ... live ... length
 *     probed  to probe  dead or left
 *
 * Invariants: each slot but our own is in `#order` exactly once; alive and suspect ones lie below `live`; each is probed once in a round, in
 * a random sequence (the shuffle is done one step at a time while probing).
 */

import {
  type MemberFacts,
  type MemberRecord,
  type MemberRegistry,
  sameFacts,
} from "./member-registry.ts";
import type { MemberState } from "./message.ts";

/** By code; 0 stands for a slot that is not in use. */
const STATES: readonly (MemberState | undefined)[] = [
  undefined,
  "alive",
  "suspect",
  "dead",
  "left",
];
/** Times are kept in these steps since the table began: 6.8 years fit. */
const TIME_STEP_MS = 50;
/** Round trips are kept in these steps: 3.2 s fit, longer ones count as that. */
const RTT_STEP_MS = 0.05;
const NO_RTT = 0xffff;

/** Bytes of all columns for one member, without what tables share. */
export const BYTES_PER_MEMBER = 4 + 4 + 1 + 4 + 2 + 4;

export class MemberTable {
  readonly #registry: MemberRegistry;
  readonly #startMs: number;
  readonly #random: () => number;
  #recordIds = new Uint32Array(8);
  /** Whether `#recordIds` belongs to another table, whose registry uses count for us until we write. */
  #sharesRecords = false;
  #incarnations = new Uint32Array(8);
  #states = new Uint8Array(8);
  #since = new Uint32Array(8);
  #rtts = new Uint16Array(8);
  #order = new Uint32Array(8);
  #self = -1;
  #length = 0;
  #live = 0;
  #cursor = 0;

  constructor(registry: MemberRegistry, startMs: number, random: () => number) {
    this.#registry = registry;
    this.#startMs = startMs;
    this.#random = random;
  }

  /**
   * A table of the same members and the same registry, with random numbers of its own; a copy of memory. This one must stay as it is
   * as long as the copy lives: what members announce is shared until the copy learns something else.
   */
  copy(random: () => number): MemberTable {
    const made = new MemberTable(this.#registry, this.#startMs, random);
    made.#recordIds = this.#recordIds;
    made.#sharesRecords = true;
    made.#incarnations = this.#incarnations.slice();
    made.#states = this.#states.slice();
    made.#since = this.#since.slice();
    made.#rtts = this.#rtts.slice();
    made.#order = this.#order.slice();
    made.#self = this.#self;
    made.#length = this.#length;
    made.#live = this.#live;
    made.#cursor = this.#cursor;
    return made;
  }

  /** Others that are alive or suspect. */
  get liveCount(): number {
    return this.#live;
  }

  /** Others in any state. */
  get count(): number {
    return this.#length;
  }

  /** The slot of a name, or -1. */
  find(name: string): number {
    const slot = this.#registry.nameId(name);
    return slot >= 0 && slot < this.#states.length && this.#states[slot] !== 0 ? slot : -1;
  }

  /** Makes the member with this name ourselves: never probed, never chosen. It is added when it is missing. */
  addSelf(facts: MemberFacts, incarnation: number, nowMs: number): number {
    const known = this.find(facts.name);
    if (known < 0) this.#self = this.#newSlot(facts, incarnation, "alive", nowMs);
    else {
      this.#takeOut(known);
      this.#self = known;
      this.setIncarnation(known, incarnation);
      if (!sameFacts(this.record(known), facts)) this.setFacts(known, facts);
      // What others held of an earlier life is not true of this one.
      this.#states[known] = STATES.indexOf("alive");
      this.#since[known] = this.#steps(nowMs);
      this.#rtts[known] = NO_RTT;
    }
    return this.#self;
  }

  /** Adds a member whose name is not in the table. */
  add(facts: MemberFacts, incarnation: number, state: MemberState, nowMs: number): number {
    const slot = this.#newSlot(facts, incarnation, state, nowMs);
    if (this.#length === this.#order.length) this.#order = grown(this.#order, this.#length + 1);
    this.#order[this.#length++] = slot;
    if (isLive(state)) this.#enliven(this.#length - 1);
    return slot;
  }

  remove(slot: number): void {
    this.#takeOut(slot);
    this.#ownRecords();
    this.#states[slot] = 0;
    this.#registry.release(this.#recordIds[slot]!);
  }

  record(slot: number): MemberRecord {
    return this.#registry.record(this.#recordIds[slot]!);
  }

  /** Replaces what the member announces; the name stays. */
  setFacts(slot: number, facts: MemberFacts): void {
    this.#ownRecords();
    const old = this.#recordIds[slot]!;
    this.#recordIds[slot] = this.#registry.acquire(facts);
    this.#registry.release(old);
  }

  incarnation(slot: number): number {
    return this.#incarnations[slot]!;
  }

  setIncarnation(slot: number, incarnation: number): void {
    this.#incarnations[slot] = incarnation;
  }

  state(slot: number): MemberState {
    return STATES[this.#states[slot]!]!;
  }

  setState(slot: number, state: MemberState, nowMs: number): void {
    const before = this.state(slot);
    if (before === state) return;
    this.#states[slot] = STATES.indexOf(state);
    this.#since[slot] = this.#steps(nowMs);
    if (slot === this.#self || isLive(before) === isLive(state)) return;
    if (isLive(state)) this.#enliven(this.#order.indexOf(slot, this.#live));
    else this.#deaden(this.#order.indexOf(slot));
  }

  /** When the state began, rounded down to 50 ms. */
  sinceMs(slot: number): number {
    return this.#startMs + this.#since[slot]! * TIME_STEP_MS;
  }

  /** The last measured round trip, rounded to 0.05 ms, or undefined. */
  rttMs(slot: number): number | undefined {
    const steps = this.#rtts[slot]!;
    return steps === NO_RTT ? undefined : steps * RTT_STEP_MS;
  }

  setRtt(slot: number, ms: number): void {
    this.#rtts[slot] = Math.min(NO_RTT - 1, Math.max(1, Math.round(ms / RTT_STEP_MS)));
  }

  /** The next live member of the round, or -1 when there is none. */
  nextToProbe(): number {
    if (this.#live === 0) return -1;
    if (this.#cursor >= this.#live) this.#cursor = 0;
    const chosen = this.#cursor + Math.floor(this.#random() * (this.#live - this.#cursor));
    this.#swap(chosen, this.#cursor);
    return this.#order[this.#cursor++]!;
  }

  /** Up to `count` different live members that `accepts`, at random. O(count) while most are accepted. */
  randomLive(count: number, accepts: (slot: number) => boolean = () => true): number[] {
    return this.#sample(0, this.#live, count, accepts);
  }

  /** Up to `count` different dead or left members that `accepts`, at random; not exhaustive when few are accepted. */
  randomGone(count: number, accepts: (slot: number) => boolean): number[] {
    return this.#sample(this.#live, this.#length, count, accepts);
  }

  /** All slots but our own, in no order; do not change the table meanwhile. */
  others(): Iterable<number> {
    return this.#order.subarray(0, this.#length);
  }

  #sample(from: number, to: number, count: number, accepts: (slot: number) => boolean): number[] {
    const size = to - from;
    const chosen: number[] = [];
    if (size <= count * 4) {
      const all = Array.from(this.#order.subarray(from, to));
      while (all.length > 0 && chosen.length < count) {
        const index = Math.floor(this.#random() * all.length);
        const slot = all[index]!;
        all[index] = all[all.length - 1]!;
        all.pop();
        if (accepts(slot)) chosen.push(slot);
      }
      return chosen;
    }
    for (let tries = 0; tries < count * 8 && chosen.length < count; tries++) {
      const slot = this.#order[from + Math.floor(this.#random() * size)]!;
      if (!chosen.includes(slot) && accepts(slot)) chosen.push(slot);
    }
    return chosen;
  }

  #newSlot(facts: MemberFacts, incarnation: number, state: MemberState, nowMs: number): number {
    this.#ownRecords();
    const recordId = this.#registry.acquire(facts);
    const slot = this.#registry.record(recordId).nameId;
    if (slot >= this.#recordIds.length) this.#growSlots();
    this.#recordIds[slot] = recordId;
    this.#incarnations[slot] = incarnation;
    this.#states[slot] = STATES.indexOf(state);
    this.#since[slot] = this.#steps(nowMs);
    this.#rtts[slot] = NO_RTT;
    return slot;
  }

  /** Before the first write to a column that is another table's. */
  #ownRecords(): void {
    if (!this.#sharesRecords) return;
    this.#sharesRecords = false;
    this.#recordIds = this.#recordIds.slice();
    // Plain counting: 10,000 tables of a simulation do this for 10,000 members each.
    for (let slot = 0; slot < this.#states.length; slot++) {
      if (this.#states[slot] !== 0) this.#registry.retain(this.#recordIds[slot]!);
    }
  }

  #steps(nowMs: number): number {
    return Math.max(0, Math.floor((nowMs - this.#startMs) / TIME_STEP_MS));
  }

  /** From the dead part into what is still to be probed. */
  #enliven(position: number): void {
    this.#swap(position, this.#live);
    this.#live++;
  }

  /** Out of the live part, so that nobody else loses or doubles its turn of this round. */
  #deaden(position: number): void {
    if (position < this.#cursor) {
      this.#cursor--;
      this.#swap(position, this.#cursor);
      position = this.#cursor;
    }
    this.#live--;
    this.#swap(position, this.#live);
  }

  /** Out of the order altogether. */
  #takeOut(slot: number): void {
    if (isLive(this.state(slot))) this.#deaden(this.#order.indexOf(slot));
    this.#length--;
    this.#swap(this.#order.indexOf(slot, this.#live), this.#length);
  }

  #swap(a: number, b: number): void {
    const slotA = this.#order[a]!;
    this.#order[a] = this.#order[b]!;
    this.#order[b] = slotA;
  }

  #growSlots(): void {
    const atLeast = this.#registry.nameLimit;
    this.#recordIds = grown(this.#recordIds, atLeast);
    this.#incarnations = grown(this.#incarnations, atLeast);
    this.#since = grown(this.#since, atLeast);
    const size = this.#recordIds.length;
    const [states, rtts] = [new Uint8Array(size), new Uint16Array(size)];
    states.set(this.#states);
    rtts.set(this.#rtts);
    this.#states = states;
    this.#rtts = rtts;
  }
}

function isLive(state: MemberState): boolean {
  return state === "alive" || state === "suspect";
}

/** Grows by a quarter: the columns of 10,000 tables are what a simulation's memory goes to. */
function grown(column: Uint32Array<ArrayBuffer>, atLeast: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(atLeast, Math.ceil(column.length * 1.25)));
  larger.set(column);
  return larger;
}
