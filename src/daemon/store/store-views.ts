/**
 * The store as people look at it: its votes, who of them answers, and how current that is.
 *
 * Invariant: what is said of another node is its own word, or gossip's where that one is away.
 */
import type { StoreView } from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { CONFIG_VERSION_KEY, versionIn } from "../../store/node-registry.ts";
import type { Reached } from "../../store/node-store.ts";
import type { Entry, Found, Store, StoreStatus } from "../../store/store.ts";
import type { NamedStore } from "../../store/store-copy.ts";
import type { StoreMirror } from "../../store/store-mirror.ts";
import { LEAST_TIMING } from "../../store/store-times.ts";
import { TIMES_KEY, timesIn } from "../../store/times-entry.ts";
import {
  majorityOf,
  nodeOf,
  type StoreMember,
  type VoterNode,
  WITNESS,
} from "../../store/voter-plan.ts";
import { WANTED_KEY, wantedIn } from "../../store/votes.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { votesIn } from "../votes/known-votes.ts";
import type { VoterLead } from "../votes/voter-lead.ts";
import { voterName } from "../votes/voter-names.ts";
import { voterSlow } from "../votes/voter-word.ts";
import type { WitnessKeeper } from "../votes/witness-keeper.ts";
import type { StoreLoop } from "./store-loop.ts";

export interface StoreViewsOptions {
  readonly loop: Pick<StoreLoop, "voter">;
  readonly lead: Pick<VoterLead, "nodes" | "hear">;
  readonly witness: Pick<WitnessKeeper, "record" | "link">;
  readonly mirror: Pick<StoreMirror, "revision" | "ageMs" | "get" | "list">;
  readonly membership: Pick<MembershipLoop, "roster">;
}

/** Another voter's word of itself. */
const VOTER_MS = 1000;

export class StoreViews {
  readonly #options: StoreViewsOptions;

  constructor(options: StoreViewsOptions) {
    this.#options = options;
  }

  /** As a voter that answers has it, also one without a majority. Throws as a store does. */
  async of({ mark, store, voters }: Reached): Promise<StoreView> {
    const { lead, membership } = this.#options;
    const [status, members, wanted, times] = await Promise.all([
      store.status(),
      voters.list(),
      ...[WANTED_KEY, TIMES_KEY].map((key) => store.get(key, { consistency: "local" })),
    ] as const);
    const own = membership.roster().self.member.name;
    const nodes = lead.nodes();
    // Side by side: voters may be far from each other.
    const [version, ...states] = await Promise.all([
      this.#version(store),
      ...members.map((member) => this.#stateOf(member, status, nodes)),
    ]);
    const listed = members.map((member, index) => {
      const url = new URL(member.peerUrl);
      return {
        ...voterName(member, this.#options),
        address: url.host,
        hasVote: !member.isLearner,
        ...(states[index] ?? SILENT),
        isLocal: member.name === own,
      };
    });
    const votes = listed.filter(({ hasVote }) => hasVote);
    const leader = listed.find(({ state }) => state === "leads");
    return {
      ...{ name: mark.name, id: mark.id, generation: mark.generation },
      configVersion: version.number,
      quorate: version.isQuorate,
      votes: {
        expected: votes.length,
        answering: votes.filter(({ state }) => state !== "silent" && state !== "away").length,
        needed: majorityOf(votes.length),
      },
      leader: version.isQuorate && leader ? { id: leader.id, name: leader.name } : null,
      voters: listed.toSorted((a, b) => a.id - b.id || (a.name < b.name ? -1 : 1)),
      wanted: wantedIn(wanted?.entry?.value),
      times: shownTimes(times?.entry),
      witness: this.#witness(votes),
      term: Number(status.term),
      bytes: Number(status.bytes),
      stale: false,
      copy: this.#copy(),
    };
  }

  async #stateOf(
    member: StoreMember,
    { member: asked, leader }: StoreStatus,
    nodes: readonly VoterNode[],
  ): Promise<VoterState> {
    if (member.id === asked) return stateOf(leader === undefined, leader === member.id);
    const node = nodeOf(member, nodes);
    if (node === undefined || !node.isHeard) return { state: "away", problem: null };
    const { lead, loop, membership } = this.#options;
    const isOwn = node.name === membership.roster().self.member.name;
    // The first time a connection is made, which takes longer; it is then there for the next.
    const waited = new Promise<undefined>((resolve) => {
      setTimeout(resolve, VOTER_MS, undefined).unref();
    });
    const told = isOwn ? loop.voter().catch(refusalOf) : lead.hear(node.id);
    const voter = await Promise.race([told, waited]);
    if (voter instanceof HansaError) return silent(voter);
    if (voter === undefined) return SILENT;
    if (voter.isLate) return silent(voterSlow(voter.times?.fsyncMs ?? null));
    return stateOf(voter.leader === null, voter.leader === voter.member);
  }

  #witness(votes: readonly { readonly id: number }[]): StoreView["witness"] {
    const { record, link } = this.#options.witness;
    if (record === undefined) return null;
    const isHeard = link?.state.isHeard === true;
    const { host, port } = record;
    return { host, port, isHeard, hasVote: votes.some(({ id }) => id === WITNESS) };
  }

