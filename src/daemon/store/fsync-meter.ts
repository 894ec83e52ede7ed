/**
 * How long this voter's disk takes to keep a write, as its etcd last told.
 *
 * Invariant: etcd is asked twice a minute at most, whoever wants to know; of fewer than ten writes the last figure stays.
 */
import type { Logger } from "../../host/logger.ts";
import { type FsyncCounts, fsyncCounts, fsyncMs } from "../../store/etcd/fsync-times.ts";

export interface FsyncMeterOptions {
  readonly metrics: () => Promise<string>;
  /** What the daemon before this one knew, and what the next one is to know. */
  readonly memory: { readonly last: number | undefined; note(fsyncMs: number): void };
  readonly logger: Logger;
  /** So many times as often, for tests. */
  readonly pace: number;
}

const EVERY_MS = 30_000;

export class FsyncMeter {
  readonly #options: FsyncMeterOptions;
  #nextMs = 0;
  #before: FsyncCounts | undefined;
  #fsyncMs: number | undefined;

  constructor(options: FsyncMeterOptions) {
    this.#options = options;
    this.#fsyncMs = options.memory.last;
  }

  /** What is known so far, at once: who asks is often waited for; a new figure is there for the next. */
  look(nowMs: number): number | undefined {
    if (nowMs >= this.#nextMs) {
      this.#nextMs = nowMs + EVERY_MS / this.#options.pace;
      void this.#read();
    }
    return this.#fsyncMs;
  }

  async #read(): Promise<void> {
    const { metrics, logger } = this.#options;
    try {
      this.#take(fsyncCounts(await metrics()));
    } catch (error) {
      logger.debug("etcd's metrics cannot be read", { error: `${error}` });
    }
  }

  #take(now: FsyncCounts): void {
    const before = this.#before;
    const found = before && fsyncMs(before, now);
    const all = now.at(-1)?.count ?? 0;
    const hasBegunAnew = before !== undefined && all < (before.at(-1)?.count ?? 0);
    // Few writes are looked at together with those that follow.
    if (before === undefined || hasBegunAnew || found !== undefined) this.#before = now;
    if (found === undefined) return;
    this.#fsyncMs = found;
    this.#options.memory.note(found);
  }
}
