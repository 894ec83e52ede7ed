/**
 * One stream between two daemons after its handshake: frames in and out, a bounded queue, a sign of life each second.
 *
 * Invariant: it carries datagrams, so what cannot be sent in time is dropped, oldest first, and nobody ever waits. Words of the relay itself are
 * few and small, go before datagrams, and are not dropped.
 */
import type { TLSSocket } from "node:tls";
import type { NodeId } from "../values/node-id.ts";
import { decodeFrame, encodeFrame, type RelayFrame } from "./relay-frame.ts";

/** Datagrams kept while the other side does not take them: about 20 ms at 100 Mbit/s. */
const MAX_QUEUED = 256 * 1024;
const MAX_WORDS = 64;
/** Sent nothing for so long: a sign of life is due. */
const ALIVE_MS = 900;
/** Heard nothing for so long: the other side, or the way to it, is gone. */
const SILENT_MS = 3_500;
/** Neither side wanted it for so long. */
const IDLE_MS = 30_000;

export interface RelayStreamOptions {
  readonly socket: TLSSocket;
  readonly peer: NodeId;
  /** True when we dialled it. */
  readonly isOutbound: boolean;
  /** True when it runs through the peer's tunnel. */
  readonly isInside: boolean;
  readonly nowMs: number;
  /** A datagram in the frame is only good during the call. */
  readonly frame: (frame: RelayFrame, stream: RelayStream) => void;
  readonly closed: (stream: RelayStream) => void;
}

export class RelayStream {
  readonly peer: NodeId;
  readonly isOutbound: boolean;
  readonly isInside: boolean;
  readonly #socket: TLSSocket;
  readonly #options: RelayStreamOptions;
  #words: Buffer[] = [];
  #datagrams: Buffer[] = [];
  #queued = 0;
  #dropped = 0;
  #isBlocked = false;
  #isFlushing = false;
  #isClosed = false;
  #sentMs: number;
  #heardMs: number;
  #usedMs: number;

  constructor(options: RelayStreamOptions) {
    const { socket, peer, isOutbound, isInside, nowMs } = options;
    this.peer = peer;
    this.isOutbound = isOutbound;
    this.isInside = isInside;
    this.#socket = socket;
    this.#options = options;
    this.#sentMs = Number.NEGATIVE_INFINITY;
    this.#heardMs = nowMs;
    this.#usedMs = nowMs;
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#flush();
    });
    // What went wrong with a stream matters to nobody: it is made again while it is wanted.
    socket.on("error", () => this.close());
    socket.on("close", () => this.close());
    socket.on("end", () => this.close());
  }

  /** Datagrams dropped so far because the other side was too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes the body of a frame that arrived. */
  take(body: Buffer, nowMs: number): void {
    if (this.#isClosed) return;
    this.#heardMs = nowMs;
    const frame = decodeFrame(body);
    if (frame === undefined || (typeof frame === "object" && frame.type === "hello")) {
      this.close();
    } else if (frame !== "unknown") {
      if (frame.type !== "alive" || frame.wanted) this.#usedMs = nowMs;
      this.#options.frame(frame, this);
    }
  }

  send(frame: RelayFrame): void {
    if (this.#isClosed) return;
    const bytes = encodeFrame(frame);
    if (frame.type !== "data") {
      if (this.#words.length < MAX_WORDS) this.#words.push(bytes);
    } else {
      this.#datagrams.push(bytes);
      this.#queued += bytes.length;
      while (this.#queued > MAX_QUEUED) {
        this.#queued -= this.#datagrams.shift()?.length ?? this.#queued;
        this.#dropped += 1;
      }
    }
    if (this.#isBlocked || this.#isFlushing) return;
    // Datagrams come in bursts: one record of TLS for a burst.
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  /** To be called about once a second: shows that we live, and ends what is silent or wanted by nobody. */
  tend(isWanted: boolean, nowMs: number): void {
    if (isWanted) this.#usedMs = nowMs;
    if (nowMs - this.#heardMs >= SILENT_MS || nowMs - this.#usedMs >= IDLE_MS) {
      this.close();
    } else if (nowMs - this.#sentMs >= ALIVE_MS) {
      this.#sentMs = nowMs;
      this.send({ type: "alive", wanted: isWanted });
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#words = [];
    this.#datagrams = [];
    this.#socket.destroy();
    this.#options.closed(this);
  }

  #flush(): void {
    if (this.#isClosed || this.#isBlocked) return;
    const parts = [...this.#words, ...this.#datagrams];
    if (parts.length === 0) return;
    this.#words = [];
    this.#datagrams = [];
    this.#queued = 0;
    this.#isBlocked = !this.#socket.write(Buffer.concat(parts));
  }
}
