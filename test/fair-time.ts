/**
 * Time as a machine at rest would have needed it: a clock that goes slower while this machine is slow or busy, so that what is promised
 * is judged alike on every machine. On one at rest it goes with the wall's.
 *
 * Invariant: it never goes back, and is never ahead of the wall's clock.
 */
import { Slowness } from "./slowness.ts";

const EVERY_MS = 250;
/** Measures of the last second and a half: what is judged may itself be over in one. */
const KEPT = 6;

class FairClock {
  readonly #slowness = new Slowness(KEPT);
  #fairMs = 0;
  #wallMs: number | undefined;
  #toldMs = 0;

  get factor(): number {
    return this.#slowness.factor;
  }

  now(): number {
    if (this.#wallMs === undefined) {
      this.#wallMs = performance.now();
      void this.#run();
    }
    const sinceMs = (performance.now() - this.#wallMs) / this.factor;
    this.#toldMs = Math.max(this.#toldMs, this.#fairMs + sinceMs);
    return this.#toldMs;
  }

  /** Measures for as long as the process has other work; what has passed is counted by what was measured at its end. */
  async #run(): Promise<void> {
    for (;;) {
      await this.#slowness.measure();
      const wallMs = performance.now();
      this.#fairMs += (wallMs - (this.#wallMs ?? wallMs)) / this.factor;
      this.#wallMs = wallMs;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS).unref());
    }
  }
}

const clock = new FairClock();

/** Milliseconds, as `performance.now()` gives them; only differences mean something. The first call begins the measuring. */
export function fairNow(): number {
  return clock.now();
}

/** How many times slower than at rest the machine is now: 1 to 10. */
export function slowness(): number {
  return clock.factor;
}
