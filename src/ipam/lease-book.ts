/**
 * The plugin's ledger: the space that this host may give, and what of it containers hold. Pure: the plugin
 * process writes each returned record down before it answers.
 *
 * Invariants: an address is leased at most once; nothing is given outside the space, nor the network,
 * broadcast or a node address; what was ceded is given no more, until the space is set again. A lease outside
 * the space (the ring took it from us) lives until it is released.
 */
import { contains, type Range, rangeToCidrs } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { type AddressPlan, addressPlan, kindOf } from "./address-plan.ts";
import { FreePool } from "./free-pool.ts";
import {
  type LeaseRecord,
  type LeaseSnapshot,
  parseLeaseSnapshot,
  type Space,
  sameSpace,
} from "./lease-record.ts";
import {
  countAddresses,
  indexOfAddress,
  intersectRanges,
  rangeSet,
  subtractRanges,
} from "./range-set.ts";
import type { Cession } from "./step.ts";

export interface Lease {
  readonly sinceMs: number;
  /** Asked for by name (`--ip`). */
  readonly fixed: boolean;
}

/** Why a request was refused; "not-ours" and "no-space" are worth a claim, the others are final. */
export type LeaseRefusal =
  | "no-space"
  | "in-use"
  | "held-elsewhere"
  | "not-ours"
  | "reserved"
  | "not-ready"
  | "outside";

export type LeaseAnswer =
  | { readonly ok: true; readonly address: Ipv4; readonly record: LeaseRecord }
  | { readonly ok: false; readonly reason: LeaseRefusal };

export class LeaseBook {
  #plan: AddressPlan | undefined;
  #space: Space | undefined;
  /** The space as a range set; shrinks by what is ceded. */
  #ranges: Range[] = [];
  readonly #leases = new Map<Ipv4, Lease>();
  readonly #pool = new FreePool();

