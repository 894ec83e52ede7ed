/**
 * What keeps this node's part of the store from its work, and since when.
 *
 * Invariant: what lasts no longer than a start or an election is no trouble.
 */

const LASTING_MS = 5000;

export class StoreTrouble {
  #known: { readonly sinceMs: number; readonly sentence: string } | undefined;

  /** What was found just now; undefined: nothing. */
  note(sentence: string | undefined, nowMs: number): void {
    const sinceMs = this.#known?.sinceMs ?? nowMs;
    this.#known = sentence === undefined ? undefined : { sinceMs, sentence };
  }

  /** With its code, once it lasts. */
  sentence(nowMs: number): string | undefined {
    const known = this.#known;
    return known && nowMs - known.sinceMs > LASTING_MS ? known.sentence : undefined;
  }
}
