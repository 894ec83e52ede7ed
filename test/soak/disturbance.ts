/**
 * Which parts of the cluster were disturbed when, so that a failure in a quiet part is told from one that was asked for.
 *
 * A scope is a word: `host 3`, `network`, `address 10.33.0.4`. Pure but for the clock that is given.
 */
export class Disturbance {
  readonly #nowMs: () => number;
  readonly #open = new Map<string, number>();
  readonly #endedMs = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** A disturbance of these scopes begins; the returned function ends it. */
  begin(scopes: readonly string[]): () => void {
    for (const scope of scopes) this.#open.set(scope, (this.#open.get(scope) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      for (const scope of scopes) {
        this.#open.set(scope, (this.#open.get(scope) ?? 1) - 1);
        this.#endedMs.set(scope, this.#nowMs());
      }
    };
  }

  /** True when none of these scopes is disturbed now or was at any time since `sinceMs`. */
  isQuiet(scopes: readonly string[], sinceMs: number): boolean {
    return scopes.every(
      (scope) =>
        (this.#open.get(scope) ?? 0) === 0 &&
        (this.#endedMs.get(scope) ?? Number.NEGATIVE_INFINITY) < sinceMs,
    );
  }
}
