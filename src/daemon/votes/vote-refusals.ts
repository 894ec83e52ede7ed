/**
 * Nodes that were asked to take their votes and said that they cannot, and why: kept by whoever leads of all, and by each node of itself.
 *
 * Invariant: what is not said again is forgotten by itself.
 */
import type { HansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { NodeId } from "../../values/node-id.ts";

/** What lasts less is a start, or the end of a former process. */
const PASSING_MS = 5000;
/** So long others go first; then it may be its turn again. */
const UNABLE_MS = 30_000;
/** How long a refusal is told of. Nodes that cannot take it are tried in turn, so a while passes before one is asked again. */
export const REFUSAL_KEPT_MS = 120_000;

interface Refusal {
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly error: HansaError;
}

export class VoteRefusals {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #refusals = new Map<NodeId, Refusal>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** It said so just now. */
  note(id: NodeId, error: HansaError): void {
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.of(id) ? (this.#refusals.get(id)?.sinceMs ?? nowMs) : nowMs;
    this.#refusals.set(id, { sinceMs, lastMs: nowMs, error });
  }

  /** It took it, or is to take none. */
  clear(id: NodeId): void {
    this.#refusals.delete(id);
  }

  /** The others are to have no votes. */
  keepOnly(wanted: readonly NodeId[]): void {
    for (const id of this.#refusals.keys()) if (!wanted.includes(id)) this.clear(id);
  }

  /** What the node said last; undefined when nothing, or long ago. */
  of(id: NodeId): HansaError | undefined {
    const refusal = this.#refusals.get(id);
    if (refusal && this.#clock.monotonicMs() - refusal.lastMs <= REFUSAL_KEPT_MS)
      return refusal.error;
    this.#refusals.delete(id);
    return undefined;
  }

  /** Whom others go before. */
  get unable(): ReadonlySet<NodeId> {
    const nowMs = this.#clock.monotonicMs();
    const recent = [...this.#refusals].filter(([, { lastMs }]) => nowMs - lastMs < UNABLE_MS);
    return new Set(recent.map(([id]) => id));
  }

  /** What status is to tell. */
  get lasting(): readonly { readonly id: NodeId; readonly error: HansaError }[] {
    return [...this.#refusals].flatMap(([id, { sinceMs, lastMs, error }]) =>
      this.of(id) && lastMs - sinceMs >= PASSING_MS ? [{ id, error }] : [],
    );
  }
}
