/**
 * What the API answers about the store, and what it reads and writes in it: by this node's own etcd, or by a node that has one.
 *
 * Invariants: a refusal for want of a majority names the votes that are missing, as gossip knows them; what changes the store is passed on to one node, once.
 */
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigKey,
  ConfigPrefix,
  ConfigPut,
  ConfigWritten,
  StartVoter,
  StoreView,
  Voter,
} from "../api/store-schemas.ts";
import {
  type Check,
  isConfigEntries,
  isConfigEntry,
  isConfigWritten,
  isStoreView,
} from "../client/answer-check.ts";
import { HansaError, isHansaError } from "../errors.ts";
import { CONFIG_VERSION_KEY, versionIn } from "../store/node-registry.ts";
import type { Entry, Found, Write } from "../store/store.ts";
import { majorityOf, nodeOf, type StoreMember } from "../store/voter-plan.ts";
import { askPeer } from "./ask-peer.ts";
import type { MembershipLoop } from "./membership-loop.ts";
import type { PeerRequests } from "./peer-requests.ts";
import { isHeard, type RosterNode } from "./roster.ts";
import type { StoreLoop } from "./store-loop.ts";
import type { VoterLead } from "./voter-lead.ts";
import type { VoterLink, VoterPlace } from "./voter-place.ts";

export interface StoreAnswersOptions {
  readonly loop: StoreLoop;
  readonly lead: VoterLead;
  readonly place: VoterPlace;
  readonly membership: Pick<MembershipLoop, "roster">;
  readonly peers: Pick<PeerRequests, "request" | "unreachable">;
}

/** All that users write lies below it. */
const CONFIG = "config/";
/** Below what who asked waits: a voter answers within its own deadline. */
const PASSED_ON_MS = 3000;

export class StoreAnswers {
  readonly #options: StoreAnswersOptions;

  constructor(options: StoreAnswersOptions) {
    this.#options = options;
  }

  async create(name: string): Promise<StoreView> {
    await this.#options.loop.create(name);
    return await this.view();
  }

  async start(request: StartVoter): Promise<Record<string, never>> {
    await this.#options.loop.start(request);
    return {};
  }

  voter(): Promise<Voter> {
    return this.#options.loop.voter();
  }

