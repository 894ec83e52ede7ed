/**
 * Who may open a stream to us now: a limit on how many are open, and a token bucket on how fast those come that have not shown a key.
 *
 * A source address that brought an authenticated message lately is known and passes the bucket. Strangers share 192 of the 256 places
 * and one address has 48 of them at most, so that neither a flood nor one host keeps the cluster's own nodes out. Pure: time comes in.
 */
const MAX_OPEN = 256;
const MAX_STRANGERS = 192;
const MAX_STRANGERS_OF_ONE = 48;
const BURST = 20;
const INTERVAL_MS = 50;
const KNOWN_FOR_MS = 600_000;
const MAX_KNOWN = 4096;

export interface Admittance {
  /** Milliseconds to leave the stream unread. */
  readonly waitMs: number;
  /** To be called once, when the stream is closed. */
  readonly release: () => void;
}

export class Admission {
  /** Source addresses with the time until when they are known, oldest first. */
  readonly #known = new Map<string, number>();
  readonly #strangers = new Map<string, number>();
  #open = 0;
  #strangersOpen = 0;
  /** When the bucket will be full again (the theoretical arrival time of GCRA). */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** A place for a stream from `ip`, or undefined when it must be closed. */
  admit(ip: string, nowMs: number): Admittance | undefined {
    if (this.#open >= MAX_OPEN) return undefined;
    if ((this.#known.get(ip) ?? 0) > nowMs) {
      this.#open += 1;
      return { waitMs: 0, release: () => this.#release() };
    }
    const ofThisOne = this.#strangers.get(ip) ?? 0;
    if (this.#strangersOpen >= MAX_STRANGERS || ofThisOne >= MAX_STRANGERS_OF_ONE) return undefined;
    this.#open += 1;
    this.#strangersOpen += 1;
    this.#strangers.set(ip, ofThisOne + 1);
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + INTERVAL_MS;
    const waitMs = Math.max(0, this.#fullAtMs - nowMs - BURST * INTERVAL_MS);
    return { waitMs, release: () => this.#releaseStranger(ip) };
  }

  /** `ip` has just brought something authenticated. */
  know(ip: string, nowMs: number): void {
    this.#known.delete(ip);
    this.#known.set(ip, nowMs + KNOWN_FOR_MS);
    if (this.#known.size <= MAX_KNOWN) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }

  #release(): void {
    this.#open -= 1;
  }

  #releaseStranger(ip: string): void {
    this.#release();
    this.#strangersOpen -= 1;
    const left = (this.#strangers.get(ip) ?? 1) - 1;
    if (left > 0) this.#strangers.set(ip, left);
    else this.#strangers.delete(ip);
  }
}
