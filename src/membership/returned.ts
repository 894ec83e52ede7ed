/**
 * Who came back from the dead lately. Most were not dead but stood still, on a host that will do so again: silence says less about them, and they get memberlist's
 * time instead of an inquest.
 *
 * Invariant: at most MAX_RETURNED names; beyond that the one that came back first is forgotten early.
 */
const MAX_RETURNED = 1024;

export class Returned {
  readonly #forMs: number;
  readonly #sinceMs = new Map<string, number>();

  /** Each is remembered for `forMs`. */
  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  /** `name`, held dead until now, refuted it. */
  note(name: string, nowMs: number): void {
    this.#sinceMs.delete(name);
    this.#sinceMs.set(name, nowMs);
    if (this.#sinceMs.size <= MAX_RETURNED) return;
    for (const oldest of this.#sinceMs.keys()) {
      this.#sinceMs.delete(oldest);
      break;
    }
  }

  /** Whether `name` came back within the time. */
  has(name: string, nowMs: number): boolean {
    const sinceMs = this.#sinceMs.get(name);
    return sinceMs !== undefined && nowMs - sinceMs < this.#forMs;
  }
}
