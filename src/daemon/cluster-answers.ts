/** What the API answers about the cluster as a whole, out of the store and of gossip. */
import type { ClusterPort } from "../api/cluster-port.ts";
import type { QuorumView } from "../api/quorum-schemas.ts";
import type { StoreView } from "../api/store-schemas.ts";
import { isHansaError } from "../errors.ts";
import type { NodeFile } from "../processes/node-file.ts";
import type { MembershipLoop } from "./membership-loop.ts";
import { quorumViewOf } from "./quorum-view.ts";
import type { StoreAnswers } from "./store-answers.ts";

export interface ClusterAnswersOptions {
  readonly node: NodeFile;
  readonly store: Pick<StoreAnswers, "view">;
  readonly membership: Pick<MembershipLoop, "roster">;
  readonly nowMs: () => number;
}

export class ClusterAnswers implements ClusterPort {
  readonly #options: ClusterAnswersOptions;

  constructor(options: ClusterAnswersOptions) {
    this.#options = options;
  }

  async quorum(): Promise<QuorumView> {
    const { node, membership, nowMs } = this.#options;
    const store = await this.#storeView();
    return quorumViewOf({ node, roster: membership.roster(), store, nowMs: nowMs() });
  }

  /** Undefined where votes are known and none of them answers: such a node is not quorate, which is an answer. */
  async #storeView(): Promise<StoreView | undefined> {
    try {
      return await this.#options.store.view();
    } catch (error) {
      if (isHansaError(error, "STORE_NO_QUORUM") || isHansaError(error, "NODE_UNREACHABLE")) {
        return undefined;
      }
      throw error;
    }
  }
}
