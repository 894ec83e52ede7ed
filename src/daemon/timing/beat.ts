/**
 * The daemon's beat: what comes round by itself runs when the daemon is awake anyway, because an idle host pays for each time that it wakes.
 *
 * One part strikes (the round of tunnel probes, once a second, in step with all nodes); the others go along. Where nobody strikes it strikes
 * by itself, so that nothing waits for longer than that.
 */
import type { Clock } from "../../host/clock.ts";

/**
 * The host's clock for a beat. Its timer keeps the process alive, for Node forgets when a list of other timers was due only once it has been
 * woken for it in vain.
 */
export const beatClock: BeatClock = {
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Above the pace of who strikes. */
const SILENT_MS = 1_500;
/** What is due this soon runs now, but no more than a quarter of its interval early. */
const EARLY_MS = 500;

type BeatClock = Pick<Clock, "monotonicMs" | "after">;

interface Round {
  readonly everyMs: number;
  readonly job: () => void;
  dueMs: number;
}

export class Beat {
  readonly #clock: BeatClock;
  readonly #along = new Set<() => void>();
  readonly #rounds = new Set<Round>();
  #cancel: (() => void) | undefined;
  #isStriking = false;
  #closed = false;

  constructor(clock: BeatClock) {
    this.#clock = clock;
  }

  /** Calls `along` at each strike, until the returned function is called: who joins knows itself what is due. */
  join(along: () => void): () => void {
    this.#along.add(along);
    this.#arm();
    return () => this.#along.delete(along);
  }

  /** Runs `job` every `everyMs` (1000 or more), up to 500 ms early and 1500 ms late, until the returned function is called. */
  every(everyMs: number, job: () => void): () => void {
    const round = { everyMs, job, dueMs: this.#clock.monotonicMs() + everyMs };
    this.#rounds.add(round);
    this.#arm();
    return () => this.#rounds.delete(round);
  }

  /** The daemon is awake for something that comes once a second. */
  strike(): void {
    // Who goes along may wake who strikes.
    if (this.#isStriking || this.#closed) return;
    this.#isStriking = true;
    try {
      for (const along of this.#along) along();
      const nowMs = this.#clock.monotonicMs();
      for (const round of this.#rounds) {
        if (nowMs < round.dueMs - Math.min(EARLY_MS, round.everyMs / 4)) continue;
        round.dueMs = nowMs + round.everyMs;
        round.job();
      }
    } finally {
      this.#isStriking = false;
      this.#arm();
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#along.clear();
    this.#rounds.clear();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#cancel?.();
    this.#cancel = this.#clock.after(SILENT_MS, () => this.strike());
  }
}
