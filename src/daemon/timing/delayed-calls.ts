/**
 * Calls a function a fixed time after each request, with one timer: a later request never puts an earlier one's call off.
 *
 * Requests that are due by the time of a call share it. After `close` nothing is called, and no request arms a timer.
 */
import type { Clock } from "../../host/clock.ts";

export class DelayedCalls {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #call: () => void;
  /** When calls are due, by the monotonic clock, ascending. */
  #due: number[] = [];
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(clock: Clock, delayMs: number, call: () => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#call = call;
  }

  request(): void {
    if (this.#closed) return;
    this.#due.push(this.#clock.monotonicMs() + this.#delayMs);
    if (this.#cancel === undefined) this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#due = [];
  }

  #arm(): void {
    const [first] = this.#due;
    this.#cancel = undefined;
    if (first === undefined) return;
    const pauseMs = Math.max(0, first - this.#clock.monotonicMs());
    this.#cancel = this.#clock.after(pauseMs, () => this.#fire());
  }

  #fire(): void {
    const nowMs = this.#clock.monotonicMs();
    // A timer may fire a fraction of a millisecond early: the first is due, whatever the clock says.
    this.#due = this.#due.slice(1).filter((due) => due > nowMs);
    this.#arm();
    this.#call();
  }
}
