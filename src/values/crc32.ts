/**
 * CRC-32 as zlib, PNG and Ethernet have it (reflected, polynomial 0xEDB88320), for processes that need nothing else of node:zlib, which costs 4 ms to load.
 */

let table: Uint32Array | undefined;

/** The sum of `text` in UTF-8, 0 to 2^32 - 1. */
export function crc32(text: string): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => rest(byte));
  let sum = 0xff_ff_ff_ff;
  for (const byte of new TextEncoder().encode(text)) {
    sum = (sum >>> 8) ^ (table[(sum ^ byte) & 0xff] ?? 0);
  }
  return (sum ^ 0xff_ff_ff_ff) >>> 0;
}

function rest(byte: number): number {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xed_b8_83_20 : 0);
  return value;
}