  /** A lease for `wanted`, or for any dynamic address. O(1) amortised, O(log ranges) for a certain one. */
  request(wanted: Ipv4 | "any", nowMs: number): LeaseAnswer {
    if (!this.#plan || !this.#space) return { ok: false, reason: "not-ready" };
    if (wanted !== "any") {
      const reason = this.#refusal(this.#plan, this.#space, wanted);
      return reason ? { ok: false, reason } : this.#lease(wanted, nowMs, true);
    }
    if (!this.#space.ready) return { ok: false, reason: "not-ready" };
    const address = this.#pool.next(nowMs);
    return address === undefined
      ? { ok: false, reason: "no-space" }
      : this.#lease(address, nowMs, false);
  }

  /** Ends a lease; undefined when there was none, so repeating it is harmless. */
  release(address: Ipv4, nowMs: number): LeaseRecord | undefined {
    if (!this.#leases.has(address)) return undefined;
    const record: LeaseRecord = { type: "released", address, atMs: nowMs };
    applyRecord(this, record);
    return record;
  }

  /** Ends leases that the reconciler found to be nobody's; the records are of those that there were. */
  free(addresses: readonly Ipv4[], nowMs: number): LeaseRecord[] {
    return addresses.flatMap((address) => this.release(address, nowMs) ?? []);
  }

  /**
   * Takes over what the daemon says. `kept` are leases outside the new space: they stay until released, and
   * each is an address that another node may now give out as well. No record when nothing changed.
   */
  setSpace(wanted: Space): { readonly kept: Range[]; readonly record: LeaseRecord | undefined } {
    const { avoid = [], ...rest } = wanted;
    const plain: Space = { ...rest, ranges: rangeSet(wanted.ranges) };
    const space = avoid.length > 0 ? { ...plain, avoid: rangeSet(avoid) } : plain;
    // A cession since the last setting makes the same space news again.
    const same =
      sameSpace(space, this.#space) &&
      countAddresses(this.#ranges) === countAddresses(space.ranges);
    const record: LeaseRecord = { type: "space", space };
    if (!same) applyRecord(this, record);
    return { kept: this.kept(), record: same ? undefined : record };
  }

  /** Leases outside the space, as a range set. */
  kept(): Range[] {
    const held = [...this.#leases.keys()].filter((address) => !this.#owns(address));
    return rangeSet(held.map((address) => ({ start: address, end: address + 1 })));
  }

  /**
   * Gives up what `want` names and nobody holds: the caller writes the record down, then answers with the
   * ranges. "space" chooses the largest aligned block without leases or resting addresses, or its upper half
   * when it is more than half of what is free. No record when there is nothing to give.
   */
  cede(
    want: Cession,
    nowMs: number,
  ): { readonly ranges: Range[]; readonly record: LeaseRecord | undefined } {
    const ranges = this.#chooseCession(want, nowMs);
    if (ranges.length === 0) return { ranges, record: undefined };
    const record: LeaseRecord = { type: "ceded", ranges };
    applyRecord(this, record);
    return { ranges, record };
  }

  /** `free`: what requests for any address could get now. `active`: all leases. */
  counts(nowMs: number): { readonly free: number; readonly active: number } {
    const free = this.#space?.ready ? this.#pool.count(nowMs) : 0;
    return { free, active: this.#leases.size };
  }

  get leases(): ReadonlyMap<Ipv4, Lease> {
    return this.#leases;
  }

  /** What the daemon last set, less what was ceded since; undefined before the first time. */
  get space(): Space | undefined {
    return this.#space && { ...this.#space, ranges: [...this.#ranges] };
  }

  snapshot(): LeaseSnapshot {
    const leases = [...this.#leases].map(
      ([address, { sinceMs, fixed }]) => [address, sinceMs, fixed] as const,
    );
    leases.sort((a, b) => a[0] - b[0]);
    return { format: 1, space: this.space ?? null, leases, released: this.#pool.released() };
  }

  /** The book of a parsed snapshot; undefined when it is damaged. */
  static restore(value: unknown): LeaseBook | undefined {
    const snapshot = parseLeaseSnapshot(value);
    if (!snapshot) return undefined;
    const book = new LeaseBook();
    for (const [address, sinceMs, fixed] of snapshot.leases) {
      book.#leases.set(address, { sinceMs, fixed });
    }
    if (snapshot.space) book.#setSpace(snapshot.space, snapshot.released);
    return book;
  }

  /** Use `applyRecord`. */
  apply(record: LeaseRecord): void {
    switch (record.type) {
      case "space":
        this.#setSpace(record.space, this.#pool.released());
        return;
      case "leased":
        this.#pool.take(record.address);
        this.#leases.set(record.address, { sinceMs: record.atMs, fixed: record.fixed });
        return;
      case "released":
        if (!this.#leases.delete(record.address)) return;
        if (this.#gives(record.address)) this.#pool.release(record.address, record.atMs);
        return;
      case "ceded":
        this.#ranges = subtractRanges(this.#ranges, rangeSet(record.ranges));
        this.#refill(this.#pool.released());
        return;
    }
  }

  #setSpace(space: Space, released: readonly (readonly [Ipv4, number])[]): void {
    this.#plan = addressPlan(space.subnet);
    this.#space = space;
    this.#ranges = intersectRanges(rangeSet(space.ranges), [this.#plan.range]);
    this.#refill(released);
  }

  /** Fresh is all that we may give, less leases and released addresses. O(leases log leases): rare. */
  #refill(released: readonly (readonly [Ipv4, number])[]): void {
    const plan = this.#plan;
    if (!plan) return;
    const still = released.filter(([address]) => this.#gives(address));
    const used = [...this.#leases.keys(), ...still.map(([address]) => address)];
    const taken = rangeSet([
      ...(this.#space?.avoid ?? []),
      ...used.map((address) => ({ start: address, end: address + 1 })),
      { start: plan.range.end - 1, end: plan.range.end },
    ]);
    const dynamic = intersectRanges(this.#ranges, [plan.dynamic]);
    this.#pool.reset(subtractRanges(dynamic, taken), still);
  }

  #lease(address: Ipv4, nowMs: number, fixed: boolean): LeaseAnswer {
    const record: LeaseRecord = { type: "leased", address, atMs: nowMs, fixed };
    applyRecord(this, record);
    return { ok: true, address, record };
  }

  #refusal(plan: AddressPlan, space: Space, address: Ipv4): LeaseRefusal | undefined {
    const kind = kindOf(plan, address);
    if (kind === "outside") return "outside";
    if (kind !== "fixed" && kind !== "dynamic") return "reserved";
    if (address === space.gateway) return "reserved";
    if (this.#leases.has(address)) return "in-use";
    if (!space.ready) return "not-ready";
    if (!this.#owns(address)) return "not-ours";
    return this.#isAvoided(address) ? "held-elsewhere" : undefined;
  }

  #owns(address: Ipv4): boolean {
    return indexOfAddress(this.#ranges, address) >= 0;
  }

  #isAvoided(address: Ipv4): boolean {
    return indexOfAddress(this.#space?.avoid ?? [], address) >= 0;
  }

  /** Whether requests for any address may get it. */
  #gives(address: Ipv4): boolean {
    const isDynamic = contains(this.#plan?.dynamic ?? { start: 0, end: 0 }, address);
    return isDynamic && this.#owns(address) && !this.#isAvoided(address);
  }

  #chooseCession(want: Cession, nowMs: number): Range[] {
    const plan = this.#plan;
    if (!plan) return [];
    if (want.kind === "space") return this.#chooseBlock(plan, want.within, nowMs);
    const asked =
      want.kind === "address"
        ? [{ start: want.address, end: want.address + 1 }]
        : rangeSet(want.ranges);
    const held = (range: Range) => [...this.#leases.keys()].some((a) => contains(range, a));
    if (want.kind === "address" && this.#leases.has(want.address)) return [];
    if (want.kind === "address" && this.#isAvoided(want.address)) return [];
    const ours = intersectRanges(this.#ranges, asked);
    return want.kind === "address" ? ours : ours.filter((range) => !held(range));
  }

  #chooseBlock(plan: AddressPlan, within: readonly Range[], nowMs: number): Range[] {
    const dynamic = intersectRanges(intersectRanges(this.#ranges, rangeSet(within)), [
      plan.dynamic,
    ]);
    const busy = [...this.#leases.keys(), ...this.#pool.resting(nowMs)];
    const taken = rangeSet([
      ...busy.map((address) => ({ start: address, end: address + 1 })),
      ...(this.#space?.avoid ?? []),
    ]);
    const gaps = subtractRanges(dynamic, taken);
    let best = { start: 0, end: 0 };
    for (const gap of gaps) {
      for (const { base, prefix } of rangeToCidrs(gap)) {
        const size = 2 ** (32 - prefix);
        if (size > best.end - best.start) best = { start: base, end: base + size };
      }
    }
    const size = best.end - best.start;
    // The last free address stays.
    if (size <= 1 && countAddresses(gaps) <= 1) return [];
    if (size > countAddresses(gaps) / 2) best = { start: best.start + size / 2, end: best.end };
    // The broadcast address alone is of no use to anybody.
    return best.start === plan.range.end - 1 ? [] : [best];
  }
}

/** Replays one journal record. Replaying a journal from an empty book gives the same book. */
export function applyRecord(book: LeaseBook, record: LeaseRecord): void {
  book.apply(record);
}
