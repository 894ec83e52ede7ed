/**
 * Runs one job at a time, soon after it was asked for: requests that come while it waits or runs are served by one more run.
 *
 * With `everyMs` it also runs by itself when nobody asked for so long, to repair what others changed; after a failure with `retryMs`.
 */
export class Debounced {
  readonly #job: () => Promise<void>;
  readonly #delayMs: number;
  readonly #everyMs: number;
  readonly #retryMs: number;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  /** Also true in the job's first, synchronous part, when `#running` is not yet set. */
  #isRunning = false;
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: {
    readonly job: () => Promise<void>;
    readonly delayMs: number;
    readonly everyMs: number;
    /** Default: everyMs. */
    readonly retryMs?: number;
    readonly failed: (error: unknown) => void;
  }) {
    this.#job = options.job;
    this.#delayMs = options.delayMs;
    this.#everyMs = options.everyMs;
    this.#retryMs = options.retryMs ?? options.everyMs;
    this.#failed = options.failed;
  }

  /** Asks for a run within `delayMs`. A later request never puts an earlier one off. */
  request(delayMs: number = this.#delayMs): void {
    if (this.#isRunning) this.#again = true;
    else if (performance.now() + delayMs < this.#dueMs) this.#arm(delayMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(delayMs: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#dueMs = performance.now() + delayMs;
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, delayMs);
  }

  async #run(): Promise<void> {
    this.#again = false;
    this.#isRunning = true;
    let pauseMs = this.#everyMs;
    try {
      await this.#job();
    } catch (error) {
      pauseMs = this.#retryMs;
      this.#failed(error);
    }
    this.#running = undefined;
    this.#isRunning = false;
    this.#arm(this.#again ? this.#delayMs : pauseMs);
  }
}
