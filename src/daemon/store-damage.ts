/**
 * Notices that etcd does not open its data any more, and gives the vote up where others have a majority: it then begins anew as a learner.
 *
 * Invariant: the data is moved, never removed; where the others have no majority it stays, because it may be the last.
 */
import { codedSentence, isHansaError } from "../errors.ts";
import type { Logger } from "../host/logger.ts";
import { damageIn } from "../store/etcd/etcd-damage.ts";
import type { StoreRetreat } from "./store-retreat.ts";
import type { VoterPlace } from "./voter-place.ts";

export interface StoreDamageOptions {
  readonly place: Pick<VoterPlace, "log">;
  readonly retreat: Pick<StoreRetreat, "putAway">;
  /** Whether another voter answers by a majority. */
  readonly hasMajority: () => Promise<boolean>;
  readonly logger: Logger;
}

/** It is started again meanwhile, several times. */
const PATIENCE_MS = 15_000;

export class StoreDamage {
  readonly #options: StoreDamageOptions;
  /** Since when it does not serve, and how long its log was then. */
  #trouble: { readonly sinceMs: number; readonly logBytes: number } | undefined;

  constructor(options: StoreDamageOptions) {
    this.#options = options;
  }

  /** It served just now. */
  clear(): void {
    this.#trouble = undefined;
  }

  /** It did not serve just now. A sentence for status, when its data is damaged and could not be given up. Throws as `StoreRetreat.putAway`. */
  async look(nowMs: number): Promise<string | undefined> {
    const { place, retreat, hasMajority, logger } = this.#options;
    this.#trouble ??= { sinceMs: nowMs, logBytes: place.log().bytes };
    const { sinceMs, logBytes } = this.#trouble;
    if (nowMs - sinceMs < PATIENCE_MS) return undefined;
    const why = damageIn(place.log(logBytes).text);
    if (why === undefined) return undefined;
    try {
      if (!(await hasMajority())) {
        return `STORE_DAMAGED: etcd does not open its data on this node (${why}), and the other votes are no majority`;
      }
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return `STORE_DAMAGED: etcd does not open its data on this node (${why}): ${codedSentence(error)}`;
    }
    logger.error("etcd does not open its data: the vote is given up and begun anew", { why });
    this.clear();
    await retreat.putAway(false);
    return undefined;
  }
}
