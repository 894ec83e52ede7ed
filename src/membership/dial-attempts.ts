/** The attempts on one address: when the next one is due, and how the last one ended. */
import { backOffMs } from "./back-off.ts";

/** After a contact the member should soon be alive; if not, the address is dialled again after about so long. */
const AFTER_CONTACT_FAILURES = 1;

export class DialAttempts {
  /** Attempts begun since the address was last satisfied or asked for. */
  attempts = 0;
  #failures = 0;
  #isDialling = false;
  #lastBeginMs = Number.NEGATIVE_INFINITY;
  /** Infinity: never. */
  nextMs: number;
  error: string | undefined;

  constructor(nowMs: number) {
    this.nextMs = nowMs;
  }

  get isDialling(): boolean {
    return this.#isDialling;
  }

  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  isDue(nowMs: number): boolean {
    return !this.#isDialling && this.nextMs <= nowMs;
  }

  begin(nowMs: number): void {
    this.attempts++;
    this.#isDialling = true;
    this.#lastBeginMs = nowMs;
  }

  fail(error: string, nowMs: number, random: number): void {
    this.#isDialling = false;
    this.#failures++;
    this.error = error;
    this.nextMs = nowMs + backOffMs(this.#failures, random);
  }

  contact(nowMs: number, random: number): void {
    this.#isDialling = false;
    this.#failures = 0;
    this.error = undefined;
    this.nextMs = nowMs + backOffMs(AFTER_CONTACT_FAILURES, random);
  }

  giveUp(error: string): void {
    this.#isDialling = false;
    this.#failures++;
    this.error = error;
    this.nextMs = Number.POSITIVE_INFINITY;
  }

  /** The address is wanted from the start again: what went before is forgotten. */
  reset(nowMs: number): void {
    this.attempts = 0;
    this.#failures = 0;
    this.error = undefined;
    this.nextMs = nowMs;
  }

  /** Ends the wait, unless an attempt began less than `quietMs` ago or there is to be none. */
  hurry(nowMs: number, quietMs: number): void {
    if (this.nextMs === Number.POSITIVE_INFINITY || nowMs - this.#lastBeginMs < quietMs) return;
    this.nextMs = Math.min(this.nextMs, nowMs);
  }
}
