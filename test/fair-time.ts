/**
 * Time as a machine at rest would have needed it: a clock that goes slower while this machine is slow or busy, so that what is promised
 * is judged alike on every machine. On one at rest it goes with the wall's.
 *
 * Invariant: it never goes back, and never faster than the wall's clock.
 */
import { Slowness } from "./slowness.ts";

const EVERY_MS = 250;
/** Measures of the last second and a half: what is judged may itself be over in one. */
const KEPT = 6;

export interface Pace {
  /** How many times slower than at rest the machine is now: 1 or more. */
  readonly factor: number;
  /** Measures that anew. */
  measure(): Promise<void>;
}

export class FairClock {
  readonly #pace: Pace;
  readonly #wallNow: () => number;
  #fairMs = 0;
  #wallMs: number;
  #toldMs = 0;

  /** `wallNow` gives milliseconds of the wall's clock. */
  constructor(pace: Pace, wallNow = () => performance.now()) {
    this.#pace = pace;
    this.#wallNow = wallNow;
    this.#wallMs = wallNow();
  }

  /** Milliseconds since it was made. */
  now(): number {
    const sinceMs = (this.#wallNow() - this.#wallMs) / this.#pace.factor;
    this.#toldMs = Math.max(this.#toldMs, this.#fairMs + sinceMs);
    return this.#toldMs;
  }

  /** Measures; what has passed since the last time is counted by what is measured now. */
  async measure(): Promise<void> {
    await this.#pace.measure();
    const wallMs = this.#wallNow();
    this.#fairMs += (wallMs - this.#wallMs) / this.#pace.factor;
    this.#wallMs = wallMs;
  }
}

const slownessNow = new Slowness(KEPT);
let clock: FairClock | undefined;

/** Milliseconds, as `performance.now()` gives them; only differences mean something. The first call begins the measuring. */
export function fairNow(): number {
  if (clock === undefined) {
    clock = new FairClock(slownessNow);
    void keepMeasuring(clock);
  }
  return clock.now();
}

/** How many times slower than at rest the machine is now: 1 to 10. */
export function slowness(): number {
  return slownessNow.factor;
}

/** For as long as the process has other work. */
async function keepMeasuring(of: FairClock): Promise<void> {
  for (;;) {
    await of.measure();
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS).unref());
  }
}
