/**
 * Connections whose other end is cut off: they hold a place, and what they opened, until somebody notices.
 *
 * Invariant: once the kernel sent the same bytes MAX_TRIES times again in vain, the connection is ended at the next look. On a stream of events or into a
 * container something is sent every few seconds; elsewhere a connection that nothing is sent on ends by its own time.
 */
import type { Socket } from "node:net";
import type { UnansweredEnd } from "../host/tcp-silence.ts";
import { bytesToIp, ipToBytes } from "../values/ip-bytes.ts";

const LOOK_MS = 10_000;
/** The kernel waits twice as long each time, from 0.2 s on: the seventh is 25 s after the first, and a client gives up after 20 s. */
const MAX_TRIES = 7;

export interface CutOffWatchOptions {
  /** The connections to look after. */
  readonly open: () => Iterable<Socket>;
  /** What is not acknowledged, now. */
  readonly unanswered: () => Promise<readonly UnansweredEnd[]>;
  /** Told of each that is about to be ended. */
  readonly cut: (socket: Socket, why: string) => void;
  readonly lookMs?: number;
}

export class CutOffWatch {
  readonly #options: CutOffWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: CutOffWatchOptions) {
    this.#options = options;
  }

  /** A connection came: from now on it looks, until there is none. */
  wake(): void {
    this.#timer ??= setInterval(() => void this.#look(), this.#options.lookMs ?? LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const { open, unanswered, cut } = this.#options;
    const sockets = [...open()];
    if (sockets.length === 0) {
      this.close();
      return;
    }
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const gone = (await unanswered()).filter(({ tries }) => tries >= MAX_TRIES);
      if (gone.length === 0) return;
      const ends = new Set(gone.map(({ ip, port }) => `${ip} ${port}`));
      for (const socket of sockets) {
        if (!ends.has(`${plain(socket.remoteAddress)} ${socket.remotePort}`)) continue;
        cut(socket, "does not answer any more");
        socket.destroy();
      }
    } finally {
      this.#isLooking = false;
    }
  }
}

/** As the kernel's table is read: an IPv4 address is one, however it is written. */
function plain(address: string | undefined): string | undefined {
  const bytes = ipToBytes(address ?? "");
  return bytes && bytesToIp(bytes);
}
