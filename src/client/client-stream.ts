/** The client's end of a stream into a container: bytes both ways, and how it ended. */
import type { Duplex } from "node:stream";
import { HansaError } from "../errors.ts";
import { type SaidFrame, StreamChannel } from "../streams/stream-channel.ts";
import type { DataKind } from "../streams/stream-frame.ts";
import { errorOf, isFailure } from "./failure.ts";

/** The node says something at least every 5 s. */
const SILENCE_MS = 20_000;

/** What the node tells about the stream. */
export interface StreamFacts {
  /** "host2/web". */
  readonly container: string;
  readonly [fact: string]: unknown;
}

export class ClientStream {
  /**
   * The exit status, once the node said that all was done. Rejects with the node's own error, with STREAM_LOST when the connection ended before, or
   * with what this end closed it for.
   */
  readonly outcome: Promise<number>;
  /** What the node told so far. */
  facts: StreamFacts | undefined;
  readonly #channel: StreamChannel;

  /** Owns `socket`, on which the upgrade was agreed and the version and the first frame were sent. */
  constructor(socket: Duplex, head: Buffer) {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.outcome = promise;
    // Who reads the bytes first and asks for the outcome later finds the failure there.
    promise.catch(() => undefined);
    const hear = (frame: SaidFrame): void => {
      if (frame.kind === "exit") resolve(frame.code);
      else if (frame.kind === "error") reject(failure(frame.json));
      else if (frame.kind === "info") this.#inform(frame.json);
      else reject(new HansaError("STREAM_BROKEN", `the node said ${frame.kind} out of turn`));
    };
    this.#channel = new StreamChannel(socket, {
      ...{ head, hasBegun: true, takes: ["stdout", "stderr"], silenceMs: SILENCE_MS, said: hear },
    });
    void this.#channel.ended.then((reason) =>
      reject(reason ?? new HansaError("STREAM_LOST", "the stream was closed")),
    );
  }

  bytes(kind: "stdout" | "stderr"): AsyncGenerator<Buffer> {
    return this.#channel.bytes(kind);
  }

  send(kind: DataKind, bytes: Buffer): Promise<void> {
    return this.#channel.send(kind, bytes);
  }

  end(kind: DataKind): void {
    this.#channel.end(kind);
  }

  resize(rows: number, columns: number): void {
    this.#channel.say({ kind: "resize", rows, columns });
  }

  close(reason?: Error): void {
    this.#channel.close(reason);
  }

  #inform(json: string): void {
    const facts = parsed(json);
    if (typeof facts === "object" && facts !== null) {
      this.facts = { ...this.facts, ...(facts as StreamFacts) };
    }
  }
}

function failure(json: string): HansaError {
  const said = { error: parsed(json) };
  return isFailure(said)
    ? errorOf(said.error)
    : new HansaError("STREAM_BROKEN", "the node failed without saying why");
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
