/**
 * One member under suspicion, from Lifeguard: the time to its death shrinks with each independent confirmer.
 *
 * Invariant: the deadline never moves later (but for `shift`), and never lies before start + min.
 */

export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
  /** Confirmers, besides the first accuser, that bring the time down to `minMs`. 0: it is `minMs` from the start. */
  readonly confirmers: number;
}

export class Suspicion {
  /** Who accused first. */
  readonly accuser: string;
  readonly #bounds: SuspicionBounds;
  readonly #accusers: Set<string>;
  #startMs: number;

  /** `from` is the first accuser; hearing it again confirms nothing. */
  constructor(from: string, bounds: SuspicionBounds, nowMs: number) {
    this.#bounds = bounds;
    this.accuser = from;
    this.#accusers = new Set([from]);
    this.#startMs = nowMs;
  }

  /** Confirmers so far, without the first accuser. */
  get confirmations(): number {
    return this.#accusers.size - 1;
  }

  /** When the suspect is to be held dead: max - (max - min) * log(c + 1) / log(k + 1) after the start, at least min. */
  get deadlineMs(): number {
    const { minMs, maxMs, confirmers } = this.#bounds;
    if (confirmers < 1) return this.#startMs + minMs;
    const share = Math.log(this.confirmations + 1) / Math.log(confirmers + 1);
    return this.#startMs + Math.max(minMs, Math.floor(maxMs - share * (maxMs - minMs)));
  }

  /** True when `from` is news: count it and pass the accusation on. False for repeats and once there are enough. */
  confirm(from: string): boolean {
    if (this.confirmations >= this.#bounds.confirmers || this.#accusers.has(from)) return false;
    this.#accusers.add(from);
    return true;
  }

  /** We stood still for `ms`, so the suspect gets that time on top. */
  shift(ms: number): void {
    this.#startMs += ms;
  }
}
