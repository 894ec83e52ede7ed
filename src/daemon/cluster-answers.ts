/** What the API answers about the cluster as a whole, out of the store and of gossip. */
import { X509Certificate } from "node:crypto";
import type { ClusterPort } from "../api/cluster-port.ts";
import type { JoinCheck, JoinChecked, JoinInfo } from "../api/join-info-schemas.ts";
import type { QuorumView } from "../api/quorum-schemas.ts";
import type { NodeRemoved } from "../api/remove-schemas.ts";
import type { StoreView } from "../api/store-schemas.ts";
import { VERSION } from "../api/version.ts";
import { isHansaError } from "../errors.ts";
import type { NodeFile } from "../processes/node-file.ts";
import type { ControlPlane } from "./doors/control-plane.ts";
import type { JoinerCheck } from "./joining/joiner-check.ts";
import { type RemoveNodeParts, removeNode } from "./joining/remove-node.ts";
import type { MembershipLoop } from "./membership/membership-loop.ts";
import { isHeard } from "./membership/roster.ts";
import { quorumViewOf } from "./store/quorum-view.ts";
import type { StoreAnswers } from "./store/store-answers.ts";

export interface ClusterAnswersOptions {
  readonly node: NodeFile;
  readonly store: Pick<StoreAnswers, "view">;
  readonly membership: Pick<MembershipLoop, "roster" | "endpoint" | "remembered" | "departures">;
  readonly peers: RemoveNodeParts["peers"];
  readonly containers: RemoveNodeParts["containers"];
  readonly takeOver: RemoveNodeParts["takeOver"];
  readonly registered: RemoveNodeParts["registered"];
  readonly controlPlane: Pick<ControlPlane, "secureContext">;
  readonly joiners: JoinerCheck;
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

  async joinInfo(): Promise<JoinInfo> {
    const { node, membership, controlPlane, nowMs } = this.#options;
    const { name, configVersion, quorate } = await this.quorum();
    const { cert } = await controlPlane.secureContext();
    const { self, peers } = membership.roster();
    const nodes = [self, ...peers].map((each) => {
      const { id, name: called, links, ports } = each.metadata;
      const isSelf = each === self;
      return {
        ...{ id, name: called, ports: { ...ports } },
        address: (isSelf ? membership.endpoint : each.member.endpoint).ip,
        links: links.map((link) => ({ ...link })),
        isHeard: isSelf || isHeard(each),
      };
    });
    return {
      ...{ cluster: node.cluster, name, configVersion, quorate },
      ...{ version: VERSION.version, date: new Date(nowMs()).toISOString() },
      encryption: node.encryption,
      fingerprint: new X509Certificate(`${cert}`).fingerprint256,
      nodeId: node.id,
      nodes: nodes.toSorted((a, b) => a.id - b.id),
    };
  }

  checkJoiner(request: JoinCheck, from: string): Promise<JoinChecked> {
    return this.#options.joiners.check(request, from);
  }

  removeNode(node: string, confirmed: boolean): Promise<NodeRemoved> {
    const { node: self, membership, peers, containers, takeOver, registered } = this.#options;
    const parts = { self: self.id, membership, peers, containers, takeOver, registered };
    const votes = { quorum: () => this.quorum(), store: () => this.#options.store.view() };
    return removeNode({ ...parts, ...votes }, node, confirmed);
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
