/** The entries of a mirror in memory: one by its key, or all below a prefix in the order of their keys' bytes. Pure. */
import type { Change, Entry } from "./store.ts";

export class MirrorEntries {
  readonly #entries: Map<string, Entry>;
  /** All keys in order; undefined since one came or went. */
  #keys: readonly string[] | undefined;

  constructor(entries: Iterable<Entry> = []) {
    this.#entries = new Map([...entries].map((entry) => [entry.key, entry]));
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Not to be changed. */
  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  list(prefix: string): Entry[] {
    this.#keys ??= [...this.#entries.keys()].sort(compareBytes);
    const found: Entry[] = [];
    for (let at = firstFrom(this.#keys, prefix); at < this.#keys.length; at++) {
      const key = this.#keys[at] ?? "";
      if (!key.startsWith(prefix)) break;
      const entry = this.#entries.get(key);
      if (entry) found.push(entry);
    }
    return found;
  }

  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === "put") {
        if (!this.#entries.has(change.entry.key)) this.#keys = undefined;
        this.#entries.set(change.entry.key, change.entry);
      } else if (this.#entries.delete(change.key)) {
        this.#keys = undefined;
      }
    }
  }
}

/** As their UTF-8 compares, which JavaScript's own order is not for characters beyond 16 bits. */
function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const [one, other] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/** Halves of characters beyond 16 bits come after all that fit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}

function firstFrom(keys: readonly string[], prefix: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(keys[middle] ?? "", prefix) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
