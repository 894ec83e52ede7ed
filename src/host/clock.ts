/** Time as a port: pure cores are given numbers, loops are given a Clock, tests a clock that they move. */

export interface Clock {
  /** Milliseconds since 1970; may jump. For people and for files. */
  wallMs(): number;
  /** Milliseconds that only grow; for deadlines and intervals inside one process. */
  monotonicMs(): number;
  /** Calls `callback` once after `ms`; the returned function cancels. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void;
}

/** The host's clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that stands still until `advance` moves it; calls what falls due, in order of time. For tests and simulations. */
export class ManualClock implements Clock {
  #now = 0;
  #sequence = 0;
  readonly #start: number;
  #timers: { readonly at: number; readonly sequence: number; readonly callback: () => void }[] = [];

  constructor(wallMs = 1_700_000_000_000) {
    this.#start = wallMs;
  }

  wallMs(): number {
    return this.#start + this.#now;
  }

  monotonicMs(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), sequence: this.#sequence++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.sequence - b.sequence)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#now = due.at;
      due.callback();
    }
    this.#now = end;
  }
}
