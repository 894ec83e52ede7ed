/**
 * The node's part in the store: makes one, takes its vote when it is given one, keeps its etcd running, and, where that leads, carries the plan of the voters out.
 *
 * Invariants: only the daemon beside the leader changes the voters, one step at a time, each from facts looked at just before; a node takes a vote only from a
 * node of its cluster, and never while it holds to another store. A step that fails is thought over anew.
 */
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { StartVoter, Voter } from "../api/store-schemas.ts";
import { isVoter } from "../client/answer-check.ts";
import { codedSentence, HansaError, isHansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import { formatMemberName } from "../membership/member-name.ts";
import { peerUrl } from "../store/etcd/etcd-config.ts";
import type { StoreStatus } from "../store/store.ts";
import { requireStoreName } from "../store/store-name.ts";
import {
  FIRST_VOTERS,
  nextVoterStep,
  type StoreMark,
  type StoreMember,
  type VoterFacts,
  type VoterNode,
  type VoterStep,
} from "../store/voter-plan.ts";
import type { VoterRecord } from "../store/voter-record.ts";
import type { NodeId } from "../values/node-id.ts";
import { askPeer } from "./ask-peer.ts";
import type { MembershipLoop } from "./membership-loop.ts";
import type { PeerRequests } from "./peer-requests.ts";
import { isHeard, type RosterNode } from "./roster.ts";
import { SerialQueue } from "./serial-queue.ts";
import type { VoterLink, VoterPlace } from "./voter-place.ts";

export interface StoreLoopOptions {
  readonly self: { readonly id: NodeId; readonly name: string };
  readonly place: VoterPlace;
  readonly membership: Pick<MembershipLoop, "roster" | "departures" | "setStore">;
  readonly peers: Pick<PeerRequests, "request" | "unreachable">;
  /** A node's address inside of the overlay. */
  readonly inside: (id: NodeId) => string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Below the configuration's own prefix lies what users write. */
export const CLUSTER_NAME_KEY = "cluster/name";
export const CONFIG_VERSION_KEY = "cluster/config-version";

/** A store of one leads itself within an election. */
const BEGIN_MS = 20_000;
const LOOK_MS = 500;
/** After a step, or while a learner catches up. */
const BUSY_LOOK_MS = 60;
const ASK_MS = 1000;
const START_MS = 5000;
/** A learner that is behind by no more entries than this has all but the last moments; etcd looks itself before it gives the vote. */
const NEAR_ENTRIES = 1000n;

export class StoreLoop {
  readonly #options: StoreLoopOptions;
  /** Making, starting and taking the vote: one after another. */
  readonly #changes: SerialQueue;
  #cancel = (): void => undefined;
  #closed = false;
  #said: string | undefined;

  constructor(options: StoreLoopOptions) {
    this.#options = options;
    this.#changes = new SerialQueue((error) =>
      options.logger.error("the store's part of this node failed", { error: `${error}` }),
    );
  }

  /** Takes up what this node had, and looks every half second from now on. */
  begin(): void {
    const { place } = this.#options;
    if (place.record) this.#changes.add(() => place.renew());
    this.#lookIn(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#changes.drained();
    await this.#options.place.close();
  }

  /** Makes the cluster's store, with this node's vote alone. Throws USAGE, STORE_EXISTS, STORE_REFUSED, and as `VoterPlace.begin`. */
  create(name: string): Promise<void> {
    requireStoreName(name);
    return this.#inTurn(() => this.#create(name));
  }

  /** Another node gives this one a place among the voters. Throws STORE_OTHER, and as `VoterPlace.begin`. */
  start(request: StartVoter): Promise<void> {
    return this.#inTurn(() => this.#start(request));
  }

  /** What this node's etcd says of itself; null on a node without. Throws as a store does. */
  async voter(): Promise<Voter> {
    const link = await this.#options.place.link();
    if (link === undefined) throw this.noStore();
    const { member, leader, isLearner, applied } = await link.store.status();
    return {
      member: member.toString(16),
      leader: leader === undefined ? null : leader.toString(16),
      isLearner,
      applied: `${applied}`,
    };
  }

  /** Gives this node's vote back, before it leaves the cluster for good. Quick where a majority answers; undefined, or why it could not. */
  async leave(): Promise<string | undefined> {
    const { place } = this.#options;
    try {
      const link = await place.link();
      if (link === undefined) return undefined;
      const members = await link.voters.list();
      const { member } = await link.store.status();
      const isLast = members.every(({ id, isLearner }) => id === member || isLearner);
      if (isLast) return undefined;
      // First the number: our etcd ends with its vote.
      await this.#raiseVersion(link);
      await link.voters.remove(member);
      return undefined;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return `its vote in the store could not be given back: ${codedSentence(error)}`;
    }
  }

  /** The nodes as the plan sees them, this one first. */
  nodes(): VoterNode[] {
    const { self, peers } = this.#options.membership.roster();
    return [this.#nodeOf(self, true), ...peers.map((peer) => this.#nodeOf(peer, isHeard(peer)))];
  }

  noStore(): HansaError {
    const { name, id } = this.#options.self;
    return new HansaError("STORE_NONE", `node ${id} (${name}) knows of no store`);
  }

  #nodeOf({ member, metadata }: RosterNode, hears: boolean): VoterNode {
    const { id, raftPort, store } = metadata;
    const url = peerUrl({ ip: this.#options.inside(id), port: raftPort });
    return { id, name: member.name, peerUrl: url, isHeard: hears, store };
  }

  async #create(name: string): Promise<void> {
    const { self, place, membership, logger } = this.#options;
    this.#refuseSecond();
    if (!FIRST_VOTERS.includes(self.id)) {
      const text = `node ${self.id} (${self.name}) has no vote: make the store on node ${FIRST_VOTERS.join(", ")}`;
      throw new HansaError("STORE_REFUSED", text);
    }
    const store = { id: randomBytes(8).toString("hex"), name, generation: 1 };
    const roster = membership.roster().self.member.name;
    await place.begin(
      { version: 1, store },
      { begins: "new", members: [{ name: roster, peerUrl: place.peerUrl }] },
    );
    try {
      const link = await place.link();
      if (link === undefined) throw this.noStore();
      await this.#untilLed(link);
      const text = (value: string): Uint8Array => new TextEncoder().encode(value);
      await link.store.commit({
        conditions: [{ key: CLUSTER_NAME_KEY, revision: 0n }],
        writes: [
          { type: "put", key: CLUSTER_NAME_KEY, value: text(name) },
          { type: "put", key: CONFIG_VERSION_KEY, value: text("1") },
        ],
      });
    } catch (error) {
      await place.end();
      throw error;
    }
    membership.setStore({ id: store.id, generation: store.generation });
    logger.info("the store was made", { name, id: store.id });
    this.#lookIn(0);
  }

  /** Throws STORE_EXISTS. */
  #refuseSecond(): void {
    const { place, membership } = this.#options;
    const { record } = place;
    if (record) {
      throw new HansaError("STORE_EXISTS", `the store ${record.store.name} exists already`);
    }
    const holder = membership.roster().peers.find(({ metadata }) => metadata.store !== undefined);
    if (holder) {
      const { id, name } = holder.metadata;
      throw new HansaError("STORE_EXISTS", `node ${id} (${name}) has a vote in a store already`);
    }
  }

  async #start({ store, member, members }: StartVoter): Promise<void> {
    const { place, membership, logger } = this.#options;
    const { record } = place;
    if (record && record.store.id !== store.id) {
      const text = `this node has a vote in the store ${record.store.name} (${record.store.id})`;
      throw new HansaError("STORE_OTHER", text);
    }
    if (record?.member === member) return place.keep();
    const next: VoterRecord = { version: 1, store, member };
    await place.begin(next, { begins: "existing", members });
    membership.setStore({ id: store.id, generation: store.generation });
    logger.info("this node takes part in the store", { name: store.name, member });
    this.#lookIn(0);
  }

  async #untilLed({ store }: VoterLink): Promise<void> {
    const endMs = this.#options.clock.monotonicMs() + BEGIN_MS;
    for (;;) {
      try {
        if ((await store.status()).leader !== undefined) return;
      } catch (error) {
        if (!isHansaError(error, "STORE_UNREACHABLE") || this.#isPast(endMs)) throw error;
      }
      if (this.#isPast(endMs)) throw new HansaError("STORE_UNREACHABLE", "the store does not lead");
      await setTimeout(BUSY_LOOK_MS);
    }
  }

  #isPast(endMs: number): boolean {
    return this.#options.clock.monotonicMs() > endMs;
  }

  #lookIn(ms: number): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(ms, () =>
      this.#changes.add(async () => {
        let isBusy = false;
        try {
          isBusy = await this.#look();
        } finally {
          this.#lookIn(isBusy ? BUSY_LOOK_MS : LOOK_MS);
        }
      }),
    );
  }

  /** True when something was done or is under way. Says what fails once, until it is something else. */
  async #look(): Promise<boolean> {
    const { place, logger } = this.#options;
    if (place.record === undefined) return false;
    try {
      if (place.isLost) return await this.#giveUp();
      await place.keep();
      const link = await place.link();
      const status = await link?.store.status();
      await place.settle();
      const isLeading = status !== undefined && status.leader === status.member;
      const busy = link && isLeading ? await this.#lead(link, status, place.record.store) : false;
      this.#said = undefined;
      return busy;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      const sentence = codedSentence(error);
      if (sentence !== this.#said) logger.warn("the store waits", { why: sentence });
      this.#said = sentence;
      return false;
    }
  }

  /** This voter's data is gone: who leads takes its vote away and lets it begin anew, because the node names no store any more. */
  async #giveUp(): Promise<boolean> {
    const { place, membership, logger } = this.#options;
    logger.error("the data of the store is gone from this node", { store: place.record?.store.id });
    await place.end();
    membership.setStore(undefined);
    return false;
  }

  async #lead(link: VoterLink, status: StoreStatus, store: VoterRecord["store"]): Promise<boolean> {
    const members = await link.voters.list();
    const all = new Set(members.map(({ id }) => id));
    const known = this.#facts(store, members);
    const hasLearner = members.some(({ isLearner }) => isLearner);
    // Asking all voters costs: only when an answer could matter.
    const hoped = nextVoterStep({ ...known, following: all, inSync: all });
    if (hoped === undefined) return hasLearner;
    const step = nextVoterStep({ ...known, ...(await this.#asked(members, status, known.nodes)) });
    if (step === undefined) return hasLearner;
    await this.#carryOut(step, link, store);
    return true;
  }

  #facts(
    store: StoreMark,
    members: readonly StoreMember[],
  ): Omit<VoterFacts, "following" | "inSync"> {
    const departed = this.#options.membership.departures.map(formatMemberName);
    return {
      ...{ store, members, nodes: this.nodes(), departed: new Set(departed) },
      wanted: new Set(FIRST_VOTERS),
    };
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
        node.id !== this.#options.self.id &&
        members.some(({ peerUrl: url }) => url === node.peerUrl),
    );
    for (const voter of await Promise.all(others.map((node) => this.ask(node.id)))) {
      if (voter?.leader !== leader.toString(16)) continue;
      const id = BigInt(`0x${voter.member}`);
      following.add(id);
      if (applied - BigInt(voter.applied) <= NEAR_ENTRIES) inSync.add(id);
    }
    return { following, inSync };
  }

  /** What another node's etcd says; undefined when it or its daemon does not answer. */
  async ask(id: NodeId): Promise<Voter | undefined> {
    const { peers, membership } = this.#options;
    const peer = membership.roster().peers.find(({ metadata }) => metadata.id === id);
    if (peer === undefined) return undefined;
    try {
      const question = { method: "GET", path: "/v1/store/voter", timeoutMs: ASK_MS } as const;
      const answer = await askPeer(peers, peer.metadata, question);
      return isVoter(answer) ? answer : undefined;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      return undefined;
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
        await this.#raiseVersion(link);
        break;
      case "remove":
        await voters.remove(step.member.id);
        if (!step.member.isLearner) await this.#raiseVersion(link);
        break;
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
    const { membership, peers } = this.#options;
    const peer = membership.roster().peers.find(({ metadata }) => metadata.id === node.id);
    if (peer === undefined) return;
    const body: StartVoter = {
      ...{ store, member: member.id.toString(16) },
      // etcd compares places; one that has not started has no name yet, but the new one must know its own.
      members: members.map(({ id, name, peerUrl: url }) => ({
        ...{ name: id === member.id ? node.name : name || id.toString(16), peerUrl: url },
      })),
    };
    const question = { method: "POST", path: "/v1/store/start", timeoutMs: START_MS } as const;
    await askPeer(peers, peer.metadata, { ...question, body });
  }

  /** One more change of the voters: a number for people, which a daemon that dies just here leaves one too low or too high. */
  async #raiseVersion({ store }: VoterLink): Promise<void> {
    for (;;) {
      const { entry } = await store.get(CONFIG_VERSION_KEY);
      const now = Number(new TextDecoder().decode(entry?.value)) || 0;
      const { ok } = await store.commit({
        conditions: [{ key: CONFIG_VERSION_KEY, revision: entry?.revision ?? 0n }],
        writes: [
          { type: "put", key: CONFIG_VERSION_KEY, value: new TextEncoder().encode(`${now + 1}`) },
        ],
      });
      if (ok) return;
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#changes.add(() => work().then(resolve, reject));
    return promise;
  }
}
