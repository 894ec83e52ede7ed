import type { EndVoter, StartVoter, Voter } from "../../api/store-schemas.ts";
import { codedSentence, HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { StoreStatus } from "../../store/store.ts";
import type { NamedStore, StoreCopy } from "../../store/store-copy.ts";
import { isSameStore } from "../../store/store-mark.ts";
import { requireStoreName } from "../../store/store-name.ts";
import { type EtcdTiming, isTiming } from "../../store/store-times.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import { SerialQueue } from "../timing/serial-queue.ts";
import type { VoterLink } from "../votes/etcd-connections.ts";
import { REFUSAL_KEPT_MS, VoteRefusals } from "../votes/vote-refusals.ts";
import { returnVote } from "../votes/vote-return.ts";
import type { VoterLead } from "../votes/voter-lead.ts";
import type { VoterPlace } from "../votes/voter-place.ts";
import type { VoterWord } from "../votes/voter-word.ts";
import { makeFirstStore } from "./first-store.ts";
import type { StoreDamage } from "./store-damage.ts";
import { StoreProblems } from "./store-problems.ts";
import type { StoreRetreat } from "./store-retreat.ts";
import type { StoreRivals } from "./store-rivals.ts";
import type { StoreTiming } from "./store-timing.ts";
import type { StoreUpkeep } from "./store-upkeep.ts";

export interface StoreLoopOptions {
  readonly self: { readonly id: NodeId; readonly name: string };
  readonly place: VoterPlace;
  readonly lead: VoterLead;
  readonly membership: Pick<MembershipLoop, "roster" | "remembered" | "setStore">;
  readonly retreat: StoreRetreat;
  readonly upkeep: Pick<StoreUpkeep, "look">;
  readonly timing: Pick<StoreTiming, "look">;
  readonly word: Pick<VoterWord, "ask" | "slowness">;
  readonly damage: Pick<StoreDamage, "clear" | "fullDisk" | "lately" | "look">;
  readonly rivals: Pick<StoreRivals, "heir" | "heirOfAnother">;
  /** The store of this node's own copy. */
  readonly lastSeen: () => NamedStore | undefined;
  readonly clock: Clock;
  /** There may be another problem. */
  readonly changed: () => void;
  readonly logger: Logger;
}

const LOOK_MS = 500;
const NO_LEADER =
  "STORE_NO_QUORUM: no majority of the store's votes reaches this node: the configuration cannot be changed (hansa store)";
/** After a step, or while a learner catches up. */
const BUSY_LOOK_MS = 60;

export class StoreLoop {
  readonly #options: StoreLoopOptions;
  /** Making, starting and taking the vote: one after another. */
  readonly #changes: SerialQueue;
  #cancel = (): void => undefined;
  #closed = false;
  /** It gives its vote back, or did: whoever leads may not know yet. */
  #isLeaving = false;
  #said: string | undefined;
  #told = "";
  /** Names of those that were heard when that was last looked at. */
  #heard: ReadonlySet<string> = new Set();
  readonly #problems: StoreProblems;
  /** That this node cannot take the vote that it is given. */
  readonly #refused: VoteRefusals;
  #forgetRefusal = (): void => undefined;

  constructor(options: StoreLoopOptions) {
    this.#options = options;
    this.#refused = new VoteRefusals(options.clock);
    this.#problems = new StoreProblems(options, this.#refused);
    this.#changes = new SerialQueue((error) =>
      options.logger.error("the store's part of this node failed", { error: `${error}` }),
    );
  }

  /** Takes up what this node had; with a vote it looks every half second from now on. */
  begin(): void {
    const { place } = this.#options;
    if (place.record) {
      this.#changes.add(() => place.renew());
      this.#changes.add(() => place.mend());
    }
    this.changed();
    this.#lookIn(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    this.#forgetRefusal();
    await this.#changes.drained();
    await this.#options.place.close();
  }

  /** Who is heard may be others: where one holds to a later generation of the store, ours is served to nobody from this moment on. */
  changed(): void {
    const { place } = this.#options;
    if (place.record === undefined || place.isFenced) return;
    const heir = this.#options.rivals.heir;
    if (heir === undefined) {
      this.#lookAtNewcomers();
      return;
    }
    place.isFenced = true;
    const { id, name, store } = heir.metadata;
    this.#options.logger.warn("the store was made anew elsewhere", {
      ...{ by: id, name, generation: store?.generation },
    });
    this.#lookIn(0);
  }

  /** Who has just come may be about to have a vote, and should not wait for the next look. */
  #lookAtNewcomers(): void {
    const { peers } = this.#options.membership.roster();
    const heard = new Set(peers.filter(isHeard).map(({ member }) => member.name));
    const hasNew = [...heard].some((name) => !this.#heard.has(name));
    this.#heard = heard;
    if (hasNew) this.#lookIn(0);
  }

  /** Makes the store anew, as `store`, with this node's vote alone and what `copy` has. `refuse`: throws where what was looked at is old by now, asked again when the former part is ended. Throws as `VoterPlace.refound`; afterwards whatever is served is outlived by nobody who is heard. */
  refound(store: NamedStore, copy: StoreCopy, refuse: () => void): Promise<void> {
    return this.#inTurn(async () => {
      refuse();
      const { place, retreat, logger } = this.#options;
      const data = await retreat.backUpBefore();
      try {
        await place.refound(store, copy, { keep: data, refuse });
      } finally {
        // What outlives that which is served now was perhaps heard while it was another one.
        this.changed();
      }
      if (place.isFenced) {
        throw new HansaError("STORE_REFUSED", "another node made the store anew meanwhile", {
          hint: "hansa store shows it; what this node had lies in a backup in a moment",
        });
      }
      this.#announce();
      logger.warn("the store was made anew from a copy", {
        ...{ name: store.name, id: store.id, generation: store.generation },
        ...{ from: `${copy.store.id} ${copy.store.generation}`, revision: `${copy.revision}` },
      });
      this.#lookIn(0);
    });
  }

  /** Makes the cluster's store, with this node's vote alone. Throws USAGE, STORE_EXISTS, STORE_REFUSED, and as `VoterPlace.begin`. */
  create(name: string): Promise<void> {
    requireStoreName(name);
    return this.#inTurn(async () => {
      const { membership, logger } = this.#options;
      const store = await makeFirstStore(name, this.#options);
      membership.setStore({ id: store.id, generation: store.generation });
      logger.info("the store was made", { name, id: store.id });
      this.#lookIn(0);
    });
  }

  /** Another node gives this one a place among the voters. Throws STORE_OTHER, and as `VoterPlace.begin`. */
  start(request: StartVoter): Promise<void> {
    const { self, clock } = this.#options;
    return this.#inTurn(async () => {
      try {
        await this.#start(request);
        this.#refused.clear(self.id);
      } catch (error) {
        if (!isHansaError(error)) throw error;
        this.#refused.note(self.id, error);
        this.#forgetRefusal();
        this.#forgetRefusal = clock.after(REFUSAL_KEPT_MS + 1, () => this.#tell());
        throw error;
      } finally {
        this.#tell();
      }
    });
  }

  /** The store's leader says that this node has no place in it any more: its data goes. Nothing where it holds to another one. */
  end({ store }: EndVoter): Promise<void> {
    return this.#inTurn(async () => {
      const { self, place, membership, logger } = this.#options;
      this.#refused.clear(self.id);
      const own = place.record?.store;
      if (own === undefined || !isSameStore(own, store)) return;
      await place.end();
      membership.setStore(undefined);
      logger.info("this node has no vote in the store any more", { name: own.name });
    });
  }

  /** What this node's etcd says of itself. Throws as a store does, or the reason that is known; on a node without, why it could not take the vote that it was given, else STORE_NONE. */
  async voter(): Promise<Voter> {
    try {
      const voter = await this.#options.word.ask();
      if (voter !== undefined) return voter;
    } catch (error) {
      if (!isHansaError(error, "STORE_UNREACHABLE")) throw error;
      throw (await this.#options.damage.fullDisk()) ?? error;
    }
    throw this.#refused.of(this.#options.self.id) ?? this.noStore();
  }

  /** Starts its etcd anew with other times. Throws STORE_NONE, STORE_REFUSED, and as `VoterPlace.retime`. */
  retime(timing: EtcdTiming): Promise<void> {
    return this.#inTurn(async () => {
      const { place, logger } = this.#options;
      if (place.record === undefined) throw this.noStore();
      if (!isTiming(timing)) throw new HansaError("STORE_REFUSED", "these are no times of ours");
      await place.retime(timing);
      logger.info("this node's etcd has other times", { ...timing });
    });
  }

  /** Makes its etcd's file as large as what is in it, which takes seconds. Throws as a store does. */
  async defragment(): Promise<void> {
    const link = await this.#options.place.link();
    if (link === undefined) throw this.noStore();
    await link.upkeep.defragment();
  }

  /**
   * Gives this node's vote back, before it leaves the cluster for good, and takes none any more; undefined, or why it could not. Throws STORE_LAST_VOTE and
   * STORE_REFUSED for a vote that the store cannot do without, unless `isForced`: then all is as before.
   */
  async leave(isForced: boolean): Promise<string | undefined> {
    this.#isLeaving = true;
    let problem: string | undefined;
    try {
      await this.#inTurn(async () => {
        problem = await returnVote({ ...this.#options, self: this.#options.self.id }, isForced);
      });
    } catch (error) {
      this.#isLeaving = false;
      throw error;
    }
    return problem;
  }

  /** What `status` is to warn of. */
  get problems(): readonly string[] {
    return this.#problems.all;
  }

  /** The first of them that is no refusal of a vote. */
  get problem(): string | undefined {
    return this.#problems.first;
  }

  get hasVote(): boolean {
    return this.#options.place.record !== undefined;
  }

  noStore(): HansaError {
    const { name, id } = this.#options.self;
    return new HansaError("STORE_NONE", `node ${id} (${name}) knows of no store`);
  }

  async #start({ store, member, members }: StartVoter): Promise<void> {
    const { place, membership, logger } = this.#options;
    const { record } = place;
    if (this.#isLeaving) {
      throw new HansaError("STORE_REFUSED", "this node is about to leave the cluster");
    }
    if (record && !isSameStore(record.store, store)) {
      const text = `this node has a vote in the store ${record.store.name} (${record.store.id})`;
      throw new HansaError("STORE_OTHER", text);
    }
    if (record?.member === member && !place.isUnbegun) return place.keep();
    const next: VoterRecord = { version: 1, store, member };
    // Who leads may take this node for the one that had its id before; etcd must find its own name at its own place.
    const name = membership.roster().self.member.name;
    const named = members.map((each) =>
      each.peerUrl === place.peerUrl ? { ...each, name } : each,
    );
    await place.begin(next, { begins: "existing", members: named });
    membership.setStore({ id: store.id, generation: store.generation });
    logger.info("this node takes part in the store", { name: store.name, member });
    this.#lookIn(0);
  }

  #lookIn(ms: number): void {
    this.#cancel();
    // A node without a vote has nothing to look at until it makes a store or is given a vote.
    if (this.#closed || this.#options.place.record === undefined) return;
    this.#cancel = this.#options.clock.after(ms, () =>
      this.#changes.add(async () => {
        let isBusy = false;
        try {
          isBusy = await this.#look();
        } finally {
          this.#tell();
          this.#lookIn(isBusy ? BUSY_LOOK_MS : LOOK_MS);
        }
      }),
    );
  }

  /** True when something was done or is under way. Says what fails once, until it is something else. */
  async #look(): Promise<boolean> {
    const { place, retreat, damage } = this.#options;
    if (place.record === undefined) return this.#lookedAtNothing();
    try {
      if (place.record.filling && !place.isFenced) return await this.#fill();
      if (place.isFenced) await retreat.putAway();
      else if (place.isLost) await retreat.giveUp();
      if (place.record === undefined) return this.#lookedAtNothing();
      await place.keep();
      const link = await place.link();
      const status = await link?.store.status();
      damage.clear();
      await place.settle();
      if (status) await this.#giveWay(status);
      const { lately } = damage;
      if (lately !== undefined) this.#problems.note(codedSentence(lately));
      else this.#problems.note(status?.leader === undefined ? NO_LEADER : undefined);
      const isBusy = link && status ? await this.#lead(link, status) : false;
      if (isBusy !== undefined) this.#said = undefined;
      return isBusy === true;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      this.#problems.note((await this.#reasonOf(error)) ?? codedSentence(error));
      this.#say(error);
      return false;
    }
  }

  /** Of an etcd that does not answer, with its code; undefined: nothing more is known. */
  async #reasonOf(error: HansaError): Promise<string | undefined> {
    const { damage, word } = this.#options;
    if (isHansaError(error, "STORE_UNREACHABLE")) return await damage.look();
    const slow = isHansaError(error, "STORE_NO_QUORUM") ? word.slowness : undefined;
    return slow && codedSentence(slow);
  }

  /** Undefined when it failed, mostly for want of other nodes, which is no trouble of this one's. */
  async #lead(link: VoterLink, status: StoreStatus): Promise<boolean | undefined> {
    const { place, lead, upkeep, timing, clock } = this.#options;
    if (status.leader !== status.member || place.isFenced || !place.record) return false;
    try {
      await upkeep.look(link, status, clock.monotonicMs());
      await timing.look(link, status, clock.monotonicMs());
      return await lead.lead(link, status, place.record.store);
    } catch (error) {
      if (!isHansaError(error)) throw error;
      this.#say(error);
      return undefined;
    }
  }

  #lookedAtNothing(): false {
    this.#problems.note(undefined);
    return false;
  }

  /** Once, until it is something else. */
  #say(error: HansaError): void {
    const sentence = codedSentence(error);
    if (sentence !== this.#said) this.#options.logger.warn("the store waits", { why: sentence });
    this.#said = sentence;
  }

  /** Where two stores were made apart, one of them may be ours to put away. */
  async #giveWay(status: StoreStatus): Promise<void> {
    const { place, rivals, logger } = this.#options;
    const heir = await rivals.heirOfAnother(status);
    if (heir === undefined) return;
    place.isFenced = true;
    const { id, name } = heir.metadata;
    logger.warn("this node's store gives way to another one", { of: id, name });
  }

  #tell(): void {
    const told = this.problems.join("\n");
    if (told === this.#told) return;
    this.#told = told;
    this.#options.changed();
  }

  /** The store was made anew from a copy, and the daemon died before that was done. */
  async #fill(): Promise<boolean> {
    await this.#options.place.fill();
    this.#announce();
    return true;
  }

  /** Others may hold to it from now on; not to one that gave way while it was made. */
  #announce(): void {
    const { place, membership } = this.#options;
    const { settled } = place;
    if (settled && !place.isFenced) {
      membership.setStore({ id: settled.id, generation: settled.generation });
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#changes.add(() => work().then(resolve, reject));
    return promise;
  }
}
