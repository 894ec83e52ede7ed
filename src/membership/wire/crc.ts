/** The checksum envelope of packets: [12][crc32 BE of the rest][rest]. memberlist adds it for receivers of protocol 5. */
import { crc32 } from "node:zlib";
import { MESSAGE_TYPE } from "../message.ts";

/** `payload` in its envelope. */
export function addCrc(payload: Uint8Array): Uint8Array {
  const header = Buffer.allocUnsafe(5);
  header[0] = MESSAGE_TYPE.hasCrc;
  header.writeUInt32BE(crc32(payload), 1);
  return Buffer.concat([header, payload]);
}

/** What the envelope holds, `bytes` itself when there is none, undefined when the sum is wrong. */
export function removeCrc(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] !== MESSAGE_TYPE.hasCrc || bytes.length < 5) return bytes;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const payload = bytes.subarray(5);
  return crc32(payload) === view.readUInt32BE(1) ? payload : undefined;
}
