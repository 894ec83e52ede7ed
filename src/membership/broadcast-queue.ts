/**
 * What there is to tell: news waits here until it was sent often enough.
 *
 * News with one key replaces older news with that key. Less often sent goes first, and within that the oldest. The queue never
 * holds more than `capacity` entries: the most often sent goes when it is full. Taking a packet costs O(entries taken).
 */
import type { Message } from "./message.ts";

interface Entry {
  readonly key: string;
  readonly message: Message;
  readonly bytes: number;
  transmits: number;
}

/** Entries passed over in one tier because they do not fit any more, before the tier is given up. */
const MISSES = 8;
/** No message is smaller: with less room the search ends. */
const LEAST_BYTES = 8;

export class BroadcastQueue {
  readonly #capacity: number;
  readonly #entries = new Map<string, Entry>();
  /** By number of transmissions; a Map keeps the order of insertion. */
  readonly #tiers: Map<string, Entry>[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is something that was never sent. */
  get hasFresh(): boolean {
    return (this.#tiers[0]?.size ?? 0) > 0;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** `bytes` is what `message` takes in a packet. */
  add(key: string, message: Message, bytes: number): void {
    this.delete(key);
    if (this.#entries.size >= this.#capacity) this.#dropMostSent();
    const entry: Entry = { key, message, bytes, transmits: 0 };
    this.#entries.set(key, entry);
    this.#enter(entry);
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#quit(entry);
  }

  /**
   * Appends to `into` what fits into `room` bytes, at most `maxCount` messages, and counts a transmission for each; those sent `limit` times
   * are dropped. Returns the bytes used.
   */
  take(into: Message[], room: number, maxCount: number, limit: number): number {
    if (this.#entries.size === 0) return 0;
    const taken: Entry[] = [];
    let used = 0;
    for (const tier of this.#tiers) {
      // Most are empty.
      if (tier.size === 0) continue;
      if (room - used < LEAST_BYTES) break;
      let misses = 0;
      for (const entry of tier.values()) {
        if (taken.length >= maxCount || misses >= MISSES) break;
        if (used + entry.bytes > room) {
          misses++;
          continue;
        }
        used += entry.bytes;
        taken.push(entry);
      }
    }
    for (const entry of taken) {
      into.push(entry.message);
      this.#quit(entry);
      entry.transmits++;
      if (entry.transmits < limit) this.#enter(entry);
      else this.#entries.delete(entry.key);
    }
    return used;
  }

  #enter(entry: Entry): void {
    const { key, transmits } = entry;
    while (this.#tiers.length <= transmits) this.#tiers.push(new Map());
    this.#tiers[transmits]!.set(key, entry);
  }

  #quit({ key, transmits }: Entry): void {
    this.#tiers[transmits]?.delete(key);
  }

  #dropMostSent(): void {
    for (let tier = this.#tiers.length - 1; tier >= 0; tier--) {
      const oldest = this.#tiers[tier]?.keys().next();
      if (oldest !== undefined && !oldest.done) {
        this.delete(oldest.value);
        return;
      }
    }
  }
}
