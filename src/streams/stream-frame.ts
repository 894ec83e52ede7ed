/**
 * What travels in a stream that was upgraded from HTTP (exec, logs, cp, port-forward): frames of a kind, a length and a payload, big endian.
 *
 * Each end's first byte is the version; frames follow. Decoding never throws and never holds more than one frame. What a payload may be is bounded
 * by its kind. See docs/internals/streams.md.
 */

/** The first byte of each end. */
export const STREAM_VERSION = 1;

/** Kinds that carry bytes, each with a window and an end of its own. The client sends `stdin`, the node the others. */
export const DATA_KINDS = ["stdin", "stdout", "stderr"] as const;
export type DataKind = (typeof DATA_KINDS)[number];

export type StreamFrame =
  /** First of the client: what is asked, as JSON. */
  | { readonly kind: "open"; readonly json: string }
  | { readonly kind: DataKind; readonly bytes: Buffer }
  /** No more bytes of that kind follow. */
  | { readonly kind: "end"; readonly of: DataKind }
  /** So many more bytes of that kind are taken. */
  | { readonly kind: "window"; readonly of: DataKind; readonly bytes: number }
  /** The client's terminal has this size now. */
  | { readonly kind: "resize"; readonly rows: number; readonly columns: number }
  /** Facts about what was opened, as JSON. */
  | { readonly kind: "info"; readonly json: string }
  /** Last of the node: it was done to its end, with this exit status. */
  | { readonly kind: "exit"; readonly code: number }
  /** Last of the node: it failed, `{code, message, hint}` as JSON. */
  | { readonly kind: "error"; readonly json: string }
  /** The node is there; nothing else to say for a while. */
  | { readonly kind: "alive" };

/** Bytes of a kind that may be sent before the first `window`. */
export const INITIAL_WINDOW = 256 * 1024;
/** What a frame with data takes of its window besides its bytes, so that many small ones are bounded too. */
export const FRAME_COST = 64;
/** The longest payload of a frame with data. */
export const MAX_DATA = 64 * 1024;
/** The longest payload of all, that of a frame with JSON. */
export const MAX_PAYLOAD = 1024 * 1024;
/** A window never grows beyond this. */
export const MAX_WINDOW = 16 * 1024 * 1024;

const HEADER = 4;
const CODES = {
  open: 1,
  stdin: 2,
  stdout: 3,
  stderr: 4,
  end: 5,
  window: 6,
  resize: 7,
  info: 8,
  exit: 9,
  error: 10,
  alive: 11,
} as const;
const KINDS = new Map<number, StreamFrame["kind"]>(
  Object.entries(CODES).map(([kind, code]) => [code, kind as StreamFrame["kind"]]),
);

/** The bytes of `frame`. Throws RangeError for a payload above its kind's limit. */
export function encodeStreamFrame(frame: StreamFrame): Buffer {
  const payload = payloadOf(frame);
  if (payload.length > limitOf(frame.kind))
    throw new RangeError(`${payload.length} bytes of ${frame.kind}`);
  const bytes = Buffer.allocUnsafe(HEADER + payload.length);
  bytes.writeUInt32BE(payload.length, 0);
  bytes[0] = CODES[frame.kind];
  bytes.set(payload, HEADER);
  return bytes;
}

function payloadOf(frame: StreamFrame): Uint8Array {
  switch (frame.kind) {
    case "open":
    case "info":
    case "error":
      return Buffer.from(frame.json);
    case "stdin":
    case "stdout":
    case "stderr":
      return frame.bytes;
    case "end":
      return Buffer.of(CODES[frame.of]);
    case "window": {
      const payload = Buffer.alloc(5);
      payload[0] = CODES[frame.of];
      payload.writeUInt32BE(frame.bytes, 1);
      return payload;
    }
    case "resize": {
      const payload = Buffer.alloc(4);
      payload.writeUInt16BE(frame.rows, 0);
      payload.writeUInt16BE(frame.columns, 2);
      return payload;
    }
    case "exit": {
      const payload = Buffer.alloc(4);
      payload.writeInt32BE(frame.code, 0);
      return payload;
    }
    case "alive":
      return Buffer.alloc(0);
  }
}

function limitOf(kind: StreamFrame["kind"]): number {
  if (isDataKind(kind)) return MAX_DATA;
  return kind === "open" || kind === "info" || kind === "error" ? MAX_PAYLOAD : 8;
}

function isDataKind(kind: string | undefined): kind is DataKind {
  return kind === "stdin" || kind === "stdout" || kind === "stderr";
}

/** The frame with this code and payload. Undefined when malformed; a kind of a later version gives "unknown", to be passed over. The bytes are a view. */
export function decodeStreamFrame(
  code: number,
  payload: Buffer,
): StreamFrame | "unknown" | undefined {
  const kind = KINDS.get(code);
  if (kind === undefined) return "unknown";
  if (payload.length > limitOf(kind)) return undefined;
  switch (kind) {
    case "open":
    case "info":
    case "error":
      return { kind, json: payload.toString("utf8") };
    case "stdin":
    case "stdout":
    case "stderr":
      return { kind, bytes: payload };
    case "end":
    case "window": {
      const of = KINDS.get(payload[0] ?? 0);
      if (!isDataKind(of)) return undefined;
      if (kind === "end") return payload.length === 1 ? { kind, of } : undefined;
      return payload.length === 5 ? { kind, of, bytes: payload.readUInt32BE(1) } : undefined;
    }
    case "resize":
      if (payload.length !== 4) return undefined;
      return { kind, rows: payload.readUInt16BE(0), columns: payload.readUInt16BE(2) };
    case "exit":
      return payload.length === 4 ? { kind, code: payload.readInt32BE(0) } : undefined;
    case "alive":
      return payload.length === 0 ? { kind } : undefined;
  }
}

/** Puts frames together from pieces as they arrive; holds at most one frame that is not whole, and the piece that came last. */
export class StreamFrameSplitter {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #wanted = 1;
  #hasVersion = false;
  #isBroken = false;

  /** The frames that `piece` completes, in order. "broken" is the last: what follows cannot be understood. */
  *push(piece: Buffer): Generator<StreamFrame | "broken"> {
    if (this.#isBroken || piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wanted) return;
    let rest = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    if (!this.#hasVersion) {
      if (rest[0] !== STREAM_VERSION) return yield this.#break();
      this.#hasVersion = true;
      rest = rest.subarray(1);
    }
    this.#wanted = HEADER;
    while (rest.length >= HEADER) {
      const length = rest.readUInt32BE(0) & 0xff_ff_ff;
      if (length > MAX_PAYLOAD) return yield this.#break();
      this.#wanted = HEADER + length;
      if (rest.length < this.#wanted) break;
      const frame = decodeStreamFrame(rest[0] ?? 0, rest.subarray(HEADER, this.#wanted));
      if (frame === undefined) return yield this.#break();
      rest = rest.subarray(this.#wanted);
      this.#wanted = HEADER;
      if (frame !== "unknown") yield frame;
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }

  #break(): "broken" {
    this.#isBroken = true;
    this.#pieces = [];
    return "broken";
  }
}
