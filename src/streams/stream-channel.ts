/**
 * One end of an upgraded stream over a connection: bytes of each kind with a window each, and frames that say something.
 *
 * Invariants: the connection is always read, so that its end is seen at once, whoever is slow; what waits here to be taken is at most a window of each kind,
 * and what waits to be sent is what the other end has room for. Ends once, with the first reason.
 */
import type { Duplex } from "node:stream";
import { HansaError } from "../errors.ts";
import {
  type DataKind,
  encodeStreamFrame,
  FRAME_COST,
  INITIAL_WINDOW,
  MAX_DATA,
  MAX_WINDOW,
  STREAM_VERSION,
  type StreamFrame,
  StreamFrameSplitter,
} from "./stream-frame.ts";

/** Frames that are no bytes and keep no windows. */
export type SaidFrame = Exclude<StreamFrame, { kind: DataKind | "end" | "window" | "alive" }>;

export interface StreamChannelOptions {
  /** What arrived behind the head of the upgrade. */
  readonly head?: Buffer;
  /** This end sent its version already. */
  readonly hasBegun?: boolean;
  /** Kinds that the other end may send. */
  readonly takes: readonly DataKind[];
  /** Told each frame that says something, in order with the bytes around it. */
  readonly said: (frame: SaidFrame) => void;
  /** Says that it is there when it said nothing else for this long, in milliseconds. */
  readonly aliveEveryMs?: number;
  /** Ends when the other end was silent for this long, in milliseconds. */
  readonly silenceMs?: number;
}

interface Incoming {
  readonly queue: Buffer[];
  /** What the other end may still send. */
  window: number;
  /** Taken since the other end was last given room. */
  taken: number;
  hasEnded: boolean;
  wake: () => void;
}

/** After an orderly end, for the other end to close. */
const LINGER_MS = 5_000;
/** Before that, for the last bytes to leave: the other end always reads its connection, unless nobody is there. */
const FLUSH_MS = 60_000;

export class StreamChannel {
  readonly #socket: Duplex;
  readonly #options: StreamChannelOptions;
  readonly #splitter = new StreamFrameSplitter();
  readonly #incoming = new Map<DataKind, Incoming>();
  readonly #room = new Map<DataKind, number>();
  readonly #waiting = new Set<() => void>();
  readonly #ended = Promise.withResolvers<Error | undefined>();
  #reason: Error | undefined;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  #lastSentMs = monotonicMs();
  #lastHeardMs = monotonicMs();
  #lastTickMs = monotonicMs();

