/** When the supervisor looks after its processes: rarely and thoroughly, and often while there is one whose end no event tells. */

/** A system call a process. An idle host pays for each time that it wakes. */
const LOOK_MS = 500;
/** A small read a process. */
const THOROUGH_MS = 4_000;

export interface LookTimerOptions {
  /** Whether a process is kept whose end no event tells. */
  readonly isUnwatched: () => boolean;
  readonly look: (isThorough: boolean) => void;
}

export class LookTimer {
  readonly #options: LookTimerOptions;
  #thoroughMs = performance.now() + THOROUGH_MS;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LookTimerOptions) {
    this.#options = options;
    this.arm();
  }

  /** To be called when `isUnwatched` may have changed. Never puts a thorough look off. */
  arm(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const untilThoroughMs = Math.max(0, this.#thoroughMs - performance.now());
    const pauseMs = this.#options.isUnwatched() ? LOOK_MS : THOROUGH_MS;
    this.#timer = setTimeout(() => this.#look(), Math.min(pauseMs, untilThoroughMs));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    const isThorough = nowMs >= this.#thoroughMs;
    if (isThorough) this.#thoroughMs = nowMs + THOROUGH_MS;
    this.#options.look(isThorough);
    this.arm();
  }
}
