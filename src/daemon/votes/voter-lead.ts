/**
 * Leads the store's voters: carries out, step by step, the plan of which node has a vote. Used by the daemon beside the etcd that leads.
 *
 * Invariant: each step is thought out from facts looked at just before, and nothing is kept between two, so that whoever leads next goes on from there.
 */
import type { StartVoter, Voter } from "../../api/store-schemas.ts";
import { isVoter } from "../../client/store-check.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Logger } from "../../host/logger.ts";
import { formatMemberName } from "../../membership/member-name.ts";
import { peerUrl } from "../../store/etcd/etcd-config.ts";
import type { Entry, StoreStatus } from "../../store/store.ts";
import {
  nextVoterStep,
  type StoreMark,
  type StoreMember,
  type VoterFacts,
  type VoterNode,
  type VoterStep,
  WITNESS,
} from "../../store/voter-plan.ts";
import type { VoterRecord } from "../../store/voter-record.ts";
import {
  encodeGiven,
  GIVEN_KEY,
  givenIn,
  nextGiven,
  VOTES_PREFIX,
  WANTED_KEY,
  wantedIn,
} from "../../store/votes.ts";
import type { NodeId } from "../../values/node-id.ts";
import { askPeer } from "../doors/ask-peer.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard, type RosterNode } from "../membership/roster.ts";
import type { VoterLink } from "./etcd-connections.ts";
import { RegistryKeeper } from "./registry-keeper.ts";
import { VoteRefusals } from "./vote-refusals.ts";
import type { WitnessLink } from "./witness-link.ts";

export interface VoterLeadOptions {
  readonly self: NodeId;
  readonly membership: Pick<MembershipLoop, "roster" | "departures">;
  readonly peers: Pick<PeerRequests, "request" | "unreachable">;
  /** A node's address inside of the overlay. */
  readonly inside: (id: NodeId) => string;
  /** The voter that is no node, where there is one. */
  readonly witness: {
    readonly node: VoterNode | undefined;
    readonly link: Pick<WitnessLink, "ask"> | undefined;
    voter(): Promise<Voter | undefined>;
  };
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** Also of a voter far away, to which a connection is made first; of one that is held dead meanwhile nobody waits any more. */
const ASK_MS = 2500;
/** Twins are told apart in less. */
const STEADY_MS = 10_000;
const START_MS = 5000;
/** A learner that is behind by no more entries than this has all but the last moments; etcd looks itself before it gives the vote. */
const NEAR_ENTRIES = 1000n;

export class VoterLead {
  readonly #options: VoterLeadOptions;

  readonly #registry: RegistryKeeper;

  /** Nodes that cannot take the votes that they are to have. */
  readonly refusals: VoteRefusals;

  constructor(options: VoterLeadOptions) {
    this.#options = options;
    this.refusals = new VoteRefusals({ monotonicMs: options.nowMs });
    this.#registry = new RegistryKeeper(options.logger);
  }

