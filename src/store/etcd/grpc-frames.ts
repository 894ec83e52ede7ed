/** gRPC's messages on the wire: a byte that says whether it is compressed, its length (4 bytes), and itself. Pure. */
import { GrpcError, INTERNAL } from "./grpc-error.ts";

const HEAD = 5;
/** A page of a list is a few megabytes; etcd's own bound for what it takes is 1.5 MiB. */
const MAX_MESSAGE_BYTES = 1024 * 1024 * 1024;

export function frameOf(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD);
  return frame;
}

/** Takes what comes, in whatever pieces, and gives the messages that are whole. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #size = 0;

  /** Messages may be views of `piece`. Throws GrpcError for what is no frame; nothing may be pushed after that. */
  push(piece: Buffer): Uint8Array[] {
    this.#pieces.push(piece);
    this.#size += piece.length;
    const messages: Uint8Array[] = [];
    for (let length = this.#next(); length !== undefined; length = this.#next()) {
      const { buffer, byteOffset } = this.#take(HEAD + length);
      messages.push(new Uint8Array(buffer, byteOffset + HEAD, length));
    }
    return messages;
  }

  /** Nothing is left of a message whose rest did not come. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** The length of the message at the beginning, when all of it is there. */
  #next(): number | undefined {
    if (this.#size < HEAD) return undefined;
    const head = this.#join(HEAD);
    if (head[0] !== 0) throw new GrpcError(INTERNAL, "a compressed answer, which nobody asked for");
    const length = head.readUInt32BE(1);
    if (length > MAX_MESSAGE_BYTES) throw new GrpcError(INTERNAL, "an answer that is too long");
    return this.#size >= HEAD + length ? length : undefined;
  }

  /** The first piece, made to have `length` bytes at least. */
  #join(length: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#pieces;
    if (first.length >= length) return first;
    const all = Buffer.concat(this.#pieces, this.#size);
    this.#pieces = [all];
    return all;
  }

  #take(length: number): Buffer {
    const first = this.#join(length);
    this.#size -= length;
    if (first.length === length) this.#pieces.shift();
    else this.#pieces[0] = first.subarray(length);
    return first.subarray(0, length);
  }
}
