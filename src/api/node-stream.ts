/** The node's end of a stream that somebody opened: its channel, and what the client says in between. */

import type { Duplex } from "node:stream";
import { HansaError } from "../errors.ts";
import { type SaidFrame, StreamChannel } from "../streams/stream-channel.ts";
import type { DataKind } from "../streams/stream-frame.ts";

/** The node says that it is there at least so often. */
export const ALIVE_EVERY_MS = 5_000;
/** For the first frame, with what is asked. */
const OPEN_WITHIN_MS = 10_000;

export class NodeStream {
  /** Aborts when the stream is over. */
  readonly signal: AbortSignal;
  /** Told each new size of the client's terminal. */
  resized: (rows: number, columns: number) => void = () => undefined;
  readonly #channel: StreamChannel;
  readonly #opened = Promise.withResolvers<string>();
  #isOpen = false;

  /** Owns `socket`, on which the upgrade was agreed. `takes`: what the client may send. */
  constructor(socket: Duplex, head: Buffer, takes: readonly DataKind[]) {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.#channel = new StreamChannel(socket, {
      ...{ head, takes, aliveEveryMs: ALIVE_EVERY_MS },
      said: (frame) => this.#hear(frame),
    });
    const timer = setTimeout(() => this.close(slow()), OPEN_WITHIN_MS);
    void this.#channel.ended.then((reason) => {
      this.#opened.reject(reason ?? slow());
      controller.abort(reason);
    });
    // Whoever waits for it is told; a stream that ends without anybody waiting is no defect.
    this.#opened.promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  }

  /** What is asked, as JSON. Rejects when the client goes away or is slow. */
  get opened(): Promise<string> {
    return this.#opened.promise;
  }

  get isOver(): boolean {
    return this.#channel.isOver;
  }

  bytes(kind: DataKind): AsyncGenerator<Buffer> {
    return this.#channel.bytes(kind);
  }

  send(kind: DataKind, bytes: Buffer): Promise<void> {
    return this.#channel.send(kind, bytes);
  }

  /** As one frame, of at most MAX_DATA bytes. */
  sendWhole(kind: DataKind, bytes: Buffer): Promise<void> {
    return this.#channel.sendWhole(kind, bytes);
  }

  end(kind: DataKind): void {
    this.#channel.end(kind);
  }

  inform(facts: object): void {
    this.#channel.say({ kind: "info", json: JSON.stringify(facts) });
  }

  /** The orderly end: all was done, with this status. */
  exit(code: number): void {
    this.#channel.say({ kind: "exit", code });
    this.#channel.close();
  }

  /** The end by a failure, in the words of the API. */
  fail({ code, message, hint }: HansaError): void {
    this.#channel.say({ kind: "error", json: JSON.stringify({ code, message, hint }) });
    this.#channel.close();
  }

  close(reason: Error): void {
    this.#channel.close(reason);
  }

  #hear(frame: SaidFrame): void {
    if (frame.kind === "open" && !this.#isOpen) {
      this.#isOpen = true;
      this.#opened.resolve(frame.json);
    } else if (frame.kind === "resize" && this.#isOpen) {
      this.resized(frame.rows, frame.columns);
    } else {
      this.close(new HansaError("STREAM_BROKEN", `the client said ${frame.kind} out of turn`));
    }
  }
}

function slow(): HansaError {
  return new HansaError("STREAM_BROKEN", "the client did not say what it wants");
}
