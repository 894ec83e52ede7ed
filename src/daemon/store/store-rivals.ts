/**
 * Looks at the stores of other nodes where they are not ours: whether ours was outlived, or is to give way to one that was made apart.
 *
 * Invariant: nothing is asked of anybody while all that are heard hold to our store.
 */
import { isHansaError } from "../../errors.ts";
import { givesWay, type Rival } from "../../store/rival-stores.ts";
import type { StoreStatus } from "../../store/store.ts";
import { isOutlived, isSameStore, lineageOf, type StoreMark } from "../../store/store-mark.ts";
import { GIVEN_KEY, givenIn } from "../../store/votes.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard, type RosterNode } from "../membership/roster.ts";
import type { VoterPlace } from "../votes/voter-place.ts";

export interface StoreRivalsOptions {
  readonly self: NodeId;
  readonly place: Pick<VoterPlace, "record" | "copy" | "link">;
  readonly membership: Pick<MembershipLoop, "roster">;
  /** What another node says of the store that it has a vote in. Throws a HansaError when it does not answer. */
  readonly ask: (node: {
    readonly id: NodeId;
    readonly name: string;
  }) => Promise<Omit<Rival, "node">>;
}

export class StoreRivals {
  readonly #options: StoreRivalsOptions;

  constructor(options: StoreRivalsOptions) {
    this.#options = options;
  }

  /**
   * A node that holds to a later one of our lineage. Also one that made it anew as we are about to, whose is done: what never served anybody gives way, whatever
   * the clocks say. Cheap.
   */
  get heir(): RosterNode | undefined {
    const { record } = this.#options.place;
    if (record === undefined) return undefined;
    const own = record.store;
    const isBeside = (mark: StoreMark): boolean =>
      record.filling === true &&
      lineageOf(mark) === lineageOf(own) &&
      mark.generation === own.generation &&
      mark.id !== own.id;
    return this.#holders().find(
      ({ metadata: { store } }) => store && (isOutlived(own, store) || isBeside(store)),
    );
  }

  /** A node to whose store ours gives way, because the two were made apart; undefined: there is none, or it stays. Throws as a store does. */
  async heirOfAnother(
    status: Pick<StoreStatus, "isLearner" | "leader">,
  ): Promise<RosterNode | undefined> {
    const { self, place, ask } = this.#options;
    const own = place.record?.store;
    if (own === undefined) return undefined;
    const others = this.#holders().filter(
      ({ metadata }) => metadata.store && lineageOf(metadata.store) !== lineageOf(own),
    );
    if (others.length === 0) return undefined;
    const isForsaken = status.isLearner && status.leader === undefined;
    if (!isForsaken && (await this.#hasGrown())) return undefined;
    for (const other of others) {
      try {
        const told = await ask(other.metadata);
        const rival = { ...told, node: other.metadata.id };
        // What a learner has that nobody leads is no vote, and lost to nobody.
        const node = isForsaken ? Number.POSITIVE_INFINITY : self;
        if (givesWay({ node, hasGrown: false }, rival)) return other;
      } catch (error) {
        // It is asked again at the next look.
        if (!isHansaError(error)) throw error;
      }
    }
    return undefined;
  }

  /** Also true where it cannot be told. */
  async #hasGrown(): Promise<boolean> {
    const link = await this.#options.place.link();
    if (link === undefined) return true;
    const { entry } = await link.store.get(GIVEN_KEY, { consistency: "local" });
    const votes = (await link.voters.list()).filter(({ isLearner }) => !isLearner);
    return votes.length > 1 || givenIn(entry?.value).hasGrown;
  }

  /** Whether another voter of our own store answers by a majority. */
  async hasMajority(): Promise<boolean> {
    const { place, ask } = this.#options;
    const own = place.record?.store;
    if (own === undefined) return false;
    const others = this.#holders().filter(
      ({ metadata }) => metadata.store && isSameStore(metadata.store, own),
    );
    const told = await Promise.allSettled(others.map(({ metadata }) => ask(metadata)));
    return told.some((answer) => answer.status === "fulfilled" && answer.value.isQuorate);
  }

  #holders(): RosterNode[] {
    return this.#options.membership.roster().peers.filter(isHeard);
  }
}
