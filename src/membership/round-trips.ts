/**
 * How long an answer to a ping usually takes, over all members: TCP's estimator (RFC 6298), fed by each direct ping.
 *
 * One estimate for all is there after seconds; a member that is further away than most has twice its own last round trip on top. Late answers count too, or the
 * timeout would stay below them for ever. Invariant: the timeout lies between the floor and the configured one, which it is while nothing was measured.
 */
import type { MembershipTiming } from "./timing.ts";

/** A member is given so many times its own last round trip. */
const OWN_ROUND_TRIPS = 2;

export class RoundTrips {
  readonly #timing: MembershipTiming;
  #smoothMs = Number.NaN;
  #variationMs = 0;

  constructor(timing: MembershipTiming) {
    this.#timing = timing;
  }

  /** A direct ping was answered after `ms`. */
  measured(ms: number): void {
    if (Number.isNaN(this.#smoothMs)) {
      this.#smoothMs = ms;
      this.#variationMs = ms / 2;
      return;
    }
    this.#variationMs += (Math.abs(ms - this.#smoothMs) - this.#variationMs) / 4;
    this.#smoothMs += (ms - this.#smoothMs) / 8;
  }

  /** After so long without an answer others are asked; `rttMs` is the last round trip to this very member, when there was one. */
  timeoutMs(rttMs = 0): number {
    const { probeTimeoutMs, probeTimeoutFloorMs } = this.#timing;
    if (Number.isNaN(this.#smoothMs)) return probeTimeoutMs;
    const usual = this.#smoothMs + 4 * this.#variationMs;
    return Math.min(probeTimeoutMs, Math.max(probeTimeoutFloorMs, usual, OWN_ROUND_TRIPS * rttMs));
  }
}
