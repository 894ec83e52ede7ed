/** Writes the binary formats of this folder: big-endian numbers and strings with a length byte. */
export class ByteWriter {
  readonly #parts: number[] = [];

  get length(): number {
    return this.#parts.length;
  }

  u8(value: number): this {
    this.#parts.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value);
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value);
  }

  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#parts.push(byte);
    return this;
  }

  /** UTF-8 with a length byte. Throws RangeError above `maxBytes` (at most 255). */
  text(value: string, maxBytes: number): this {
    const bytes = new TextEncoder().encode(value);
    if (bytes.length > maxBytes) {
      throw new RangeError(`"${value.slice(0, 40)}" is longer than ${maxBytes} bytes`);
    }
    return this.u8(bytes.length).raw(bytes);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#parts);
  }
}
