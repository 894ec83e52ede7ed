/**
 * An entry of the store as bytes, in copies and in a mirror's journal: key (length in 2 bytes), value (length in 4), revision and creation (8 each), big-endian.
 *
 * Invariant: a cursor never reads beyond its bytes: what is wrong with them is a RangeError, or a TypeError for what is not UTF-8, which `takenOrUndefined` takes. Pure.
 */
import { type Entry, MAX_VALUE_BYTES, type Revision } from "./store.ts";

const MAX_KEY_BYTES = 0xffff;

/** How many bytes `writeEntry` writes. */
export function entryBytes(key: Uint8Array, value: Uint8Array): number {
  return 2 + key.length + 4 + value.length + 8 + 8;
}

/** Writes the entry at `start`, and gives where it ends. `key` is that of the entry, in UTF-8. Throws RangeError for what no store holds. */
export function writeEntry(bytes: Buffer, start: number, key: Buffer, entry: Entry): number {
  const { value, revision, created } = entry;
  if (value.length > MAX_VALUE_BYTES) throw new RangeError(`the value of ${entry.key} is too long`);
  let at = writeKey(bytes, start, key);
  at = put(bytes, value, bytes.writeUInt32BE(value.length, at));
  at = bytes.writeBigUInt64BE(revision, at);
  return bytes.writeBigUInt64BE(created, at);
}

export function writeKey(bytes: Buffer, start: number, key: Buffer): number {
  if (key.length === 0 || key.length > MAX_KEY_BYTES) throw new RangeError("a key's length");
  return put(bytes, key, bytes.writeUInt16BE(key.length, start));
}

/** Copies `part` to `at`, and gives where it ends. */
export function put(bytes: Buffer, part: Uint8Array, at: number): number {
  bytes.set(part, at);
  return at + part.length;
}

/** Reads one thing after another. What it gives are views. */
export class EntryCursor {
  readonly #bytes: Buffer;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  key(): Buffer {
    const key = this.slice(this.number(2));
    if (key.length === 0) throw new RangeError("an empty key");
    return key;
  }

  /** The rest of an entry whose key was read. */
  entry(key: Buffer): Entry {
    const length = this.number(4);
    if (length > MAX_VALUE_BYTES) throw new RangeError("a long value");
    const value = this.slice(length);
    const revision = this.long();
    const created = this.long();
    if (created === 0n || created > revision) throw new RangeError("an entry's revisions");
    return { key: this.#utf8.decode(key), value, revision, created };
  }

  number(size: 1 | 2 | 4): number {
    const value = this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  long(): Revision {
    const value = this.#bytes.readBigUInt64BE(this.#at);
    this.#at += 8;
    return value;
  }

  /** Milliseconds since 1970. */
  time(): number {
    const time = Number(this.long());
    if (!Number.isSafeInteger(time)) throw new RangeError("a time");
    return time;
  }

  slice(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("beyond the end");
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  text(length: number): string {
    return this.#utf8.decode(this.slice(length));
  }

  decode(bytes: Buffer): string {
    return this.#utf8.decode(bytes);
  }

  /** Throws when anything is left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError("bytes after the end");
  }
}

/** What `read` gives, or undefined for what a cursor does not take. */
export function takenOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}
