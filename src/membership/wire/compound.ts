/**
 * Several messages in one packet: [7][count u8][length u16 BE]*[parts].
 *
 * Invariant: a part is never a compound itself; nesting is refused by the one that decodes the parts.
 */
import { MESSAGE_TYPE } from "../message.ts";

/** The compound of 1 to 255 encoded messages, each under 64 KiB. Throws RangeError outside of that. */
export function encodeCompound(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 0 || parts.length > 255) throw new RangeError(`${parts.length} parts`);
  const header = Buffer.allocUnsafe(2 + 2 * parts.length);
  header[0] = MESSAGE_TYPE.compound;
  header[1] = parts.length;
  for (const [index, part] of parts.entries()) header.writeUInt16BE(part.length, 2 + 2 * index);
  return Buffer.concat([header, ...parts]);
}

/** The parts of a compound (its type byte first) as views. Parts that were cut off are missing; undefined when the header is. */
export function decodeCompound(bytes: Uint8Array): Uint8Array[] | undefined {
  const count = bytes[1];
  if (bytes[0] !== MESSAGE_TYPE.compound || count === undefined) return undefined;
  let offset = 2 + 2 * count;
  if (bytes.length < offset) return undefined;
  const parts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const size = (bytes[2 + 2 * index] ?? 0) * 256 + (bytes[3 + 2 * index] ?? 0);
    if (offset + size > bytes.length) break;
    parts.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  return parts;
}