  /** The nodes as the plan sees them, this one first, the witness last. */
  nodes(): VoterNode[] {
    const { self, peers } = this.#options.membership.roster();
    const witness = this.#options.witness.node;
    const nodes = peers.map((peer) => this.#nodeOf(peer, isHeard(peer)));
    return [this.#nodeOf(self, true), ...nodes, ...(witness ? [witness] : [])];
  }

  #nodeOf({ member, metadata }: RosterNode, hears: boolean): VoterNode {
    const { id, raftPort, store } = metadata;
    const isSteady = hears && this.#options.nowMs() - member.sinceMs >= STEADY_MS;
    const url = peerUrl({ ip: this.#options.inside(id), port: raftPort });
    return { id, name: member.name, peerUrl: url, isHeard: hears, isSteady, store };
  }

  /** Takes the next step of the plan; true when there was one, or one is waited for. Throws as the store and the nodes do. */
  async lead(link: VoterLink, status: StoreStatus, store: VoterRecord["store"]): Promise<boolean> {
    if (await this.#register(link, status, store)) return true;
    const [members, written] = await Promise.all([link.voters.list(), writtenVotes(link)]);
    if (await this.#writeDown(link, members, written.given)) return true;
    const all = new Set(members.map(({ id }) => id));
    const wanted = wantedIn(written.wanted?.value);
    this.refusals.keepOnly([...wanted, WITNESS]);
    const known = this.#facts(store, members, wanted);
    const hasLearner = members.some(({ isLearner }) => isLearner);
    // Asking all voters costs: only when an answer could matter.
    const hoped = nextVoterStep({ ...known, following: all, inSync: all });
    if (hoped === undefined) return hasLearner;
    const step = nextVoterStep({ ...known, ...(await this.#asked(members, status, known.nodes)) });
    if (step === undefined) return hasLearner;
    await this.#carryOut(step, link, store);
    return true;
  }

  /** Writes down who came and who is gone; true when it had to. */
  #register(
    link: VoterLink,
    { term }: StoreStatus,
    { id, generation }: StoreMark,
  ): Promise<boolean> {
    const { self, peers } = this.#options.membership.roster();
    const nodes = this.nodes();
    const seen = [self, ...peers].map(({ metadata, member }, index) => {
      const { isHeard: hears, isSteady } = nodes[index] ?? { isHeard: false, isSteady: false };
      const { id: number, name } = metadata;
      return { id: number, name, member: member.name, isHeard: hears, isSteady };
    });
    return this.#registry.keep(link.store, `${id} ${generation} ${term}`, seen, this.#departed());
  }

  /** Names of members that are gone for good. */
  #departed(): ReadonlySet<string> {
    return new Set(this.#options.membership.departures.map(formatMemberName));
  }

  #facts(
    store: StoreMark,
    members: readonly StoreMember[],
    wanted: readonly NodeId[],
  ): Omit<VoterFacts, "following" | "inSync"> {
    return {
      ...{ store, members, nodes: this.nodes(), departed: this.#departed() },
      wanted: new Set(wanted),
      unable: this.refusals.unable,
    };
  }

  /** Who has a vote, into the store, so that each copy of it tells whose votes are missing; true when it had to be written. */
  async #writeDown(
    { store }: VoterLink,
    members: readonly StoreMember[],
    given: Entry | undefined,
  ): Promise<boolean> {
    const next = nextGiven(members, givenIn(given?.value));
    if (next === undefined) return false;
    const { ok } = await store.commit({
      conditions: [{ key: GIVEN_KEY, revision: given?.revision ?? 0n }],
      writes: [{ type: "put", key: GIVEN_KEY, value: encodeGiven(next) }],
    });
    return ok;
  }

  /** Who follows our etcd, by the word of each one's own daemon. */
  async #asked(
    members: readonly StoreMember[],
    { member: leader, applied }: StoreStatus,
    nodes: readonly VoterNode[],
  ): Promise<Pick<VoterFacts, "following" | "inSync">> {
    const following = new Set([leader]);
    const inSync = new Set<bigint>();
    const others = nodes.filter(
      (node) =>
        node.isHeard &&
        node.id !== this.#options.self &&
        members.some(({ peerUrl: url }) => url === node.peerUrl),
    );
    for (const voter of await Promise.all(others.map((node) => this.ask(node.id)))) {
      if (voter?.leader !== leader.toString(16) || voter.isLate) continue;
      const id = BigInt(`0x${voter.member}`);
      following.add(id);
      if (applied - BigInt(voter.applied) <= NEAR_ENTRIES) inSync.add(id);
    }
    return { following, inSync };
  }

  /** What another node's etcd says; undefined when it or its daemon does not answer. */
  async ask(id: NodeId): Promise<Voter | undefined> {
    const told = await this.hear(id);
    return told instanceof HansaError ? undefined : told;
  }

  /** The same, or why its daemon cannot tell; undefined for a node that is not known. */
  async hear(id: NodeId): Promise<Voter | HansaError | undefined> {
    const { peers, membership, witness } = this.#options;
    if (id === WITNESS) return await witness.voter();
    const peer = membership.roster().peers.find(({ metadata }) => metadata.id === id);
    if (peer === undefined) return undefined;
    try {
      const question = { method: "GET", path: "/v1/store/voter", timeoutMs: ASK_MS } as const;
      const answer = await askPeer(peers, peer.metadata, question);
      return isVoter(answer) ? answer : undefined;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return error;
    }
  }

  async #carryOut(step: VoterStep, link: VoterLink, store: VoterRecord["store"]): Promise<void> {
    const { logger } = this.#options;
    const { voters } = link;
    const what = "node" in step ? step.node.name : step.member.name || step.member.peerUrl;
    switch (step.step) {
      case "add":
        await voters.addLearner(step.node.peerUrl);
        break;
      case "start":
        return this.#have(step.node, step.member, await voters.list(), store);
      case "promote":
        try {
          await voters.promote(step.member.id);
        } catch (error) {
          // It lacks a little yet.
          if (isHansaError(error, "STORE_REFUSED")) return;
          throw error;
        }
        break;
      case "remove":
        await voters.remove(step.member.id);
        break;
      case "end": {
        const { id, generation } = store;
        await this.tell(step.node, "/v1/store/end", { store: { id, generation } });
        break;
      }
      case "move":
        await voters.move(step.member.id, step.peerUrl);
        break;
    }
    const why = step.step === "remove" ? { why: step.why } : {};
    logger.info("the store's voters change", { step: step.step, member: what, ...why });
  }

  /** Tells the node to run its etcd as the member that it was made. */
  async #have(
    node: VoterNode,
    member: StoreMember,
    members: readonly StoreMember[],
    store: VoterRecord["store"],
  ): Promise<void> {
    const body: StartVoter = {
      ...{ store, member: member.id.toString(16) },
      // etcd compares places; one that has not started has no name yet, but the new one must know its own.
      members: members.map(({ id, name, peerUrl: url }) => ({
        ...{ name: id === member.id ? node.name : name || id.toString(16), peerUrl: url },
      })),
    };
    try {
      await this.tell(node, "/v1/store/start", body);
      this.refusals.clear(node.id);
    } catch (error) {
      // One that does not answer may do so in a moment.
      if (isHansaError(error) && error.code !== "NODE_UNREACHABLE") {
        this.refusals.note(node.id, error);
      }
      throw error;
    }
  }

  /** Has another node do something. Throws NODE_UNREACHABLE, and as it refuses. */
  async tell(
    node: Pick<VoterNode, "id">,
    path: `/v1/${string}`,
    body: object | undefined,
    timeoutMs = START_MS,
  ): Promise<void> {
    const { membership, peers, witness } = this.#options;
    if (node.id === WITNESS) {
      const op = path.slice(path.lastIndexOf("/") + 1);
      await witness.link?.ask(op, body === undefined ? {} : { request: body }, timeoutMs);
      return;
    }
    const peer = membership.roster().peers.find(({ metadata }) => metadata.id === node.id);
    if (peer === undefined) return;
    await askPeer(peers, peer.metadata, { method: "POST", path, timeoutMs, body });
  }
}

/** What the store says of its votes, as our own etcd, which leads, has it. */
async function writtenVotes({ store }: VoterLink): Promise<{
  readonly wanted: Entry | undefined;
  readonly given: Entry | undefined;
}> {
  const { entries } = await store.list(VOTES_PREFIX, { consistency: "local" });
  const written = (key: string): Entry | undefined => entries.find((entry) => entry.key === key);
  return { wanted: written(WANTED_KEY), given: written(GIVEN_KEY) };
}
