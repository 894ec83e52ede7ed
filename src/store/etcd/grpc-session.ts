/**
 * Calls by gRPC over one HTTP/2 connection, in as little work as that takes: a daemon speaks with its etcd twice a second and at each change of the store.
 *
 * Invariants: each call is sent once, and ends with an answer or a GrpcError, at its deadline at the latest; a connection that is over is made anew by the
 * next call; one that says nothing while something is asked of it is ended.
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import { isErrno } from "../../errors.ts";
import {
  CANCELED,
  DEADLINE_EXCEEDED,
  GrpcError,
  INTERNAL,
  refusalIn,
  UNAVAILABLE,
} from "./grpc-error.ts";
import { FrameReader, frameOf } from "./grpc-frames.ts";

export interface CallOptions {
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface StreamOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Ends it, without an error. */
  readonly signal: AbortSignal;
}

/** Pings while something is open, so that a server that hangs is noticed; etcd refuses more than one in 5 s. */
const PING_MS = 10_000;
const PING_TIMEOUT_MS = 3000;
/** Of messages that nobody has taken yet, until no more is read of a stream. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** HTTP/2's code for what is given up. */
const CANCEL = 8;

export interface Connection {
  readonly session: ClientHttp2Session;
  /** What it goes over. */
  readonly socket: Duplex;
}

interface Held {
  readonly session: ClientHttp2Session;
  /** Calls under way. */
  calls: number;
  heardMs: number;
  /** Why the connection is over. */
  failure: unknown;
}

export class GrpcSession {
  readonly #connect: () => Connection;
  #held: Held | undefined;
  /** Also those that take no new calls, and still bear some. */
  readonly #sessions = new Set<ClientHttp2Session>();
  #isClosed = false;

  /** `connect` begins a connection; it may throw a GrpcError. */
  constructor(connect: () => Connection) {
    this.#connect = connect;
  }

  /** One question, one answer. Rejects with a GrpcError. */
  unary(path: string, request: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const { timeoutMs, headers } = options;
      const held = this.#open();
      const stream = begin(held, path, { "grpc-timeout": `${timeoutMs}m`, ...headers });
      const messages: Uint8Array[] = [];
      const timer = setTimeout(() => {
        reject(new GrpcError(DEADLINE_EXCEEDED, "no answer in time"));
        stream.close(CANCEL);
      }, timeoutMs);
      receive(held, stream, {
        message: (message) => messages.push(message),
        end: (failure) => {
          clearTimeout(timer);
          const [first] = messages;
          if (failure) reject(failure);
          else if (first) resolve(first);
          else reject(new GrpcError(UNAVAILABLE, "an answer without content"));
        },
      });
      stream.end(frameOf(request));
    });
  }

  /** One question, which stays open, and answers until either side ends it. Throws GrpcError. */
  async *stream(
    path: string,
    request: Uint8Array,
    { headers, signal }: StreamOptions,
  ): AsyncGenerator<Uint8Array> {
    if (signal.aborted) return;
    const held = this.#open();
    const stream = begin(held, path, headers);
    let waiting: Uint8Array[] = [];
    let size = 0;
    let ended: { readonly failure: GrpcError | undefined } | undefined;
    let wake = (): void => undefined;
    receive(held, stream, {
      message(message) {
        waiting.push(message);
        size += message.length;
        if (size > MAX_WAITING_BYTES) stream.pause();
        wake();
      },
      end(failure) {
        ended = { failure };
        wake();
      },
    });
    const abort = (): void => {
      stream.close(CANCEL);
      wake();
    };
    signal.addEventListener("abort", abort, { once: true });
    stream.write(frameOf(request));
    try {
      while (!signal.aborted) {
        const messages = waiting;
        waiting = [];
        size = 0;
        if (stream.isPaused()) stream.resume();
        yield* messages;
        if (waiting.length > 0 || signal.aborted) continue;
        if (ended?.failure) throw ended.failure;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", abort);
      stream.close(CANCEL);
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions) {
      session.destroy(new GrpcError(CANCELED, "the connection was closed"), CANCEL);
    }
  }

  /** Throws a GrpcError. */
  #open(): Held {
    // It would connect again, to whatever serves there now.
    if (this.#isClosed) throw new GrpcError(CANCELED, "the connection was closed");
    const known = this.#held;
    if (known && !known.session.closed && !known.session.destroyed) {
      if (known.calls === 0 && performance.now() - known.heardMs > PING_MS) ping(known);
      return known;
    }
    const { session, socket } = this.#connect();
    const held: Held = { session, calls: 0, heardMs: performance.now(), failure: undefined };
    this.#held = held;
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    const over = (error: Error): void => {
      held.failure ??= error;
      // It stays open, and the session says nothing, where the other side refused our certificate.
      socket.destroy();
    };
    session.on("error", over);
    socket.on("error", over);
    const pings = setInterval(() => {
      if (held.calls > 0 && performance.now() - held.heardMs >= PING_MS) ping(held);
    }, PING_MS);
    socket.once("close", () => clearInterval(pings));
    return held;
  }
}