  /** Throws STORE_NONE, STORE_UNREACHABLE. */
  view(): Promise<StoreView> {
    return this.#here(
      (link) => this.#view(link),
      { method: "GET", path: "/v1/store" },
      isStoreView,
    );
  }

  async get(request: ConfigKey): Promise<ConfigEntry> {
    const { key } = request;
    return await this.#here(
      async ({ store }) => {
        const { entry } = await store.get(CONFIG + key);
        return { entry: entry ? textOf(entry) : null };
      },
      { method: "POST", path: "/v1/config/get", body: request },
      isConfigEntry,
    );
  }

  async list(request: ConfigPrefix): Promise<ConfigEntries> {
    const { prefix } = request;
    return await this.#here(
      async ({ store }) => ({
        entries: (await store.list(CONFIG + prefix)).entries.map(textOf),
      }),
      { method: "POST", path: "/v1/config/list", body: request },
      isConfigEntries,
    );
  }

  async put(request: ConfigPut): Promise<ConfigWritten> {
    const { key, value, revision } = request;
    const bytes = new TextEncoder().encode(value);
    return await this.#write({ type: "put", key: CONFIG + key, value: bytes }, revision, {
      method: "POST",
      path: "/v1/config/put",
      body: request,
    });
  }

  async remove(request: ConfigKey): Promise<ConfigWritten> {
    return await this.#write({ type: "remove", key: CONFIG + request.key }, undefined, {
      ...{ method: "POST", path: "/v1/config/remove", body: request },
    });
  }

  #write(write: Write, revision: string | undefined, question: Question): Promise<ConfigWritten> {
    const { key } = write;
    const conditions = revision === undefined ? [] : [{ key, revision: BigInt(revision) }];
    return this.#here(
      async ({ store }) => {
        const outcome = await store.commit({ conditions, writes: [write] });
        return { written: outcome.ok, revision: `${outcome.revision}` };
      },
      question,
      isConfigWritten,
    );
  }

  /** By our own etcd, or by the first node with a vote that answers; a refusal of the store itself is final. */
  async #here<T>(
    work: (link: VoterLink) => Promise<T>,
    question: Question,
    check: Check<T>,
  ): Promise<T> {
    const { place, loop, membership, peers } = this.#options;
    const link = await place.link();
    if (link !== undefined) {
      try {
        return await work(link);
      } catch (error) {
        throw await this.#inPlainWords(error, link);
      }
    }
    const holders = membership.roster().peers.filter(({ metadata }) => metadata.store);
    if (holders.length === 0) throw loop.noStore();
    const heard = holders.filter(isHeard);
    for (const [index, { metadata }] of heard.entries()) {
      try {
        const answer = await askPeer(peers, metadata, { ...question, timeoutMs: PASSED_ON_MS });
        if (check(answer)) return answer;
      } catch (error) {
        // Only of one that cannot have been asked is it certain that nothing was done.
        const isElsewhere = isHansaError(error, "STORE_UNREACHABLE");
        if (!isElsewhere || index === heard.length - 1) throw error;
      }
    }
    const names = holders.map(nameOf).join(", ");
    throw new HansaError("STORE_NO_QUORUM", `no node with a vote answers; those known: ${names}`);
  }

  async #view({ store, voters }: VoterLink): Promise<StoreView> {
    const { place, loop, lead } = this.#options;
    const record = place.record;
    if (record === undefined) throw loop.noStore();
    const [status, members, version] = await Promise.all([
      store.status(),
      voters.list(),
      this.#version(store),
    ]);
    const nodes = lead.nodes();
    const states = await Promise.all(
      members.map(async (member): Promise<StoreView["voters"][number]["state"]> => {
        if (member.id === status.member)
          return stateOf(status.leader === undefined, status.leader === member.id);
        const node = nodeOf(member, nodes);
        if (node === undefined || !node.isHeard) return "away";
        const voter = await lead.ask(node.id);
        if (voter === undefined) return "silent";
        return stateOf(voter.leader === null, voter.leader === voter.member);
      }),
    );
    const listed = members.map((member, index) => {
      const url = new URL(member.peerUrl);
      return {
        ...this.#named(member),
        address: url.host,
        hasVote: !member.isLearner,
        state: states[index] ?? "silent",
        isLocal: member.id === status.member,
      };
    });
    const votes = listed.filter(({ hasVote }) => hasVote);
    const leader = listed.find(({ state }) => state === "leads");
    return {
      ...{ name: record.store.name, id: record.store.id, generation: record.store.generation },
      configVersion: version.number,
      quorate: version.isQuorate,
      votes: {
        expected: votes.length,
        answering: votes.filter(({ state }) => state !== "silent" && state !== "away").length,
        needed: majorityOf(votes.length),
      },
      leader: version.isQuorate && leader ? { id: leader.id, name: leader.name } : null,
      voters: listed.toSorted((a, b) => a.id - b.id || (a.name < b.name ? -1 : 1)),
      term: Number(status.term),
      bytes: Number(status.bytes),
    };
  }

  /** Read by a majority, and where there is none, as this node has it. */
  async #version(
    store: VoterLink["store"],
  ): Promise<{ readonly number: number | null; readonly isQuorate: boolean }> {
    const numberIn = ({ entry }: Found): number | null => versionIn(entry) || null;
    try {
      return { number: numberIn(await store.get(CONFIG_VERSION_KEY)), isQuorate: true };
    } catch (error) {
      if (!isHansaError(error, "STORE_NO_QUORUM")) throw error;
      const found = await store.get(CONFIG_VERSION_KEY, { consistency: "local" });
      return { number: numberIn(found), isQuorate: false };
    }
  }

  /** Id and name of a member's node, as far as anybody here knows them. */
  #named(member: StoreMember): { readonly id: number; readonly name: string } {
    const { self, peers } = this.#options.membership.roster();
    const node = nodeOf(member, this.#options.lead.nodes());
    const found = [self, ...peers].find((each) => each.member.name === node?.name);
    if (found) return { id: found.metadata.id, name: found.metadata.name };
    return { id: Number.parseInt(member.name, 10) || 0, name: member.name || "not started" };
  }

  /** A refusal for want of a majority, with the votes that are missing. */
  async #inPlainWords(error: unknown, { voters }: VoterLink): Promise<unknown> {
    if (!isHansaError(error, "STORE_NO_QUORUM")) return error;
    try {
      const nodes = this.#options.lead.nodes();
      const votes = (await voters.list()).filter(({ isLearner }) => !isLearner);
      const missing = votes.filter((member) => nodeOf(member, nodes)?.isHeard !== true);
      const heard = votes.length - missing.length;
      const counted = `${heard} of ${votes.length} votes are heard, ${majorityOf(votes.length)} are needed`;
      const names = missing.map((member) => this.#named(member)).sort((a, b) => a.id - b.id);
      const text =
        missing.length === 0
          ? `no majority of the ${votes.length} votes answered in time, though all are heard`
          : `${counted}; missing: ${names.map(({ id, name }) => `${name} (node ${id})`).join(", ")}`;
      return new HansaError("STORE_NO_QUORUM", `the store has no majority: ${text}`, {
        cause: error,
      });
    } catch (second) {
      if (!isHansaError(second)) throw second;
      return error;
    }
  }
}

type Question =
  | { readonly method: "GET"; readonly path: "/v1/store" }
  | { readonly method: "POST"; readonly path: `/v1/config/${string}`; readonly body: unknown };

function textOf({ key, value, revision }: Entry): ConfigEntries["entries"][number] {
  return {
    ...{ key: key.slice(CONFIG.length), value: new TextDecoder().decode(value) },
    revision: `${revision}`,
  };
}

function stateOf(hasNoLeader: boolean, leads: boolean): StoreView["voters"][number]["state"] {
  if (hasNoLeader) return "waits";
  return leads ? "leads" : "follows";
}

function nameOf({ metadata }: RosterNode): string {
  return `${metadata.name} (node ${metadata.id})`;
}
