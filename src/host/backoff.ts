/** How long to wait before trying again: grows with each failure, capped, spread so that many nodes do not try in step. */

export interface Backoff {
  readonly firstMs: number;
  readonly factor: number;
  readonly capMs: number;
  /** 0.5 spreads the wait evenly over ±50 %. */
  readonly jitter: number;
}

/** Sockets on this host: back within a second of their owner. */
export const LOCAL_BACKOFF: Backoff = { firstMs: 50, factor: 1.7, capMs: 800, jitter: 0.2 };

/**
 * Milliseconds to wait after failure number `attempt` (0 is the first). `random` is in [0, 1).
 *
 * The cap holds before the jitter, so waits reach capMs × (1 + jitter).
 */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const base = Math.min(backoff.capMs, backoff.firstMs * backoff.factor ** Math.min(attempt, 64));
  return Math.round(base * (1 + backoff.jitter * (2 * random - 1)));
}
