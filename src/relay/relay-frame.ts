/**
 * What travels in a relay's stream: frames of at most 64 KiB, each a length, a type and its fields, big endian.
 *
 * Decoding never throws and never holds more than one frame; whoever gets `undefined` ends the stream.
 */
import type { NodeId } from "../values/node-id.ts";

export type RelayFrame =
  /** First on each stream, both ways: who speaks. */
  | { readonly type: "hello"; readonly id: NodeId; readonly fingerprint: string }
  /** Once a second: the stream lives. `wanted` false: the sender does not need it, and it may be closed. */
  | { readonly type: "alive"; readonly wanted: boolean }
  /** One datagram of the tunnel between two nodes. */
  | {
      readonly type: "data";
      readonly from: NodeId;
      readonly to: NodeId;
      readonly datagram: Uint8Array;
    }
  /** A word of one end of a relayed pair to the other; see `Say`. */
  | {
      readonly type: "say";
      readonly from: NodeId;
      readonly to: NodeId;
      readonly directOk: boolean;
      readonly back: boolean;
    }
  /** The node asked to carry on to `to` has no stream there. */
  | { readonly type: "no-route"; readonly to: NodeId };

const LENGTH_BYTES = 2;
const MAX_BODY = 65_535;
const VERSION = 1;
const TYPES = { hello: 1, alive: 2, data: 3, say: 4, "no-route": 5 } as const;
const DATA_HEADER = 5;

/** The largest datagram that fits a frame, in bytes; no UDP datagram over IPv4 is larger than 65,507. */
export const MAX_DATAGRAM = MAX_BODY - DATA_HEADER;

/** The bytes of `frame`, length first. Throws RangeError for a datagram above MAX_DATAGRAM. */
export function encodeFrame(frame: RelayFrame): Buffer {
  switch (frame.type) {
    case "hello": {
      const bytes = begin(TYPES.hello, 8);
      bytes[3] = VERSION;
      bytes.writeUInt16BE(frame.id, 4);
      bytes.writeUInt32BE(Number.parseInt(frame.fingerprint, 16), 6);
      return bytes;
    }
    case "alive": {
      const bytes = begin(TYPES.alive, 2);
      bytes[3] = frame.wanted ? 1 : 0;
      return bytes;
    }
    case "data": {
      const bytes = begin(TYPES.data, DATA_HEADER + frame.datagram.length);
      bytes.writeUInt16BE(frame.from, 3);
      bytes.writeUInt16BE(frame.to, 5);
      bytes.set(frame.datagram, 7);
      return bytes;
    }
    case "say": {
      const bytes = begin(TYPES.say, 6);
      bytes.writeUInt16BE(frame.from, 3);
      bytes.writeUInt16BE(frame.to, 5);
      bytes[7] = (frame.directOk ? 1 : 0) | (frame.back ? 2 : 0);
      return bytes;
    }
    case "no-route": {
      const bytes = begin(TYPES["no-route"], 3);
      bytes.writeUInt16BE(frame.to, 3);
      return bytes;
    }
  }
}

function begin(type: number, length: number): Buffer {
  if (length > MAX_BODY) throw new RangeError(`a frame of ${length} bytes`);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + length);
  bytes.writeUInt16BE(length, 0);
  bytes[2] = type;
  return bytes;
}

/**
 * The frame in `body`, which is what follows the length. Undefined when malformed, of another version, or naming id 0; a type of a later
 * version gives "unknown", to be passed over. The datagram is a view of `body`.
 */
export function decodeFrame(body: Buffer): RelayFrame | "unknown" | undefined {
  const has = (length: number): boolean => body.length === length;
  switch (body[0]) {
    case undefined:
      return undefined;
    case TYPES.hello: {
      if (!has(8) || body[1] !== VERSION) return undefined;
      const id = body.readUInt16BE(2);
      const fingerprint = body.readUInt32BE(4).toString(16).padStart(8, "0");
      return id === 0 ? undefined : { type: "hello", id, fingerprint };
    }
    case TYPES.alive:
      return has(2) ? { type: "alive", wanted: body[1] === 1 } : undefined;
    case TYPES.data: {
      if (body.length <= DATA_HEADER) return undefined;
      const ends = endsOf(body);
      return ends && { type: "data", ...ends, datagram: body.subarray(DATA_HEADER) };
    }
    case TYPES.say: {
      const ends = has(6) ? endsOf(body) : undefined;
      const flags = body[5] ?? 0;
      return ends && { type: "say", ...ends, directOk: (flags & 1) > 0, back: (flags & 2) > 0 };
    }
    case TYPES["no-route"]: {
      const to = has(3) ? body.readUInt16BE(1) : 0;
      return to === 0 ? undefined : { type: "no-route", to };
    }
    default:
      return "unknown";
  }
}

function endsOf(body: Buffer): { readonly from: NodeId; readonly to: NodeId } | undefined {
  const [from, to] = [body.readUInt16BE(1), body.readUInt16BE(3)];
  return from === 0 || to === 0 || from === to ? undefined : { from, to };
}

/** Cuts a stream of bytes into the bodies of frames. Holds at most one unfinished frame. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** The bodies that `chunk` completes, in order; views of it, good until the next call. */
  *push(chunk: Buffer): Generator<Buffer> {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      yield bytes.subarray(at + LENGTH_BYTES, end);
      at = end;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }
}
