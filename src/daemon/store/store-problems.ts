/**
 * What `status` warns of where the store is concerned: this node's own etcd, votes that cannot be taken, and stores that were made apart.
 *
 * Invariant: what lasts for a moment only, as an election does, is not among it (`StoreTrouble`).
 */
import type { HansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import { isOutlived, type StoreMark } from "../../store/store-mark.ts";
import { WITNESS } from "../../store/voter-plan.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard } from "../membership/roster.ts";
import type { VoteRefusals } from "../votes/vote-refusals.ts";
import type { VoterLead } from "../votes/voter-lead.ts";
import type { VoterPlace } from "../votes/voter-place.ts";
import type { StoreRetreat } from "./store-retreat.ts";
import { StoreTrouble } from "./store-trouble.ts";

export interface StoreProblemsOptions {
  readonly place: Pick<VoterPlace, "record">;
  readonly lead: Pick<VoterLead, "refusals">;
  readonly membership: Pick<MembershipLoop, "roster">;
  readonly retreat: Pick<StoreRetreat, "sentence">;
  readonly clock: Clock;
}

export class StoreProblems {
  readonly #options: StoreProblemsOptions;
  /** That this node cannot take the vote that it is given. */
  readonly #refused: VoteRefusals;
  /** Its etcd does not serve, or knows of no leader. */
  readonly #trouble = new StoreTrouble();

  constructor(options: StoreProblemsOptions, refused: VoteRefusals) {
    this.#options = options;
    this.#refused = refused;
  }

  /** What is wrong with this node's etcd now; undefined: nothing. */
  note(sentence: string | undefined): void {
    this.#trouble.note(sentence, this.#options.clock.monotonicMs());
  }

  /** A sentence for each, which begins with its code. */
  get all(): readonly string[] {
    const { lead, membership } = this.#options;
    const said = (who: string, { code, message }: HansaError): string =>
      `${code}: ${who} cannot take its vote: ${message}`;
    const own = this.#refused.lasting.map(({ error }) => said("this node", error));
    const { peers } = membership.roster();
    const others = lead.refusals.lasting.map(({ id, error }) => {
      if (id === WITNESS) return said("the witness", error);
      const name = peers.find(({ metadata }) => metadata.id === id)?.metadata.name;
      return said(name === undefined ? `node ${id}` : `node ${id} (${name})`, error);
    });
    const { first } = this;
    return [...(first === undefined ? [] : [first]), ...own, ...others];
  }

  /** Of its own etcd, and of the stores that are heard of. */
  get first(): string | undefined {
    const { place, membership, retreat, clock } = this.#options;
    const own = place.record?.store;
    const holders = membership
      .roster()
      .peers.filter((peer) => isHeard(peer) && peer.metadata.store);
    const first = own ?? holders[0]?.metadata.store;
    // One that is of a generation before, or after, is made anew by itself within moments.
    const isAhead = (a: StoreMark, b: StoreMark): boolean => isOutlived(a, b) || isOutlived(b, a);
    const other = holders.find(({ metadata }) => {
      const { store } = metadata;
      return store?.id !== first?.id && !(store && first && isAhead(store, first));
    });
    if (other) {
      const { id, name, store } = other.metadata;
      const whose = own === undefined ? `others (${first?.id})` : `this node (${own.id})`;
      return `STORE_OTHER: node ${id} (${name}) has a vote in another store (${store?.id}) than ${whose}`;
    }
    if (retreat.sentence !== undefined) return retreat.sentence;
    return this.#trouble.sentence(clock.monotonicMs());
  }
}
