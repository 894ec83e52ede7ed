/** The compression envelope: [9] and a msgpack map of Algo (0: LZW) and Buf. Read only; see lzw.ts. */
import { MESSAGE_TYPE } from "../message.ts";
import { decompressLzw } from "./lzw.ts";
import { MsgpackReader } from "./msgpack-reader.ts";

/** What the envelope holds, `bytes` itself when there is none, undefined when it is broken or grows beyond `limit` bytes. */
export function removeCompression(bytes: Uint8Array, limit: number): Uint8Array | undefined {
  if (bytes[0] !== MESSAGE_TYPE.compress) return bytes;
  const reader = new MsgpackReader(bytes, 1);
  let algorithm = 0;
  let body: Uint8Array | undefined;
  const size = reader.mapSize(8);
  for (let index = 0; index < size && !reader.failed; index++) {
    const key = reader.string(32);
    if (key === "Algo") algorithm = reader.uint(255);
    else if (key === "Buf") body = reader.raw(reader.remaining);
    else reader.skip();
  }
  if (reader.failed || algorithm !== 0 || body === undefined) return undefined;
  const plain = decompressLzw(body, limit);
  // One envelope inside another would multiply the work; nobody writes that.
  return plain?.[0] === MESSAGE_TYPE.compress ? undefined : plain;
}
