/**
 * Notices that etcd does not serve because its disk is full, or because it does not open its data any more; then it gives the vote up where others have a majority: it then begins anew as a learner.
 *
 * Invariant: the data is moved, never removed; where the others have no majority it stays, because it may be the last.
 */
import { codedSentence, HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { StoreLogPlace } from "../../processes/store-log.ts";
import { damageIn } from "../../store/etcd/etcd-damage.ts";
import type { VoterPlace } from "../votes/voter-place.ts";
import type { StoreRetreat } from "./store-retreat.ts";

export interface StoreDamageOptions {
  readonly place: Pick<VoterPlace, "logEnd" | "logSince" | "freeBytes">;
  readonly retreat: Pick<StoreRetreat, "putAway">;
  /** Whether another voter answers by a majority. */
  readonly hasMajority: () => Promise<boolean>;
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly logger: Logger;
}

const MIB = 1024 * 1024;
/** etcd takes the room for each file of its log at once, and ends where there is none. */
const LEAST_FREE_BYTES = 64 * MIB;
/** On a full disk etcd comes and goes, every 5 s at the latest: it serves for a moment, and gives back and takes the room for its log, so that there is some between two of its attempts. */
const FULL_LINGERS_MS = 10_000;
/** It is started again meanwhile, several times. */
const PATIENCE_MS = 15_000;
/** Reading a journal costs a process. */
const EACH_MS = 5000;

interface Trouble {
  readonly sinceMs: number;
  /** Where its log ended then. */
  readonly place: StoreLogPlace;
  /** When the log is read again. */
  nextMs: number;
  /** What was found at the last time. */
  found: string | undefined;
}

export class StoreDamage {
  readonly #options: StoreDamageOptions;
  #trouble: Trouble | undefined;
  #full: { readonly error: HansaError; readonly seenMs: number } | undefined;

  constructor(options: StoreDamageOptions) {
    this.#options = options;
  }

  /** It served just now. */
  clear(): void {
    this.#trouble = undefined;
  }

  /** Why it did not serve a moment ago, where that was its disk: one that serves between two ends of its has no less to complain of. */
  get lately(): HansaError | undefined {
    const full = this.#full;
    const nowMs = this.#options.clock.monotonicMs();
    return full && nowMs - full.seenMs < FULL_LINGERS_MS ? full.error : undefined;
  }

  /** Why it does not serve, where its disk has no room left, or had none a moment ago. */
  async fullDisk(): Promise<HansaError | undefined> {
    const free = await this.#options.place.freeBytes();
    const seenMs = this.#options.clock.monotonicMs();
    if (free < LEAST_FREE_BYTES) this.#full = { error: diskFull(free), seenMs };
    return this.lately;
  }

  /** It did not serve just now. A sentence for status, when its disk is full, or its data is damaged and could not be given up. Throws as `StoreRetreat.putAway`. */
  async look(): Promise<string | undefined> {
    const { place, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const full = await this.fullDisk();
    if (full !== undefined) {
      // What it says meanwhile, and what of it did not get into the log, tells nothing of its data.
      this.clear();
      return codedSentence(full);
    }
    this.#trouble ??= {
      ...{ sinceMs: nowMs, nextMs: nowMs + PATIENCE_MS },
      ...{ place: place.logEnd(clock.wallMs()), found: undefined },
    };
    const trouble = this.#trouble;
    if (nowMs < trouble.nextMs) return trouble.found;
    trouble.nextMs = nowMs + EACH_MS;
    trouble.found = await this.#find(trouble.place);
    return trouble.found;
  }

  async #find(from: StoreLogPlace): Promise<string | undefined> {
    const { retreat, hasMajority, logger } = this.#options;
    const why = damageIn(await this.#told(from));
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

  async #told(from: StoreLogPlace): Promise<string> {
    try {
      return await this.#options.place.logSince(from);
    } catch (error) {
      if (!isHansaError(error)) throw error;
      this.#options.logger.warn("etcd's log cannot be read", { why: codedSentence(error) });
      return "";
    }
  }
}

function diskFull(freeBytes: number): HansaError {
  const left = `${Math.floor(freeBytes / MIB)} MiB`;
  const text = `the disk of this node's vote in the store is full (${left} left, etcd wants 64), and etcd does not serve`;
  return new HansaError("STORE_DISK_FULL", text);
}
