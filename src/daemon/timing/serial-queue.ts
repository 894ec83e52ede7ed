/**
 * Runs jobs one after another in the order they were added.
 *
 * A job that fails is reported and does not hold up those behind it.
 */
export class SerialQueue {
  #tail: Promise<void> = Promise.resolve();
  readonly #failed: (error: unknown) => void;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  add(job: () => Promise<void> | void): void {
    this.#tail = this.#tail.then(job).catch(this.#failed);
  }

  /** Resolves when every job added so far has ended. */
  drained(): Promise<void> {
    return this.#tail;
  }
}
