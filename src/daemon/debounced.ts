/**
 * Runs one job at a time, soon after it was asked for: requests that come while it waits or runs are served by one more run.
 *
 * With `everyMs` it also runs by itself when nobody asked for so long, to repair what others changed.
 */
export class Debounced {
  readonly #job: () => Promise<void>;
  readonly #delayMs: number;
  readonly #everyMs: number;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: {
    readonly job: () => Promise<void>;
    readonly delayMs: number;
    readonly everyMs: number;
    readonly failed: (error: unknown) => void;
  }) {
    this.#job = options.job;
    this.#delayMs = options.delayMs;
    this.#everyMs = options.everyMs;
    this.#failed = options.failed;
  }

  /** Asks for a run within `delayMs`. */
  request(delayMs: number = this.#delayMs): void {
    if (this.#running) this.#again = true;
    else this.#arm(delayMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(delayMs: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#run();
    }, delayMs);
  }

  async #run(): Promise<void> {
    this.#again = false;
    try {
      await this.#job();
    } catch (error) {
      this.#failed(error);
    }
    this.#running = undefined;
    this.#arm(this.#again ? this.#delayMs : this.#everyMs);
  }
}
