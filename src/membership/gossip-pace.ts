/**
 * When a round of gossip may go out: one per interval on average, up to `burst` at once after a quiet time.
 *
 * The generic cell rate algorithm: `#paidUntilMs` is when all rounds so far would have been sent at the even pace.
 * Invariant: in any time t at most t / interval + burst rounds.
 */
export class GossipPace {
  readonly #intervalMs: number;
  readonly #burst: number;
  #paidUntilMs = Number.NEGATIVE_INFINITY;

  /** `burst` is at least 1. */
  constructor(intervalMs: number, burst: number) {
    this.#intervalMs = intervalMs;
    this.#burst = burst;
  }

  /** Earliest time of the next round. */
  get nextMs(): number {
    return this.#paidUntilMs - (this.#burst - 1) * this.#intervalMs;
  }

  allows(nowMs: number): boolean {
    return nowMs >= this.nextMs;
  }

  spend(nowMs: number): void {
    this.#paidUntilMs = Math.max(nowMs, this.#paidUntilMs) + this.#intervalMs;
  }
}
