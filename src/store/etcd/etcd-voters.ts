/** The members of a store, listed and changed through one voter's etcd. Each change is sent once. */
import type { StoreMember } from "../voter-plan.ts";
import type { Member } from "./etcd_pb.js";
import { ALONE, asked, type CallOptions, type EtcdChannel, WITH_LEADER } from "./etcd-channel.ts";

/** etcd itself gives up after an election's time. */
const TRANSFER: CallOptions = { ...ALONE, timeoutMs: 4000 };

export class EtcdVoters {
  readonly #channel: EtcdChannel;

  /** The channel stays the caller's. */
  constructor(channel: EtcdChannel) {
    this.#channel = channel;
  }

  /** As this voter knows them; needs no majority. Throws as a store does. */
  async list(): Promise<StoreMember[]> {
    const { members } = await asked(this.#channel.cluster.memberList({}, ALONE));
    return members.map(memberOf);
  }

  /** Adds one that receives the log and has no vote. Throws STORE_REFUSED while there is one already. */
  async addLearner(peerUrl: string): Promise<void> {
    const request = { peerURLs: [peerUrl], isLearner: true };
    await asked(this.#channel.cluster.memberAdd(request, WITH_LEADER));
  }

  /** Gives a learner its vote. Throws STORE_REFUSED while it lacks more of the log than etcd allows. */
  async promote(id: bigint): Promise<void> {
    await asked(this.#channel.cluster.memberPromote({ ID: id }, WITH_LEADER));
  }

  /** Gives the lead that this voter has to another one; meanwhile nothing is written. Throws as a store does, where that one does not come to it. */
  async haveLead(id: bigint): Promise<void> {
    await asked(this.#channel.maintenance.moveLeader({ targetID: id }, TRANSFER));
  }

  async remove(id: bigint): Promise<void> {
    await asked(this.#channel.cluster.memberRemove({ ID: id }, WITH_LEADER));
  }

  /** Has the others look for it at another place. */
  async move(id: bigint, peerUrl: string): Promise<void> {
    await asked(this.#channel.cluster.memberUpdate({ ID: id, peerURLs: [peerUrl] }, WITH_LEADER));
  }
}

function memberOf({ ID, name, peerURLs, isLearner }: Member): StoreMember {
  return { id: ID, name, peerUrl: peerURLs[0] ?? "", isLearner };
}
