/**
 * Who may open a stream to us now: a limit on how many are open, and a token bucket on how fast those are read that have not shown a key.
 *
 * A source address that brought an authenticated message lately is known and passes the bucket. A stranger that shows the key gives its
 * token back, so that only those without it are slowed down and a whole cluster may join at once. Strangers share 192 of the 256
 * places and one address has 48 of them at most, so that neither a flood nor one host keeps the cluster's own nodes out. Pure: time comes in.
 */
const MAX_OPEN = 256;
const MAX_STRANGERS = 192;
const MAX_STRANGERS_OF_ONE = 48;
const BURST = 20;
const INTERVAL_MS = 50;
const KNOWN_FOR_MS = 600_000;
const MAX_KNOWN = 4096;

/** The place of one open stream. */
export interface Place {
  /** To be called once, when the stream is closed. */
  readonly release: () => void;
}

export class Admission {
  /** Source addresses with the time until when they are known, oldest first. */
  readonly #known = new Map<string, number>();
  readonly #strangers = new Map<string, number>();
  /** What begins the streams that wait for a token, with their address; first come first. */
  readonly #waiting = new Map<() => void, string>();
  #open = 0;
  #strangersOpen = 0;
  /** When the bucket will be full again (the theoretical arrival time of GCRA). */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /**
   * A place for a stream from `ip`, or undefined when it must be closed. `begin` is called once the stream may be read: at once
   * when it is known, else by letIn().
   */
  admit(ip: string, nowMs: number, begin: () => void): Place | undefined {
    if (this.#open >= MAX_OPEN) return undefined;
    if (this.#isKnown(ip, nowMs)) {
      this.#open += 1;
      begin();
      return { release: () => this.#release() };
    }
    const ofThisOne = this.#strangers.get(ip) ?? 0;
    if (this.#strangersOpen >= MAX_STRANGERS || ofThisOne >= MAX_STRANGERS_OF_ONE) return undefined;
    this.#open += 1;
    this.#strangersOpen += 1;
    this.#strangers.set(ip, ofThisOne + 1);
    this.#waiting.set(begin, ip);
    return {
      release: () => {
        this.#waiting.delete(begin);
        this.#releaseStranger(ip);
      },
    };
  }

  /** Begins those whose turn it is. Returns when to call again, undefined when nobody waits. */
  letIn(nowMs: number): number | undefined {
    for (const [begin, ip] of this.#waiting) {
      if (!this.#isKnown(ip, nowMs)) {
        if (this.#turnMs > nowMs) continue;
        this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + INTERVAL_MS;
      }
      this.#waiting.delete(begin);
      begin();
    }
    return this.#waiting.size === 0 ? undefined : this.#turnMs;
  }

  /** `ip` has just brought something authenticated: it is known, and if it was not, it has its token back. */
  know(ip: string, nowMs: number): void {
    if (!this.#isKnown(ip, nowMs)) this.#fullAtMs -= INTERVAL_MS;
    this.#known.delete(ip);
    this.#known.set(ip, nowMs + KNOWN_FOR_MS);
    if (this.#known.size <= MAX_KNOWN) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }

  /** When the bucket has a token. */
  get #turnMs(): number {
    return this.#fullAtMs - (BURST - 1) * INTERVAL_MS;
  }

  #isKnown(ip: string, nowMs: number): boolean {
    return (this.#known.get(ip) ?? 0) > nowMs;
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
