/**
 * When the store's times change: not for a moment's trouble, and not often. Pure.
 *
 * Invariant: longer times are asked for only when every look of the last two minutes wanted longer ones, shorter ones when every look of ten minutes did.
 */
import { type EtcdTiming, isSameTiming, nextTiming, timingFor } from "./store-times.ts";

const RISE_MS = 120_000;
const FALL_MS = 600_000;
/** One look missed, or late, is no gap. */
const GAPS_MS = 60_000;

interface Look {
  readonly atMs: number;
  readonly neededMs: number;
}

export class TimingWindow {
  readonly #riseMs: number;
  readonly #fallMs: number;
  readonly #gapsMs: number;
  #looks: Look[] = [];

  /** Goes `pace` times as fast, for tests. */
  constructor(pace = 1) {
    this.#riseMs = RISE_MS / pace;
    this.#fallMs = FALL_MS / pace;
    this.#gapsMs = Math.max(GAPS_MS / pace, 10_000);
  }

  /** What was needed at this moment, by a clock that does not go back. After a long pause it begins anew. */
  note(neededMs: number, atMs: number): void {
    const last = this.#looks.at(-1);
    if (last !== undefined && atMs - last.atMs > this.#gapsMs) this.#looks = [];
    this.#looks.push({ atMs, neededMs });
    // One is kept that is older than the window, so that it is known to be covered.
    while (this.#looks.length > 2 && atMs - (this.#looks[1]?.atMs ?? atMs) >= this.#fallMs) {
      this.#looks.shift();
    }
  }

  /** The times to take after `current`; undefined: it is to stay. */
  next(current: EtcdTiming): EtcdTiming | undefined {
    return this.#longer(current) ?? this.#shorter(current);
  }

  /** Forgets: it begins anew. */
  clear(): void {
    this.#looks = [];
  }

  #longer(current: EtcdTiming): EtcdTiming | undefined {
    const looks = this.#lately(this.#riseMs);
    if (looks === undefined) return undefined;
    if (looks.some((ms) => nextTiming(current, ms).heartbeatMs <= current.heartbeatMs)) {
      return undefined;
    }
    // The one in the middle: of the others some may be a moment's.
    const middle = looks.toSorted((a, b) => a - b)[looks.length >> 1] ?? 0;
    return timingFor(middle);
  }

  #shorter(current: EtcdTiming): EtcdTiming | undefined {
    const looks = this.#lately(this.#fallMs);
    if (looks === undefined) return undefined;
    const next = nextTiming(current, Math.max(...looks));
    const isLess = next.heartbeatMs < current.heartbeatMs && !isSameTiming(next, current);
    return isLess ? next : undefined;
  }

  /** What was needed in the last `ms`; undefined where it was not looked for so long. */
  #lately(ms: number): number[] | undefined {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < ms) return undefined;
    return this.#looks.filter(({ atMs }) => last.atMs - atMs <= ms).map(({ neededMs }) => neededMs);
  }
}
