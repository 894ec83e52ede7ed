/**
 * Keeps the store's files from growing for ever, and a full store from staying full: carries the plan of it out, by the daemon beside the leader.
 *
 * Invariant: each step is thought out from facts looked at just before; nothing is kept but up to where was compacted.
 */
import type { Voter } from "../../api/store-schemas.ts";
import { HansaError } from "../../errors.ts";
import type { Logger } from "../../host/logger.ts";
import { QUOTA_BYTES } from "../../store/etcd/etcd-config.ts";
import type { Revision, StoreStatus } from "../../store/store.ts";
import { nextUpkeepStep, type VoterFile } from "../../store/upkeep-plan.ts";
import { nodeOf, type StoreMember, type VoterNode } from "../../store/voter-plan.ts";
import type { VoterLink } from "../votes/etcd-connections.ts";
import type { VoterLead } from "../votes/voter-lead.ts";

export interface StoreUpkeepOptions {
  readonly lead: Pick<VoterLead, "nodes" | "ask" | "tell">;
  readonly logger: Logger;
}

const EVERY_MS = 30_000;
/** A file of 512 MiB on a slow disk. */
const DEFRAGMENT_MS = 65_000;

export class StoreUpkeep {
  readonly #options: StoreUpkeepOptions;
  #nextMs = 0;
  #compacted: Revision = 0n;

  constructor(options: StoreUpkeepOptions) {
    this.#options = options;
  }

  /** Takes one step, where there is one; looks twice a minute, and at once after a step. Throws as the store and the nodes do. */
  async look(link: VoterLink, status: StoreStatus, nowMs: number): Promise<void> {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + EVERY_MS;
    const [members, full] = await Promise.all([link.voters.list(), link.upkeep.full()]);
    const nodes = this.#options.lead.nodes();
    const voters = await Promise.all(
      members
        .filter(({ isLearner }) => !isLearner)
        .map((member) => this.#file(member, nodes, status)),
    );
    const step = nextUpkeepStep({
      ...{ voters, isFull: full.length > 0, quotaBytes: QUOTA_BYTES },
      isCompacted: this.#compacted >= status.revision,
    });
    if (step === undefined) return;
    this.#options.logger.info("the store's files are looked after", {
      ...{ step: step.step, full: full.length > 0 },
      ...("member" in step && { member: step.member.toString(16) }),
    });
    if (step.step === "compact") {
      await link.store.compact(status.revision);
      this.#compacted = status.revision;
    } else if (step.step === "disarm") {
      for (const member of full) await link.upkeep.disarm(member);
    } else if (step.member === status.member) await link.upkeep.defragment();
    else {
      const member = members.find(({ id }) => id === step.member);
      const node = member && nodeOf(member, nodes);
      if (node === undefined) throw new HansaError("NODE_UNREACHABLE", "a voter is not known");
      await this.#options.lead.tell(node, "/v1/store/defragment", undefined, DEFRAGMENT_MS);
    }
    this.#nextMs = nowMs;
  }

  async #file(
    member: StoreMember,
    nodes: readonly VoterNode[],
    status: StoreStatus,
  ): Promise<VoterFile> {
    if (member.id === status.member) {
      const own = { bytes: Number(status.bytes), inUse: Number(status.inUse) };
      return { member: member.id, leads: true, answers: true, ...own };
    }
    const node = nodeOf(member, nodes);
    const voter: Voter | undefined =
      node?.isHeard === true ? await this.#options.lead.ask(node.id) : undefined;
    const answers = voter?.leader === status.member.toString(16) && !voter.isLate;
    const { bytes = 0, inUse = 0 } = voter ?? {};
    return { member: member.id, leads: false, answers, bytes, inUse };
  }
}
