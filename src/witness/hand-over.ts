/**
 * Gives the lead of the store's votes to a node where the witness came to it, as after a split: which node has a vote is carried out beside the vote that leads, and the witness knows no nodes.
 *
 * Invariant: only a member that is connected is asked to lead, because nothing is written while another one is waited for; after one that did not come to it there is a pause.
 */
import type { VoterLink } from "../daemon/votes/etcd-connections.ts";
import { HansaError, isHansaError } from "../errors.ts";
import type { Logger } from "../host/logger.ts";
import { activePeers } from "../store/etcd/active-peers.ts";
import type { StoreStatus } from "../store/store.ts";

export interface HandOverOptions {
  readonly metrics: () => Promise<string>;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

const PAUSE_MS = 10_000;

export class HandOver {
  readonly #options: HandOverOptions;
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Of the members that are connected, so that each has its turn. */
  #turn = 0;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Nothing where another member leads, or none is connected. Throws as the store does. */
  async look(
    { voters }: Pick<VoterLink, "voters">,
    { member, leader }: Pick<StoreStatus, "member" | "leader">,
  ): Promise<void> {
    const { metrics, monotonicMs, logger } = this.#options;
    if (leader !== member || monotonicMs() < this.#nextMs) return;
    const [members, text] = await Promise.all([voters.list(), metrics().catch(unreadable)]);
    const active = activePeers(text);
    const able = members.filter(({ id, isLearner }) => !isLearner && active.has(id));
    const next = able[this.#turn % Math.max(1, able.length)];
    if (next === undefined) return;
    this.#turn += 1;
    this.#nextMs = monotonicMs() + PAUSE_MS;
    try {
      await voters.haveLead(next.id);
      this.#nextMs = Number.NEGATIVE_INFINITY;
      logger.info("a node leads the store in place of the witness", { member: next.name });
    } catch (error) {
      if (!isHansaError(error)) throw error;
      logger.warn("a node did not take the lead from the witness", {
        ...{ member: next.name, why: error.message },
      });
    }
  }
}

function unreadable(error: unknown): never {
  const why = error instanceof Error ? error.message : error;
  throw new HansaError("STORE_UNREACHABLE", `etcd's metrics cannot be read: ${why}`, {
    cause: error,
  });
}
