/**
 * The witness' etcd: begun, kept running and put away, as the nodes say.
 *
 * Invariants: data of a former generation of the store serves nobody from the moment that a node tells of a later one; what it had lies in a backup before
 * it is gone.
 */
import type { EndVoter, StartVoter, Times, Voter } from "../api/store-schemas.ts";
import { StoreBackups } from "../daemon/store/store-backups.ts";
import { StoreRetreat } from "../daemon/store/store-retreat.ts";
import { SerialQueue } from "../daemon/timing/serial-queue.ts";
import { VoterPlace } from "../daemon/votes/voter-place.ts";
import { VoterWord } from "../daemon/votes/voter-word.ts";
import { codedSentence, HansaError, isHansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { Paths } from "../processes/paths.ts";
import { isOutlived, isSameStore, type StoreMark } from "../store/store-mark.ts";
import { isTiming } from "../store/store-times.ts";
import type { StoreTls } from "../store/store-tls.ts";
import { witnessMember } from "../store/witness-record.ts";
import { HandOver } from "./hand-over.ts";
import type { WitnessPorts } from "./witness-file.ts";

export interface WitnessVoterOptions {
  /** The witness' own. */
  readonly paths: Paths;
  readonly folders: readonly string[];
  readonly ports: WitnessPorts;
  readonly tls: StoreTls;
  readonly keyHash: string;
  readonly logger: Logger;
}

const LOOK_MS = 500;

export class WitnessVoter {
  readonly #place: VoterPlace;
  readonly #retreat: StoreRetreat;
  readonly #word: VoterWord;
  readonly #handOver: HandOver;
  readonly #logger: Logger;
  readonly #changes: SerialQueue;
  #cancel = (): void => undefined;
  #closed = false;
  #said: string | undefined;

  /** Takes up what it had. Throws STATE_DAMAGED. */
  static async load(options: WitnessVoterOptions): Promise<WitnessVoter> {
    const { paths, folders, ports, tls, keyHash } = options;
    const proxy = `http://127.0.0.1:${ports.proxy}`;
    const place = await VoterPlace.load({
      ...{ paths, folders, ports, ip: "127.0.0.1", name: witnessMember({ key: keyHash }) },
      ...{ tls: async () => tls, env: { HTTPS_PROXY: proxy, https_proxy: proxy } },
    });
    return new WitnessVoter(place, options);
  }

  private constructor(place: VoterPlace, { paths, logger }: WitnessVoterOptions) {
    this.#place = place;
    this.#logger = logger;
    this.#handOver = new HandOver({
      ...{ metrics: () => place.metrics(), logger },
      monotonicMs: () => systemClock.monotonicMs(),
    });
    this.#word = new VoterWord({ place, measured: () => ({ fsyncMs: null }) });
    this.#retreat = new StoreRetreat({
      ...{ place, backups: new StoreBackups(paths.stateDir), clock: systemClock, logger },
      membership: { setStore: () => undefined },
    });
    this.#changes = new SerialQueue((error) =>
      logger.error("the witness' etcd could not be looked after", { error: `${error}` }),
    );
    this.#changes.add(() => place.renew());
    this.#look(0);
  }

  /** What it holds to, and serves. */
  get mark(): StoreMark | undefined {
    const store = this.#place.record?.store;
    return store && { id: store.id, generation: store.generation };
  }

  /** A node holds to this store. */
  told(mark: StoreMark | undefined): void {
    const own = this.#place.record?.store;
    if (own === undefined || mark === undefined || this.#place.isFenced) return;
    if (!isOutlived(own, mark)) return;
    this.#logger.warn("the store was made anew elsewhere", { generation: mark.generation });
    this.#place.isFenced = true;
    this.#look(0);
  }

  /** Throws STORE_NONE, and as a store does. */
  async voter(): Promise<Voter> {
    const voter = await this.#word.ask();
    if (voter === undefined) throw hasNoVote();
    return voter;
  }

  /** Has its etcd run with these times. */
  retime(timing: Times): Promise<void> {
    if (!isTiming(timing)) throw new HansaError("STORE_REFUSED", "these are no times of ours");
    return this.#inTurn(() => this.#place.retime(timing));
  }

  async defragment(): Promise<void> {
    await (await this.#linked()).upkeep.defragment();
  }

  /** Has its etcd run as the member that it was made. Throws STORE_OTHER, and as `VoterPlace.begin`. */
  start({ store, member, members }: StartVoter): Promise<void> {
    return this.#inTurn(async () => {
      const place = this.#place;
      const { record } = place;
      if (place.isFenced || (record && !isSameStore(record.store, store))) {
        this.told(store);
        throw new HansaError("STORE_OTHER", "the witness still holds to another store");
      }
      if (record?.member === member && !place.isUnbegun) return place.keep();
      await place.begin({ version: 1, store, member }, { begins: "existing", members });
      this.#logger.info("the witness takes part in the store", { name: store.name, member });
    });
  }

  /** It has no place in that store any more: its data goes into a backup. */
  end({ store }: EndVoter): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#place.record?.store;
      if (own && isSameStore(own, store)) await this.#retreat.putAway(false);
    });
  }

  /** Puts everything away that it has. */
  release(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#place.record !== undefined) await this.#retreat.putAway(false);
    });
  }

  /** Its etcd goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#changes.drained();
    await this.#place.close();
  }

  async #linked() {
    const link = await this.#place.link();
    if (link === undefined) throw hasNoVote();
    return link;
  }

  #look(ms: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = systemClock.after(ms, () =>
      this.#changes.add(async () => {
        try {
          await this.#tend();
          this.#said = undefined;
        } catch (error) {
          if (!isHansaError(error)) throw error;
          this.#say(codedSentence(error));
        } finally {
          this.#look(LOOK_MS);
        }
      }),
    );
  }

  async #tend(): Promise<void> {
    const place = this.#place;
    if (place.record === undefined) return;
    if (place.isFenced) return await this.#retreat.putAway();
    if (place.isLost) return await this.#retreat.giveUp();
    await place.keep();
    const link = await place.link();
    const status = await link?.store.status();
    await place.settle();
    if (link && status) await this.#handOver.look(link, status);
  }

  /** Once, until it is something else. */
  #say(sentence: string): void {
    if (sentence !== this.#said) this.#logger.warn("the witness' etcd waits", { why: sentence });
    this.#said = sentence;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#changes.add(() => work().then(resolve, reject));
    return promise;
  }
}

function hasNoVote(): HansaError {
  return new HansaError("STORE_NONE", "the witness has no vote");
}
