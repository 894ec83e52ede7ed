/**
 * The addresses that a request for any address can get: never-used ones, lowest first, then released ones,
 * oldest first and not before they rested. Invariant: an address is in at most one of fresh, resting, rested.
 *
 * Fresh addresses are a range set whose lowest end moves up, so a take costs O(1) however many are leased.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { countAddresses, indexOfAddress, rangeSet } from "./range-set.ts";

/** A released address is given to another container after this long at least. */
export const REST_MS = 60_000;

/** More released addresses than this are not told apart from never-used ones, oldest first. */
export const MAX_RELEASED = 4096;

export class FreePool {
  #fresh: Range[] = [];
  #freshCount = 0;
  /** Address -> when released. Maps keep insertion order, which is the order of release. */
  readonly #resting = new Map<Ipv4, number>();
  readonly #rested = new Map<Ipv4, number>();

  /** Starts anew with these fresh addresses (a range set) and these released ones, oldest first. */
  reset(fresh: readonly Range[], released: Iterable<readonly [Ipv4, number]>): void {
    this.#fresh = [...fresh];
    this.#freshCount = countAddresses(fresh);
    const list = [...released];
    this.#resting.clear();
    this.#rested.clear();
    for (const [address, atMs] of list) this.#resting.set(address, atMs);
  }

  /** Released addresses and when, in order of release. */
  released(): [Ipv4, number][] {
    return [...this.#rested, ...this.#resting];
  }

  /** How many addresses a request for any address could get now. */
  count(nowMs: number): number {
    this.#promote(nowMs);
    return this.#freshCount + this.#rested.size;
  }

  /** The address that comes next, or undefined when none is free or all rest. Takes nothing. */
  next(nowMs: number): Ipv4 | undefined {
    const lowest = this.#fresh[0];
    if (lowest) return lowest.start;
    this.#promote(nowMs);
    return this.#rested.keys().next().value;
  }

  /** Takes `address` out, wherever it is. */
  take(address: Ipv4): void {
    if (this.#resting.delete(address) || this.#rested.delete(address)) return;
    const index = indexOfAddress(this.#fresh, address);
    const range = this.#fresh[index];
    if (!range) return;
    this.#freshCount--;
    const parts = [
      { start: range.start, end: address },
      { start: address + 1, end: range.end },
    ].filter((part) => part.start < part.end);
    if (parts.length === 1 && parts[0]) this.#fresh[index] = parts[0];
    else this.#fresh.splice(index, 1, ...parts);
  }

  /** Puts back an address that was in use until `atMs`. */
  release(address: Ipv4, atMs: number): void {
    this.#resting.set(address, atMs);
    if (this.#resting.size + this.#rested.size <= MAX_RELEASED) return;
    this.#promote(atMs);
    const oldest = this.#rested.keys().next().value;
    if (oldest === undefined) return;
    this.#rested.delete(oldest);
    this.#fresh = rangeSet([...this.#fresh, { start: oldest, end: oldest + 1 }]);
    this.#freshCount++;
  }

  /** Addresses still resting: not to be given to anybody, another node included. */
  resting(nowMs: number): Ipv4[] {
    this.#promote(nowMs);
    return [...this.#resting.keys()];
  }

  #promote(nowMs: number): void {
    for (const [address, atMs] of this.#resting) {
      // A release far in the future means that the clock was set back; then nobody knows its age.
      if (nowMs - atMs < REST_MS && atMs - nowMs < REST_MS) return;
      this.#resting.delete(address);
      this.#rested.set(address, atMs);
    }
  }
}