  /** This node's own copy of it. */
  #copy(): StoreView["copy"] {
    const { revision, ageMs } = this.#options.mirror;
    return ageMs === undefined ? null : { revision: `${revision}`, ageMs: Math.round(ageMs) };
  }

  /** As this node's copy has it. */
  remembered(mark: NamedStore): StoreView {
    const { lead, membership, mirror } = this.#options;
    const own = membership.roster().self.member.name;
    const nodes = lead.nodes();
    const voters = votesIn(mirror).map((member): StoreView["voters"][number] => {
      const node = nodeOf(member, nodes);
      return {
        ...voterName(member, this.#options),
        address: node ? new URL(node.peerUrl).host : "unknown",
        hasVote: true,
        state: node?.isHeard === true ? "silent" : "away",
        problem: null,
        isLocal: member.name === own,
      };
    });
    return {
      ...{ name: mark.name, id: mark.id, generation: mark.generation },
      configVersion: versionIn(mirror.get(CONFIG_VERSION_KEY)) || null,
      quorate: false,
      votes: { expected: voters.length, answering: 0, needed: majorityOf(voters.length) },
      leader: null,
      voters: voters.toSorted((a, b) => a.id - b.id || (a.name < b.name ? -1 : 1)),
      wanted: wantedIn(mirror.get(WANTED_KEY)?.value),
      times: shownTimes(mirror.get(TIMES_KEY)),
      witness: this.#witness(voters),
      term: 0,
      bytes: null,
      stale: true,
      copy: this.#copy(),
    };
  }

  /** Read by a majority, and where there is none, as this node has it. */
  async #version(
    store: Store,
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
}

function shownTimes(entry: Entry | undefined): StoreView["times"] {
  const { timing = LEAST_TIMING, roundTripMs = null, fsyncMs = null } = timesIn(entry?.value) ?? {};
  return { ...timing, roundTripMs, fsyncMs };
}

type VoterState = Pick<StoreView["voters"][number], "state" | "problem">;
const SILENT: VoterState = { state: "silent", problem: null };

function stateOf(hasNoLeader: boolean, leads: boolean): VoterState {
  if (hasNoLeader) return { state: "waits", problem: null };
  return { state: leads ? "leads" : "follows", problem: null };
}

/** A node that cannot take its vote, or whose etcd does not answer. */
function silent(error: HansaError): VoterState {
  // It was not asked yet: there is nothing to say of it.
  if (error.code === "STORE_NONE") return SILENT;
  return { state: "silent", problem: problemOf(error) };
}

function problemOf({ code, message, hint }: HansaError): VoterState["problem"] {
  return { code, message, hint };
}

function refusalOf(error: unknown): HansaError {
  if (isHansaError(error)) return error;
  throw error;
}
