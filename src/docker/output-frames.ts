/**
 * The Engine's output of a container without a terminal: frames that say whether they are of standard output or error. Pure.
 *
 * Invariant: never throws, and never holds more than one frame. One frame is one write, and in logs one message.
 */

export interface Output {
  readonly kind: "stdout" | "stderr";
  readonly bytes: Buffer;
}

const HEADER = 8;
/** The Engine's own are at most 32 KiB; those of logging drivers a message with its time. */
const MAX_FRAME = 16 * 1024 * 1024;
const KINDS = ["stdout", "stdout", "stderr", "stderr"] as const;

export class OutputFrameSplitter {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #wanted = HEADER;
  #isBroken = false;

  /** What `piece` completes, in order; "broken" is the last. The bytes are views. */
  *push(piece: Buffer): Generator<Output | "broken"> {
    if (this.#isBroken || piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wanted) return;
    let rest = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    this.#wanted = HEADER;
    while (rest.length >= HEADER) {
      const kind = KINDS[rest[0] ?? 0xff];
      const length = rest.readUInt32BE(4);
      if (kind === undefined || length > MAX_FRAME) {
        this.#isBroken = true;
        this.#pieces = [];
        yield "broken";
        return;
      }
      this.#wanted = HEADER + length;
      if (rest.length < this.#wanted) break;
      const bytes = rest.subarray(HEADER, this.#wanted);
      rest = rest.subarray(this.#wanted);
      this.#wanted = HEADER;
      if (bytes.length > 0) yield { kind, bytes };
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }
}
