/**
 * Connections whose readers do not read: what waits for them is memory of this node, bounded in time and in all.
 *
 * Invariants: of a connection of HTTP whose reader took nothing of what waits for it for `stalledMs`, nothing is kept; what waits for all of them together is
 * looked at each second, and where it is more than `maxBytes` the connections with the most are ended first.
 */
import type { Socket } from "node:net";

export interface UnsentBounds {
  readonly stalledMs: number;
  readonly maxBytes: number;
}

const LOOK_MS = 1_000;

interface Reader {
  /** Bytes in the system's queue at the last look; how many it took of ours by then, and since when it took no more. */
  unsent: number;
  taken: number;
  sinceMs: number;
  mayStall: boolean;
}

export class UnsentWatch {
  readonly #bounds: UnsentBounds;
  readonly #cut: (socket: Socket, why: string) => void;
  readonly #readers = new Map<Socket, Reader>();
  #timer: NodeJS.Timeout | undefined;

  /** `cut` is told why a connection is about to be ended. */
  constructor(bounds: UnsentBounds, cut: (socket: Socket, why: string) => void) {
    this.#bounds = bounds;
    this.#cut = cut;
  }

  /** Looks after a connection of TCP until it closes; one of TLS has all that waits in the queue of that below it. */
  add(socket: Socket): void {
    this.#readers.set(socket, { unsent: 0, taken: 0, sinceMs: performance.now(), mayStall: false });
    this.#timer ??= setInterval(
      () => this.#look(),
      Math.min(LOOK_MS, this.#bounds.stalledMs),
    ).unref();
    socket.once("close", () => {
      this.#readers.delete(socket);
      if (this.#readers.size === 0) this.close();
    });
  }

  /** A connection left HTTP: who reads nothing of a terminal or a tunnel for a while has reasons, and no more than a piece of it waits here. */
  leftHttp({ remoteAddress, remotePort }: Socket): void {
    for (const [socket, reader] of this.#readers) {
      if (socket.remotePort === remotePort && socket.remoteAddress === remoteAddress) {
        reader.mayStall = true;
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const nowMs = performance.now();
    const { stalledMs, maxBytes } = this.#bounds;
    let all = 0;
    for (const [socket, reader] of this.#readers) {
      const unsent = unsentOf(socket);
      const taken = socket.bytesWritten - unsent;
      if (unsent === 0 || reader.mayStall || taken !== reader.taken) reader.sinceMs = nowMs;
      reader.unsent = unsent;
      reader.taken = taken;
      if (nowMs - reader.sinceMs >= stalledMs) {
        this.#end(socket, `did not read for ${stalledMs / 1_000} s`);
      } else {
        all += reader.unsent;
      }
    }
    if (all <= maxBytes) return;
    const most = [...this.#readers].sort(([, a], [, b]) => b.unsent - a.unsent);
    for (const [socket, { unsent }] of most) {
      if (all <= maxBytes) return;
      all -= unsent;
      this.#end(socket, "reads so slowly that what waits for all readers is too much");
    }
  }

  #end(socket: Socket, why: string): void {
    this.#readers.delete(socket);
    this.#cut(socket, why);
    socket.destroy();
  }
}

/** node:net says it of no connection whose bytes TLS writes, but its own timeouts go by this number. */
function unsentOf(socket: Socket): number {
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } };
  return handle?.writeQueueSize ?? 0;
}
