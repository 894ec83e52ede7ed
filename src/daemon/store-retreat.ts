/**
 * Takes this node's part of a store away, so that it can begin anew in the one that counts: what it had goes into a file first.
 *
 * Invariant: once it began, this part serves nobody any more, also when the daemon dies in between; nothing is taken away that is in no file.
 */
import { codedSentence, isHansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { MembershipLoop } from "./membership-loop.ts";
import type { StoreBackups } from "./store-backups.ts";
import type { VoterPlace } from "./voter-place.ts";

export interface StoreRetreatOptions {
  readonly place: VoterPlace;
  readonly backups: StoreBackups;
  readonly membership: Pick<MembershipLoop, "setStore">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long status tells where it was put. */
const SAID_MS = 24 * 3_600_000;

export class StoreRetreat {
  readonly #options: StoreRetreatOptions;
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

  /** Then it is as a node that never had a vote. `isReadable`: false for data that etcd does not open. Throws STATE_UNWRITABLE, and INTERNAL for a process that does not end. */
  async putAway(isReadable = true): Promise<void> {
    const { place, membership, logger, clock } = this.#options;
    const own = place.record?.store;
    await place.fence();
    const path = isReadable ? await this.backUp() : await this.#moveAway();
    await place.end();
    membership.setStore(undefined);
    if (own === undefined || path === undefined) return;
    const text = `what this node had of the store ${own.name}, generation ${own.generation}, was put into ${path}`;
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

  /** Into a file what its etcd has, and where that does not answer, its data as it lies; the path. Undefined where there is nothing. Throws STATE_UNWRITABLE. */
  async backUp(): Promise<string | undefined> {
    return (await this.#copied()) ?? (await this.#moveAway());
  }

  /** The same, but the data stays where it is: the path is that to which it is to be moved when its time has come. */
  async backUpBefore(): Promise<string | undefined> {
    return (await this.#copied()) === undefined ? await this.#nextPlace() : undefined;
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
    return await backups.place(record.store, clock.wallMs(), "etcd");
  }
}
