/**
 * Reads the binary formats of this folder. It never throws: past the end or on a bad value it fails for good and gives zeros, and the decoder asks
 * `hasFailed` once at the end.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #hasFailed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** Fails the whole decoding unless `condition` holds. */
  demand(condition: boolean): void {
    if (!condition) this.#hasFailed = true;
  }

  u8(): number {
    if (this.#hasFailed || this.remaining < 1) {
      this.#hasFailed = true;
      return 0;
    }
    return this.#bytes[this.#offset++]!;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  u32(): number {
    return this.u16() * 65536 + this.u16();
  }

  /** A copy of the next `length` bytes. */
  raw(length: number): Uint8Array {
    if (this.#hasFailed || this.remaining < length) {
      this.#hasFailed = true;
      return new Uint8Array();
    }
    this.#offset += length;
    return this.#bytes.slice(this.#offset - length, this.#offset);
  }

  /** UTF-8 after a length byte of at most `maxBytes`; bad UTF-8 and control characters fail. */
  text(maxBytes: number): string {
    const length = this.u8();
    this.demand(length <= maxBytes);
    const bytes = this.raw(length);
    if (this.#hasFailed) return "";
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    // U+FFFD stands for bad UTF-8; names with control characters would reach terminals.
    this.demand(!/[\ufffd\p{Cc}]/u.test(text));
    return text;
  }
}
