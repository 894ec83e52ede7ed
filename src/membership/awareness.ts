/**
 * How healthy we ourselves are, from Lifeguard: 0 is healthy, and a higher score makes our probes slower, so that a starved member
 * accuses nobody. Invariant: 0 <= score < max.
 */
export class Awareness {
  readonly #max: number;
  #score = 0;

  /** `max` is exclusive and at least 1. */
  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  /** Positive when we seem slow, negative after a success. */
  apply(delta: number): void {
    this.#score = Math.min(this.#max - 1, Math.max(0, this.#score + delta));
  }

  /** `ms` stretched by our ill health: 1 to `max` times as long. */
  scale(ms: number): number {
    return ms * (this.#score + 1);
  }
}
