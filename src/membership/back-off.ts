/** Waiting times between attempts: 2 s, growing by half, each taken 50 % up or down at random, never above 10 s. */

const FIRST_MS = 2_000;
const GROWTH = 1.5;
const CAP_MS = 10_000;

/** The wait after `failures` failed attempts (at least 1); `random` is uniform in [0, 1). */
export function backOffMs(failures: number, random: number): number {
  const base = Math.min(CAP_MS, FIRST_MS * GROWTH ** (Math.max(1, failures) - 1));
  return Math.min(CAP_MS, base * (0.5 + random));
}
