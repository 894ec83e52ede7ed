/**
 * Reads msgpack of the old and the new specification, from hostile bytes.
 *
 * Invariant: it never throws and never reads outside its bytes. The first thing that is not as asked sets `failed` for good;
 * from then on every read gives a neutral value, so that a decoder may run on and look at `failed` once, at its end. Loops over
 * counts from the wire must stop on `failed`.
 */
import { isUtf8 } from "node:buffer";

/** Names that are looked for, found by length, first and last byte, which must tell them apart. */
export class FieldNames {
  readonly #byKey = new Map<number, { readonly name: string; readonly bytes: Uint8Array }>();

  /** Throws RangeError for names that are not told apart. */
  constructor(names: readonly string[]) {
    for (const name of names) {
      const bytes = Buffer.from(name);
      const key = keyOf(bytes, 0, bytes.length);
      if (this.#byKey.has(key)) throw new RangeError(`"${name}" looks like another name`);
      this.#byKey.set(key, { name, bytes });
    }
  }

  /** The name that is in `bytes` from `start` to before `end`. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const found = this.#byKey.get(keyOf(bytes, start, end));
    if (found === undefined) return undefined;
    for (let index = start; index < end; index++) {
      if (bytes[index] !== found.bytes[index - start]) return undefined;
    }
    return found.name;
  }
}

function keyOf(bytes: Uint8Array, start: number, end: number): number {
  return ((end - start) << 16) | ((bytes[start] ?? 0) << 8) | (bytes[end - 1] ?? 0);
}

const EMPTY = new Uint8Array(0);
/** No message nests deeper than a map of arrays; unknown fields may, a little. */
const MAX_DEPTH = 8;

export class MsgpackReader {
  #bytes: Buffer;
  #offset: number;
  #failed = false;

  /** Reads `bytes` from `offset` on; results are views of `bytes`, not copies. */
  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** Marks what was read as wrong, for rules that only the caller knows. */
  fail(): void {
    this.#failed = true;
  }

  /** The next `size` bytes as they are. */
  take(size: number): Uint8Array {
    if (this.#failed || size > this.remaining) {
      this.#failed = true;
      return EMPTY;
    }
    this.#offset += size;
    return this.#bytes.subarray(this.#offset - size, this.#offset);
  }

  /** Number of pairs of the map that begins here, at most `limit`. */
  mapSize(limit: number): number {
    const code = this.#uint(1);
    let size = -1;
    if (code >= 0x80 && code <= 0x8f) size = code & 0x0f;
    else if (code === 0xde) size = this.#uint(2);
    else if (code === 0xdf) size = this.#uint(4);
    return this.#within(size, limit);
  }

  /** An unsigned integer of any width, 0 to `limit`. */
  uint(limit: number): number {
    const code = this.#uint(1);
    let value = -1;
    if (code < 0x80) value = code;
    else if (code === 0xcc || code === 0xd0) value = this.#uint(1);
    else if (code === 0xcd || code === 0xd1) value = this.#uint(2);
    else if (code === 0xce || code === 0xd2) value = this.#uint(4);
    else if (code === 0xcf || code === 0xd3) value = this.#uint(4) * 2 ** 32 + this.#uint(4);
    // A signed code with its top bit set is a negative number, which no field may hold.
    const signed = code >= 0xd0 && code <= 0xd3;
    if (signed && value >= 2 ** (8 * 2 ** (code - 0xd0) - 1)) value = -1;
    return this.#within(value, limit);
  }

  /** true or false; Go's nil and absent booleans are false. */
  bool(): boolean {
    const code = this.#uint(1);
    if (code !== 0xc2 && code !== 0xc3 && code !== 0xc0) this.#failed = true;
    return code === 0xc3;
  }

  /** Bytes of at most `limit`: raw, str8, bin, an array of small integers, or nil for none. */
  raw(limit: number): Uint8Array {
    const code = this.#bytes[this.#offset] ?? -1;
    if (code === 0xc0) {
      this.#offset += 1;
      return EMPTY;
    }
    if ((code >= 0x90 && code <= 0x9f) || code === 0xdc) return this.#arrayOfBytes(limit);
    this.#offset += 1;
    return this.take(this.#within(this.#rawSize(code), limit));
  }

  /** A string of at most `limit` bytes in valid UTF-8. */
  string(limit: number): string {
    const start = this.#shortAscii(limit);
    if (start >= 0) return this.#bytes.toString("latin1", start, this.#offset);
    const bytes = this.raw(limit);
    if (!isUtf8(bytes)) this.#failed = true;
    return this.#failed ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  }

  /** The string that follows: the very one of `names` when it is in there, without making another, else one of at most 32 bytes. */
  fieldName(names: FieldNames): string {
    const code = this.#bytes[this.#offset] ?? 0;
    const start = this.#offset + 1;
    const end = start + (code & 0x1f);
    if ((code & 0xe0) === 0xa0 && end <= this.#bytes.length) {
      const name = names.find(this.#bytes, start, end);
      if (name !== undefined) {
        this.#offset = end;
        return name;
      }
    }
    return this.string(32);
  }

  /** Steps over a string of less than 32 bytes, all ASCII, as nearly all are, and tells where it began; -1 for anything else. */
  #shortAscii(limit: number): number {
    const code = this.#bytes[this.#offset] ?? 0;
    const size = code & 0x1f;
    const start = this.#offset + 1;
    if ((code & 0xe0) !== 0xa0 || size > limit || this.#failed) return -1;
    if (start + size > this.#bytes.length) return -1;
    for (let index = start; index < start + size; index++) {
      if (this.#bytes[index]! >= 0x80) return -1;
    }
    this.#offset = start + size;
    return start;
  }

  /** Skips one value of any kind: the value of a field that we do not know. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) this.#failed = true;
    if (this.#failed) return;
    const code = this.#uint(1);
    if (code < 0x80 || code >= 0xe0 || code === 0xc0 || code === 0xc2 || code === 0xc3) return;
    const fixed = FIXED_SIZE[code];
    if (fixed !== undefined) this.take(fixed);
    else if (code <= 0x8f) this.#skipMany((code & 0x0f) * 2, depth);
    else if (code <= 0x9f) this.#skipMany(code & 0x0f, depth);
    else if (code === 0xdc || code === 0xdd)
      this.#skipMany(this.#uint(code === 0xdc ? 2 : 4), depth);
    else if (code === 0xde || code === 0xdf)
      this.#skipMany(this.#uint(code === 0xde ? 2 : 4) * 2, depth);
    else if (code >= 0xc7 && code <= 0xc9) this.take(1 + this.#uint(EXT_WIDTH[code - 0xc7] ?? 1));
    else this.take(this.#within(this.#rawSize(code), this.remaining));
  }

  #skipMany(count: number, depth: number): void {
    for (let index = 0; index < count && !this.#failed; index++) this.skip(depth + 1);
  }

  #rawSize(code: number): number {
    if (code >= 0xa0 && code <= 0xbf) return code & 0x1f;
    if (code === 0xd9 || code === 0xc4) return this.#uint(1);
    if (code === 0xda || code === 0xc5) return this.#uint(2);
    if (code === 0xdb || code === 0xc6) return this.#uint(4);
    return -1;
  }

  #arrayOfBytes(limit: number): Uint8Array {
    const code = this.#uint(1);
    const size = this.#within(code === 0xdc ? this.#uint(2) : code & 0x0f, limit);
    if (size > this.remaining) this.#failed = true;
    if (this.#failed) return EMPTY;
    const result = new Uint8Array(size);
    for (let index = 0; index < size && !this.#failed; index++) result[index] = this.uint(255);
    return result;
  }

  #within(value: number, limit: number): number {
    if (value < 0 || value > limit) this.#failed = true;
    return this.#failed ? 0 : value;
  }

  #uint(width: 1 | 2 | 4): number {
    if (this.#failed || width > this.remaining) {
      this.#failed = true;
      return 0;
    }
    let value = 0;
    for (const end = this.#offset + width; this.#offset < end; this.#offset++) {
      value = value * 256 + this.#bytes[this.#offset]!;
    }
    return value;
  }
}

const EXT_WIDTH = [1, 2, 4] as const;

/** Payload of the codes whose size the code alone tells: floats, integers, fixext. */
const FIXED_SIZE: Readonly<Record<number, number>> = {
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
  212: 2,
  213: 3,
  214: 5,
  215: 9,
  216: 17,
};