  /** Owns `socket` from now on, and sends the version at once. */
  constructor(socket: Duplex, options: StreamChannelOptions) {
    this.#socket = socket;
    this.#options = options;
    for (const kind of options.takes) {
      const nothing = { queue: [], taken: 0, hasEnded: false, wake: () => undefined };
      this.#incoming.set(kind, { ...nothing, window: INITIAL_WINDOW });
    }
    socket.on("error", (error) => this.close(lost(error)));
    socket.on("close", () => this.close(lost()));
    socket.on("end", () => this.close(lost()));
    if (options.hasBegun !== true) socket.write(Buffer.of(STREAM_VERSION));
    socket.on("data", (piece: Buffer) => this.#take(piece));
    if (options.head !== undefined && options.head.length > 0) this.#take(options.head);
    socket.resume();
    const everyMs = options.aliveEveryMs ?? options.silenceMs;
    if (everyMs !== undefined && !this.#isOver) {
      this.#timer = setInterval(() => this.#tick(), everyMs / 4);
    }
  }

  /** Resolves when the stream is over: to the reason, or to undefined when this end closed it without one. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends a frame that says something. Nothing is sent once the stream is over. */
  say(frame: SaidFrame): void {
    this.#send(frame);
  }

  /** Sends `bytes` as the other end has room for them, and resolves when all are on their way. Rejects when the stream is over before. */
  async send(kind: DataKind, bytes: Buffer): Promise<void> {
    for (let rest = bytes; rest.length > 0; ) {
      if (this.#isOver) throw this.#reason ?? lost();
      const room = Math.min(this.#roomOf(kind) - FRAME_COST, rest.length, MAX_DATA);
      if (room <= 0) {
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
        continue;
      }
      this.#room.set(kind, this.#roomOf(kind) - room - FRAME_COST);
      this.#send({ kind, bytes: rest.subarray(0, room) });
      rest = rest.subarray(room);
    }
  }

  /** Sends `bytes`, of at most MAX_DATA, as one frame. Else as `send`. */
  async sendWhole(kind: DataKind, bytes: Buffer): Promise<void> {
    const cost = bytes.length + FRAME_COST;
    while (!this.#isOver && this.#roomOf(kind) < cost) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    if (this.#isOver) throw this.#reason ?? lost();
    this.#room.set(kind, this.#roomOf(kind) - cost);
    this.#send({ kind, bytes });
  }

  /** No more bytes of `kind`. */
  end(kind: DataKind): void {
    this.#send({ kind: "end", of: kind });
  }

  /** The bytes of `kind` until their end. The other end gets room as they are taken. Throws the reason when the stream is over before. */
  async *bytes(kind: DataKind): AsyncGenerator<Buffer> {
    const incoming = this.#incoming.get(kind);
    if (incoming === undefined) throw new RangeError(`${kind} is not taken here`);
    for (;;) {
      const chunk = incoming.queue.shift();
      if (chunk !== undefined) {
        yield chunk;
        this.#gaveUp(kind, incoming, chunk.length + FRAME_COST);
      } else if (incoming.hasEnded) {
        return;
      } else if (this.#isOver) {
        throw this.#reason ?? lost();
      } else {
        await new Promise<void>((resolve) => {
          incoming.wake = resolve;
        });
      }
    }
  }

  /** Ends the stream for `reason`; what was sent before still goes out when there is none. */
  close(reason?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason = reason;
    clearInterval(this.#timer);
    if (reason === undefined) {
      // The last frame should arrive before the connection goes: what the other end still sends is thrown away until it goes as well.
      const late = setTimeout(() => this.#socket.destroy(), FLUSH_MS).unref();
      this.#socket.once("close", () => clearTimeout(late));
      this.#socket.end(() => setTimeout(() => this.#socket.destroy(), LINGER_MS).unref());
      this.#socket.resume();
    } else {
      this.#socket.destroy();
    }
    for (const { wake } of this.#incoming.values()) wake();
    this.#wakeSenders();
    this.#ended.resolve(reason);
  }

  #roomOf(kind: DataKind): number {
    return this.#room.get(kind) ?? INITIAL_WINDOW;
  }

  #send(frame: StreamFrame): void {
    if (this.#isOver) return;
    this.#lastSentMs = monotonicMs();
    // Frames of one turn leave together: a log is a frame a line, and each write of its own costs a record of TLS.
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(encodeStreamFrame(frame));
  }

  #take(piece: Buffer): void {
    this.#lastHeardMs = monotonicMs();
    for (const frame of this.#splitter.push(piece)) {
      if (this.#isOver) return;
      if (frame === "broken" || !this.#accept(frame)) {
        this.close(new HansaError("STREAM_BROKEN", "the other end speaks another protocol"));
        return;
      }
    }
  }

  /** False for what the other end may not send. */
  #accept(frame: StreamFrame): boolean {
    switch (frame.kind) {
      case "stdin":
      case "stdout":
      case "stderr": {
        const incoming = this.#incoming.get(frame.kind);
        if (incoming === undefined || incoming.hasEnded) return false;
        incoming.window -= frame.bytes.length + FRAME_COST;
        if (incoming.window < 0) return false;
        // A copy: the view would keep all of the piece that it came in.
        incoming.queue.push(Buffer.from(frame.bytes));
        incoming.wake();
        return true;
      }
      case "end": {
        const incoming = this.#incoming.get(frame.of);
        if (incoming === undefined) return false;
        incoming.hasEnded = true;
        incoming.wake();
        return true;
      }
      case "window": {
        const room = this.#roomOf(frame.of) + frame.bytes;
        if (room > MAX_WINDOW) return false;
        this.#room.set(frame.of, room);
        this.#wakeSenders();
        return true;
      }
      case "alive":
        return true;
      default:
        this.#options.said(frame);
        return true;
    }
  }

  /** The reader is done with so many bytes. */
  #gaveUp(kind: DataKind, incoming: Incoming, bytes: number): void {
    incoming.taken += bytes;
    if (incoming.taken < INITIAL_WINDOW / 2 || incoming.hasEnded) return;
    incoming.window += incoming.taken;
    this.#send({ kind: "window", of: kind, bytes: incoming.taken });
    incoming.taken = 0;
  }

  #wakeSenders(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #tick(): void {
    const { aliveEveryMs, silenceMs } = this.#options;
    const nowMs = monotonicMs();
    const sinceTickMs = nowMs - this.#lastTickMs;
    this.#lastTickMs = nowMs;
    if (aliveEveryMs !== undefined && nowMs - this.#lastSentMs >= aliveEveryMs * 0.75) {
      this.#send({ kind: "alive" });
    }
    if (silenceMs === undefined) return;
    // Who was suspended has not listened: what came meanwhile is read after this.
    if (sinceTickMs > silenceMs / 2) this.#lastHeardMs = nowMs;
    else if (nowMs - this.#lastHeardMs >= silenceMs) this.close(lost());
  }
}

/** However the connection broke off: `cause` is the system's word for it. */
function lost(cause?: Error): HansaError {
  return new HansaError("STREAM_LOST", "the connection to the node was lost", { cause });
}

/** `performance` would load node:perf_hooks, a millisecond of a command that uses nothing else of it. */
function monotonicMs(): number {
  return process.uptime() * 1_000;
}
