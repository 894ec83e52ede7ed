/**
 * Status for those who watch it: told anew soon after something changed, and nothing is done while nobody watches.
 *
 * Invariants: the status is computed once for all watchers; each gets the newest one that differs from what it got last, so a slow reader
 * skips and never queues; round trips alone are no news, they differ at every look.
 */
import { Places } from "../../api/places.ts";
import type { Status } from "../../api/status-schema.ts";
import { HansaError } from "../../errors.ts";

/** Watchers at one time, of which one certificate may have 512: each costs a connection; the status of a change is made and written once for all. */
export const MAX_WATCHERS = 640;
/** From a change to the look: changes come in bursts, and in a large cluster looks take their time, of which they get a fifth. */
const DELAY_MS = 150;
const MAX_DELAY_MS = 800;
const SHARE = 5;
const WOKEN_AT_ONCE = 8;

interface Watcher {
  wake: () => void;
}

interface Seen {
  readonly status: Status;
  /** By which two are compared. */
  readonly text: string;
}

export class StatusFeed {
  readonly #look: () => Promise<Status>;
  readonly #watchers = new Set<Watcher>();
  readonly #places = new Places(MAX_WATCHERS);
  /** The look that all watchers share, from its beginning; undefined once something changed since. */
  #latest: Promise<Seen> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** How long the last look took. */
  #tookMs = 0;

  /** `look` gives the status of the moment. */
  constructor(look: () => Promise<Status>) {
    this.#look = look;
  }

  /** Something that the status is made of may have changed. */
  changed(): void {
    if (this.#watchers.size === 0) {
      // Whoever comes next must not be shown what the last one saw.
      this.#latest = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    const delayMs = Math.min(MAX_DELAY_MS, Math.max(DELAY_MS, this.#tookMs * SHARE));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#latest = undefined;
      this.#wake([...this.#watchers]);
    }, delayMs);
  }

  /** A few at a time: to encrypt a large status for hundreds takes seconds, in which the node has to answer others. */
  #wake(watchers: readonly Watcher[]): void {
    for (const { wake } of watchers.slice(0, WOKEN_AT_ONCE)) wake();
    const left = watchers.slice(WOKEN_AT_ONCE);
    if (left.length > 0) setImmediate(() => this.#wake(left));
  }

  /** The status now and after each change, until `signal` aborts; counted for `who`. Throws API_WATCHERS_MANY at once. */
  watch(signal: AbortSignal, who: string): AsyncIterable<Status> {
    const release = this.#places.take(who);
    if (release === undefined) {
      const text = `${this.#places.taken} programs watch this node's status already, ${this.#places.heldBy(who)} of them with the same certificate`;
      throw new HansaError("API_WATCHERS_MANY", text);
    }
    const watcher: Watcher = { wake: () => undefined };
    this.#watchers.add(watcher);
    const leave = (): void => {
      this.#watchers.delete(watcher);
      release();
      watcher.wake();
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    return this.#statuses(watcher, signal, leave);
  }

  /** How many watch now. */
  get watchers(): number {
    return this.#watchers.size;
  }

  async *#statuses(
    watcher: Watcher,
    signal: AbortSignal,
    leave: () => void,
  ): AsyncGenerator<Status> {
    let last = "";
    try {
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          watcher.wake = resolve;
        });
        const { status, text } = await this.#current();
        if (text !== last && !signal.aborted) yield status;
        last = text;
        if (!signal.aborted) await woken;
      }
    } finally {
      leave();
    }
  }

  #current(): Promise<Seen> {
    if (this.#latest !== undefined) return this.#latest;
    const latest = this.#seen();
    this.#latest = latest;
    // Those who wait for it are told why it failed; the next one looks anew.
    latest.catch(() => {
      if (this.#latest === latest) this.#latest = undefined;
    });
    return latest;
  }

  async #seen(): Promise<Seen> {
    const beganMs = performance.now();
    const status = await this.#look();
    const text = JSON.stringify(status, (key, value: unknown) => (key === "rttMs" ? null : value));
    this.#tookMs = performance.now() - beganMs;
    return { status, text };
  }
}
