/**
 * Writes msgpack the way memberlist's Go encoder does: the old specification, in which strings and bytes are one "raw"
 * kind (fixraw, raw16, raw32; never str8, bin or ext), and integers take their smallest unsigned form.
 *
 * Invariant: `bytes()` is what was written so far, a copy that the caller owns.
 */
export class MsgpackWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Empty again, for another message. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  bytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#length);
  }

  /** One byte as it is: a message type, or a code of msgpack. */
  byte(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  /** Bytes as they are, without a header. */
  append(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A map of `entries` pairs follows; at most 15, which is more than any message has. */
  map(entries: number): this {
    if (entries > 15) throw new RangeError("a message has at most 15 fields");
    return this.byte(0x80 | entries);
  }

  /** An integer of 0 to 2^32-1. Throws RangeError on anything else: such a value is ours and wrong. */
  uint(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new RangeError(`${value} does not fit into 32 bits`);
    }
    if (value < 0x80) return this.byte(value);
    if (value < 0x100) return this.byte(0xcc).byte(value);
    if (value < 0x10000) return this.byte(0xcd).#bigEndian(value, 2);
    return this.byte(0xce).#bigEndian(value, 4);
  }

  bool(value: boolean): this {
    return this.byte(value ? 0xc3 : 0xc2);
  }

  string(value: string): this {
    if (this.#shortAscii(value)) return this;
    const size = Buffer.byteLength(value);
    this.#rawHeader(size);
    this.#reserve(size);
    this.#length += this.#buffer.write(value, this.#length, "utf8");
    return this;
  }

  /** Names of fields and most names of members are short and ASCII: written here they cost no call into Node. */
  #shortAscii(value: string): boolean {
    if (value.length >= 32) return false;
    this.#reserve(1 + value.length);
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) return false;
      this.#buffer[this.#length + 1 + index] = code;
    }
    this.#buffer[this.#length] = 0xa0 | value.length;
    this.#length += 1 + value.length;
    return true;
  }

  raw(value: Uint8Array): this {
    this.#rawHeader(value.length);
    return this.append(value);
  }

  /** Bytes, or nil when there are none: Go writes a nil slice so. */
  rawOrNil(value: Uint8Array): this {
    return value.length === 0 ? this.byte(0xc0) : this.raw(value);
  }

  #rawHeader(size: number): void {
    if (size < 32) this.byte(0xa0 | size);
    else if (size < 0x10000) this.byte(0xda).#bigEndian(size, 2);
    else this.byte(0xdb).#bigEndian(size, 4);
  }

  #bigEndian(value: number, width: 2 | 4): this {
    this.#reserve(width);
    this.#length = this.#buffer.writeUIntBE(value, this.#length, width);
    return this;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
