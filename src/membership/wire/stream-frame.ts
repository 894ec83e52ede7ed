/**
 * Encrypted frames on streams: [10][length u32 BE] and that many bytes as security.ts makes them, the 5 bytes and the
 * label authenticated along. The one who dialled sends the label in clear first.
 *
 * Invariant: the reader keeps no more than one frame of at most MAX_STREAM bytes, keeps what really arrived (not what a length
 * claims), and refuses at the first byte that cannot be right.
 */
import { MESSAGE_TYPE } from "../message.ts";
import { matchLabel } from "./label.ts";
import { MAX_STREAM } from "./limits.ts";
import type { Envelope, Refusal } from "./packet.ts";
import { ENCRYPTION_OVERHEAD, open, seal } from "./security.ts";
import { decodeStreamMessage, encodeStreamMessage, type StreamMessage } from "./stream-message.ts";

const HEADER = 5;

/** A message is larger than any receiver takes (10 MiB). */
export class FrameTooLarge extends RangeError {
  override readonly name = "FrameTooLarge";
}

/**
 * The bytes of `message` on a stream; `dialled` adds the label. `nonce` has 12 random bytes. Throws FrameTooLarge above 10 MiB,
 * and RangeError for values that have no encoding.
 */
export function encodeFrame(
  message: StreamMessage,
  envelope: Envelope,
  dialled: boolean,
  nonce: Uint8Array,
): Uint8Array {
  if (envelope.keyring === undefined) throw new RangeError("streams are always encrypted");
  const plain = encodeStreamMessage(message);
  const size = plain.length + ENCRYPTION_OVERHEAD;
  if (size > MAX_STREAM) {
    throw new FrameTooLarge(
      `a ${message.type} of ${size} bytes is above the ${MAX_STREAM} of a stream`,
    );
  }
  const header = Buffer.allocUnsafe(HEADER);
  header[0] = MESSAGE_TYPE.encrypt;
  header.writeUInt32BE(size, 1);
  const sealed = seal(envelope.keyring, plain, Buffer.concat([header, envelope.aad]), nonce);
  return Buffer.concat(dialled ? [envelope.header, header, sealed] : [header, sealed]);
}

export type FrameProgress =
  | { readonly kind: "more" }
  | { readonly kind: "message"; readonly message: StreamMessage }
  | { readonly kind: "refused"; readonly reason: Refusal };

const MORE: FrameProgress = { kind: "more" };

/** Collects one frame from chunks of any size. `labelled`: the other side dialled, so its label comes first. */
export class FrameReader {
  readonly #envelope: Envelope;
  readonly #labelled: boolean;
  #buffer = Buffer.alloc(0);
  #length = 0;
  /** Where the frame's header begins, and where the frame ends; both once the header is there. */
  #start = 0;
  #end: number | undefined;
  #result: FrameProgress | undefined;

  constructor(envelope: Envelope, labelled: boolean) {
    this.#envelope = envelope;
    this.#labelled = labelled;
  }

  /** Bytes held at the moment. */
  get buffered(): number {
    return this.#buffer.length;
  }

  /** Takes the next bytes. After anything but "more" the answer stays the same and nothing is kept. */
  push(chunk: Uint8Array): FrameProgress {
    if (this.#result !== undefined) return this.#result;
    this.#append(chunk);
    const progress = this.#readHeader() ?? this.#readBody();
    if (progress.kind === "more") return progress;
    this.#result = progress;
    this.#buffer = Buffer.alloc(0);
    return progress;
  }

  /** Copies into one growing buffer: a list of chunks would let a sender of single bytes cost us an object each. */
  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Undefined once the header is there and right. */
  #readHeader(): FrameProgress | undefined {
    if (this.#end !== undefined) return undefined;
    const bytes = this.#buffer.subarray(0, this.#length);
    if (this.#labelled) {
      const label = matchLabel(bytes, this.#envelope.header);
      if (label.kind === "mismatch") return { kind: "refused", reason: "label" };
      if (label.kind === "incomplete") return MORE;
      this.#start = label.size;
    }
    const type = bytes[this.#start];
    if (type !== undefined && type !== MESSAGE_TYPE.encrypt) {
      // A memberlist message in clear, or its label: nobody has shown a key. Anything else is another protocol.
      const isMemberlist = type <= MESSAGE_TYPE.error || type === MESSAGE_TYPE.hasLabel;
      return { kind: "refused", reason: isMemberlist ? "authentication" : "malformed" };
    }
    if (bytes.length < this.#start + HEADER) return MORE;
    const size = bytes.readUInt32BE(this.#start + 1);
    if (size > MAX_STREAM || size < ENCRYPTION_OVERHEAD) {
      return { kind: "refused", reason: "malformed" };
    }
    this.#end = this.#start + HEADER + size;
    return undefined;
  }

  #readBody(): FrameProgress {
    if (this.#end === undefined || this.#length < this.#end) return MORE;
    const { keyring, aad } = this.#envelope;
    const header = this.#buffer.subarray(this.#start, this.#start + HEADER);
    const sealed = this.#buffer.subarray(this.#start + HEADER, this.#end);
    const plain = keyring && open(keyring, sealed, Buffer.concat([header, aad]));
    if (plain === undefined) return { kind: "refused", reason: "authentication" };
    const message = decodeStreamMessage(plain);
    if (message === undefined) return { kind: "refused", reason: "malformed" };
    return { kind: "message", message };
  }
}
