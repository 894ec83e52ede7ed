/**
 * The accepting side of streams: one message in, at most one answer out, then the end.
 *
 * Each stream has 10 seconds for all of it, whatever it sends and however slowly. Invariant: what has not been authenticated
 * reaches nobody; at most 256 streams are open, and all of them together hold at most 64 MiB.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Envelope, Refusal } from "../membership/wire/packet.ts";
import { FrameReader } from "../membership/wire/stream-frame.ts";
import type { StreamMessage } from "../membership/wire/stream-message.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { Admission } from "./admission.ts";
import { bindFailure } from "./bind-failure.ts";
import type { Counters } from "./counters.ts";
import { endpointFrom } from "./socket-address.ts";

const DEADLINE_MS = 10_000;
/** How long a refused dialler is listened to, so that it sees an orderly end instead of a reset, and how much is thrown away. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 256 * 1024;
const MAX_BUFFERED = 64 * 1024 * 1024;

export interface StreamHandler {
  /** The answer to `message`, as encoded frame, or undefined for none. Called once a stream, before it is ended. */
  message(message: StreamMessage, from: Endpoint): Uint8Array | undefined;
  rejected(from: Endpoint, reason: Refusal): void;
}

export interface StreamListenerOptions {
  readonly envelope: () => Envelope;
  readonly counters: Counters;
  readonly handler: StreamHandler;
  /** Milliseconds that one stream may take: 10,000 when left out. */
  readonly deadlineMs?: number;
}

export class StreamListener {
  readonly #server: Server;
  readonly #options: StreamListenerOptions;
  readonly #admission = new Admission();
  readonly #sockets = new Set<Socket>();
  #buffered = 0;
  #letInTimer: NodeJS.Timeout | undefined;

  private constructor(options: StreamListenerOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    );
  }

  /** Throws PORT_TAKEN when another socket holds the port. */
  static async listen(at: Endpoint, options: StreamListenerOptions): Promise<StreamListener> {
    const listener = new StreamListener(options);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(bindFailure(error, at, "tcp")));
      server.listen({ host: at.ip, port: at.port, backlog: 128 }, () => {
        server.removeAllListeners("error");
        resolve();
      });
    });
    server.on("error", () => {
      options.counters.socketErrors += 1;
    });
    return listener;
  }

  /** Streams open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** `ip` has shown a key elsewhere, on a stream that we dialled: it is no stranger. */
  know(ip: string): void {
    this.#admission.know(ip, performance.now());
    this.#letIn();
  }

  /** Stops listening and breaks what is open. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    clearTimeout(this.#letInTimer);
    await closed;
  }

  #accept(socket: Socket): void {
    const { counters } = this.#options;
    const from = endpointFrom(socket.remoteAddress, socket.remotePort);
    socket.on("error", () => {
      counters.socketErrors += 1;
    });
    let deadline: NodeJS.Timeout | undefined;
    const place = this.#admission.admit(from.ip, performance.now(), () => {
      const deadlineMs = this.#options.deadlineMs ?? DEADLINE_MS;
      deadline = setTimeout(() => socket.destroy(), deadlineMs);
      this.#read(socket, from);
    });
    if (place === undefined) {
      counters.streamsRefused += 1;
      socket.resetAndDestroy();
      return;
    }
    counters.streamsIn += 1;
    this.#sockets.add(socket);
    socket.on("close", () => {
      clearTimeout(deadline);
      this.#sockets.delete(socket);
      place.release();
    });
    this.#letIn();
  }

  #letIn(): void {
    const nowMs = performance.now();
    const againMs = this.#admission.letIn(nowMs);
    clearTimeout(this.#letInTimer);
    if (againMs === undefined || !this.#server.listening) return;
    this.#letInTimer = setTimeout(() => this.#letIn(), Math.ceil(againMs - nowMs));
  }

  #read(socket: Socket, from: Endpoint): void {
    const { counters, envelope, handler } = this.#options;
    const reader = new FrameReader(envelope(), true);
    let held = 0;
    let arrived = 0;
    let isDone = false;
    const account = () => {
      this.#buffered += reader.buffered - held;
      held = reader.buffered;
    };
    socket.on("data", (chunk) => {
      // Without an encoding chunks are always bytes; only the type does not know.
      if (typeof chunk === "string") return;
      counters.streamBytesIn += chunk.length;
      arrived += chunk.length;
      if (isDone) {
        if (arrived > LINGER_BYTES) socket.destroy();
        return;
      }
      const progress = reader.push(chunk);
      account();
      if (progress.kind === "more") {
        if (this.#buffered > MAX_BUFFERED) socket.destroy();
        return;
      }
      isDone = true;
      arrived = 0;
      if (progress.kind === "refused") {
        counters.reject(progress.reason);
        handler.rejected(from, progress.reason);
        this.#linger(socket);
        return;
      }
      this.know(from.ip);
      const answer = handler.message(progress.message, from);
      counters.streamBytesOut += answer?.length ?? 0;
      if (answer === undefined) socket.end();
      else socket.end(answer);
    });
    socket.on("close", () => {
      this.#buffered -= held;
      // A connection without a byte is somebody looking whether the port is open, not worth a count.
      if (!isDone && arrived > 0) counters.streamsCut += 1;
    });
    socket.resume();
  }

  #linger(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.on("close", () => clearTimeout(timer));
    socket.end();
  }
}
