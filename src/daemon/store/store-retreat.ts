/**
 * Takes this node's part of a store away, so that it can begin anew in the one that counts: what it had goes into a file first.
 *
 * Invariant: once it began, this part serves nobody any more, also when the daemon dies in between; nothing is taken away that is in no file.
 */
import { codedSentence, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import type { VoterPlace } from "../votes/voter-place.ts";
import type { StoreBackups } from "./store-backups.ts";

export interface StoreRetreatOptions {
  readonly place: Pick<VoterPlace, "record" | "fence" | "end" | "keep" | "copy" | "moveData">;
  readonly backups: StoreBackups;
  readonly membership: Pick<MembershipLoop, "setStore">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long status tells where it was put. */
const SAID_MS = 24 * 3_600_000;
/** For its etcd to answer. */
const PATIENCE_MS = 30_000;

export class StoreRetreat {
  readonly #options: StoreRetreatOptions;
  /** Since when its etcd is asked for what it has. */
  #sinceMs: number | undefined;
  #done: { readonly sinceMs: number; readonly sentence: string } | undefined;

  constructor(options: StoreRetreatOptions) {
    this.#options = options;
  }

  /** What status is to say of it, for a day. */
  get sentence(): string | undefined {
    const done = this.#done;
    const isNew = done && this.#options.clock.monotonicMs() - done.sinceMs < SAID_MS;
    return isNew ? done.sentence : undefined;
  }

  /**
   * Then it is as a node that never had a vote. `isReadable`: false for data that etcd does not open. Throws as the store does while its etcd may still be
   * starting, to be called again; STATE_UNWRITABLE, and INTERNAL for a process that does not end.
   */
  async putAway(isReadable = true): Promise<void> {
    const { place, membership, logger, clock } = this.#options;
    const own = place.record?.store;
    await place.fence();
    const copied = isReadable ? await this.#copiedInTime() : undefined;
    const path = copied ?? (await this.#moveAway());
    this.#sinceMs = undefined;
    await place.end();
    membership.setStore(undefined);
    if (own === undefined || path === undefined) return;
    const text = `what this node had of the store ${own.name}, generation ${own.generation}, ${
      copied === undefined
        ? `lies in the folder ${path} as etcd left it, because etcd did not open it in time`
        : `was put into ${path}`
    }`;
    this.#done = { sentence: `STORE_OUTLIVED: ${text}`, sinceMs: clock.monotonicMs() };
    logger.warn("the former store was put away", { path, generation: own.generation });
  }

  /** Its data is gone by itself: there is nothing to keep. */
  async giveUp(): Promise<void> {
    const { place, membership, logger } = this.#options;
    logger.error("the data of the store is gone from this node", { store: place.record?.store.id });
    await place.end();
    membership.setStore(undefined);
  }

  /** Into a file what its etcd has, now; where that does not answer, the path to which its data is to be moved when its time has come. Undefined where there is nothing. Throws STATE_UNWRITABLE. */
  async backUpBefore(): Promise<string | undefined> {
    return (await this.#copied()) === undefined ? await this.#nextPlace() : undefined;
  }

  /** The path of the file; undefined where etcd did not answer in its time, or has nothing. At a boot it waits for the overlay, and what is heard of others comes first. */
  async #copiedInTime(): Promise<string | undefined> {
    const { place, backups, clock } = this.#options;
    this.#sinceMs ??= clock.monotonicMs();
    if (clock.monotonicMs() - this.#sinceMs >= PATIENCE_MS) return await this.#copied();
    await place.keep();
    const copy = await place.copy(clock.wallMs());
    return copy && (await backups.write(copy, clock.wallMs()));
  }

  async #copied(): Promise<string | undefined> {
    const { place, backups, clock, logger } = this.#options;
    try {
      const copy = await place.copy(clock.wallMs());
      return copy && (await backups.write(copy, clock.wallMs()));
    } catch (error) {
      if (!isHansaError(error) || isHansaError(error, "STATE_UNWRITABLE")) throw error;
      logger.warn("etcd does not answer: its data is kept as it lies", {
        why: codedSentence(error),
      });
      return undefined;
    }
  }

  async #moveAway(): Promise<string | undefined> {
    const path = await this.#nextPlace();
    if (path !== undefined) await this.#options.place.moveData(path);
    return path;
  }

  async #nextPlace(): Promise<string | undefined> {
    const { place, backups, clock } = this.#options;
    const { record } = place;
    if (record === undefined || record.filling === true) return undefined;
    return await backups.folder(record.store, clock.wallMs());
  }
}