/** Throws a GrpcError. */
function begin(
  { session }: Held,
  path: string,
  headers: Readonly<Record<string, string>>,
): ClientHttp2Stream {
  try {
    return session.request({
      ...{ ":method": "POST", ":path": path, te: "trailers" },
      ...{ "content-type": "application/grpc", ...headers },
    });
  } catch (error) {
    throw lost(error);
  }
}

interface Receiver {
  readonly message: (message: Uint8Array) => void;
  /** Called once, and last. */
  readonly end: (failure: GrpcError | undefined) => void;
}

function receive(held: Held, stream: ClientHttp2Stream, { message, end }: Receiver): void {
  const frames = new FrameReader();
  let status = 0;
  let trailers: IncomingHttpHeaders | undefined;
  let failure: unknown;
  let isOver = false;
  held.calls += 1;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    held.calls -= 1;
    if (failure instanceof GrpcError) end(failure);
    else if (trailers) end(refusalIn(trailers, status) ?? cutIn(frames));
    else end(lost(held.failure ?? systemError(failure)));
  };
  stream.on("response", (headers) => {
    held.heardMs = performance.now();
    status = headers[":status"] ?? 0;
    // A refusal may come without a body, and then says why at once.
    if (headers["grpc-status"] !== undefined || status !== 200) trailers = headers;
  });
  stream.on("data", (piece: Buffer) => {
    held.heardMs = performance.now();
    try {
      for (const each of frames.push(piece)) message(each);
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  stream.on("trailers", (headers) => {
    trailers = headers;
    if (stream.readableEnded) finish();
  });
  stream.on("end", () => {
    if (trailers) finish();
    // The other side has ended; the stream is over when ours has, too.
    else stream.end();
  });
  stream.on("error", (error) => {
    failure = error;
  });
  stream.on("close", finish);
}

/** All went well, by the other side's word; but a message may lack its end. */
function cutIn({ isEmpty }: FrameReader): GrpcError | undefined {
  return isEmpty ? undefined : new GrpcError(INTERNAL, "an answer that is cut");
}

/** An answer to it is as good as any other; without one the connection is over. */
function ping(held: Held): void {
  const { session } = held;
  const timer = setTimeout(() => {
    session.destroy(new Error("a ping was not answered"));
  }, PING_TIMEOUT_MS);
  session.once("close", () => clearTimeout(timer));
  // False, and never answered, where there are too many already.
  session.ping((error: Error | null) => {
    clearTimeout(timer);
    if (error === null) held.heardMs = performance.now();
  });
}

/** A call that was open when the connection was lost has the reason in its own error. */
function systemError(failure: unknown): unknown {
  if (failure === undefined) return new Error("the connection is over");
  const isCut = failure instanceof Error && isErrno(failure, "ERR_HTTP2_STREAM_CANCEL");
  return isCut ? (failure.cause ?? failure) : failure;
}

function lost(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const said = error instanceof Error ? error.message : `${error}`;
  return new GrpcError(UNAVAILABLE, said, error);
}
