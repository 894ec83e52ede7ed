/** What a refusal for want of a majority says: the votes that are missing, as gossip knows them. */
import { HansaError, isHansaError } from "../../errors.ts";
import type { NodeStore } from "../../store/node-store.ts";
import type { StoreMember } from "../../store/voter-plan.ts";
import { votesIn, votesSentence } from "./known-votes.ts";
import { type VoterNamesOptions, voterName } from "./voter-names.ts";

export interface MissingVotesOptions extends VoterNamesOptions {
  readonly store: Pick<NodeStore, "read">;
  /** This node has a vote. */
  readonly hasVote: () => boolean;
  /** The refusal where nobody knows of a store. */
  readonly noStore: () => HansaError;
}

/** A voter answers by itself which votes there are. */
const LIST_MS = 200;

export class MissingVotes {
  readonly #options: MissingVotesOptions;

  constructor(options: MissingVotesOptions) {
    this.#options = options;
  }

  /** A refusal for want of a majority, with the votes that are missing. */
  async inPlainWords(error: unknown): Promise<unknown> {
    const isLost =
      isHansaError(error, "STORE_NO_QUORUM") ||
      isHansaError(error, "STORE_UNREACHABLE") ||
      isHansaError(error, "NODE_UNREACHABLE");
    if (!isLost) return error;
    const { lead, membership, hasVote, noStore } = this.#options;
    const members = await this.#knownMembers();
    if (members.length === 0) {
      const isHeldTo = membership.roster().peers.some(({ metadata }) => metadata.store);
      return isHeldTo || hasVote() ? error : noStore();
    }
    const text = votesSentence(members, lead.nodes(), (member) => voterName(member, this.#options));
    return new HansaError("STORE_NO_QUORUM", `the store has no majority: ${text}`, {
      cause: error,
    });
  }

  /** As a voter lists them now, else as the copy has them. */
  async #knownMembers(): Promise<readonly StoreMember[]> {
    const remembered = votesIn(this.#options.mirror);
    const listed = this.#options.store
      .read(({ voters }) => voters.list())
      .catch((error: unknown) => {
        if (!isHansaError(error)) throw error;
        return remembered;
      });
    const waited = new Promise<readonly StoreMember[]>((resolve) => {
      setTimeout(() => resolve(remembered), LIST_MS).unref();
    });
    return await Promise.race([listed, waited]);
  }
}
