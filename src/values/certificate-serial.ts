/**
 * Serial numbers of certificates for people and programs. They say themselves when and at which generation of its holder a certificate was made,
 * so that all certificates of one holder can be called back, also those that nobody remembers.
 *
 * 16 bytes: a mark, u32 seconds since 1970, u16 generation, 9 random bytes; big endian. The authority signs it, so its holder cannot change it.
 */

/** Serials of before there were stamps, and of nodes, begin with 0x40 to 0x7f. */
const MARK = 0x10;
export const SERIAL_RANDOM_BYTES = 9;
export const MAX_GENERATION = 0xffff;
/** RFC 5280 allows 20 bytes. */
const SERIAL = /^([0-9a-f]{2}){1,20}$/;

export interface SerialStamp {
  /** Seconds since 1970, by the clock of the node that made it, and later than any calling back of the same holder that the node knew. */
  readonly madeAt: number;
  /** How often the holder's certificates had been called back, as far as the node knew. */
  readonly generation: number;
}

/** True for 1 to 20 bytes in lower-case hex. */
export function isSerial(text: string): boolean {
  return SERIAL.test(text);
}

/** Lower-case hex; `random` has SERIAL_RANDOM_BYTES bytes. Throws RangeError for numbers that have no room. */
export function makeSerial({ madeAt, generation }: SerialStamp, random: Uint8Array): string {
  const bytes = Buffer.alloc(7);
  bytes[0] = MARK;
  bytes.writeUInt32BE(madeAt, 1);
  bytes.writeUInt16BE(generation, 5);
  return bytes.toString("hex") + Buffer.from(random).toString("hex");
}

/** The stamp in a serial of lower-case hex; that of a serial without one is older than all others. */
export function readSerial(serial: string): SerialStamp {
  const bytes = Buffer.from(serial, "hex");
  if (bytes.length !== 7 + SERIAL_RANDOM_BYTES || bytes[0] !== MARK) {
    return { madeAt: 0, generation: 0 };
  }
  return { madeAt: bytes.readUInt32BE(1), generation: bytes.readUInt16BE(5) };
}
