/**
 * How far this life of the daemon has come in the cluster: settled once others were met or there is nothing to wait for, certain a while
 * after others were met.
 *
 * Invariant: neither is ever taken back.
 */

/** A node whose targets all stay silent is settled after this long and uses what it owns from birth. */
const SETTLED_AFTER_MS = 10_000;
/** After the first contact: whoever has our name or id is known by then. */
const CERTAIN_AFTER_MS = 5_000;

export interface ArrivalOptions {
  /** First contact made, or given up waiting for it. Called once. */
  readonly settled: () => void;
  /** Called once, where others were met. */
  readonly certain: () => void;
}

export class Arrival {
  readonly #options: ArrivalOptions;
  #isSettled = false;
  #isCertain = false;
  #settling: NodeJS.Timeout | undefined;
  #ascertaining: NodeJS.Timeout | undefined;

  constructor(options: ArrivalOptions) {
    this.#options = options;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether we met others in this life, and so would know of a twin. */
  get isCertain(): boolean {
    return this.#isCertain;
  }

  /** Others are looked for from now on. */
  begin(): void {
    this.#settling = setTimeout(() => this.settle(), SETTLED_AFTER_MS);
  }

  /** Exchanged states with another node. */
  met(): void {
    this.#ascertaining ??= setTimeout(() => {
      this.#isCertain = true;
      this.#options.certain();
    }, CERTAIN_AFTER_MS);
    this.settle();
  }

  /** There is nothing to wait for. */
  settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#options.settled();
  }

  close(): void {
    clearTimeout(this.#settling);
    clearTimeout(this.#ascertaining);
  }
}
