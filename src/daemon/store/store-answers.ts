/**
 * What the API answers about the store, and what it reads and writes in it: by whichever voter this node reaches.
 *
 * Invariant: a refusal for want of a majority names the votes that are missing, as gossip knows them.
 */
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigHistory,
  ConfigKey,
  ConfigPrefix,
  ConfigPut,
  ConfigWritten,
  CopiesInReach,
  CopyPart,
  CopyPartRequest,
  EndVoter,
  Expected,
  GiveVote,
  OwnCopies,
  ReadConfig,
  RecoveryTurn,
  RecoveryTurnRequest,
  Refounded,
  Restore,
  StartVoter,
  StoreView,
  Times,
  Voter,
} from "../../api/store-schemas.ts";
import type {
  RemovedWitness,
  RemoveWitness,
  SetupWitness,
  WitnessReach,
  WitnessReached,
} from "../../api/witness-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { CONFIG_VERSION_KEY, versionIn } from "../../store/node-registry.ts";
import type { NodeStore, Reached } from "../../store/node-store.ts";
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
import { shortAge } from "../../values/short-age.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { nodeNameIn, votesIn, votesSentence } from "../votes/known-votes.ts";
import { VoteDesk } from "../votes/vote-desk.ts";
import type { VoterLead } from "../votes/voter-lead.ts";
import type { WitnessDesk } from "../votes/witness-desk.ts";
import type { WitnessKeeper } from "../votes/witness-keeper.ts";
import { CONFIG_PREFIX, ConfigAnswers } from "./config-answers.ts";
import { historyOf } from "./config-history.ts";
import { ConfigWatch, toldChange } from "./config-watch.ts";
import type { CopyDesk } from "./copy-desk.ts";
import type { RecoveryTurns } from "./recovery-turns.ts";
import type { StoreLoop } from "./store-loop.ts";
import type { StoreRecovery } from "./store-recovery.ts";

export interface StoreAnswersOptions {
  readonly loop: StoreLoop;
  readonly desk: CopyDesk;
  readonly recovery: StoreRecovery;
  readonly turns: Pick<RecoveryTurns, "give">;
  readonly lead: VoterLead;
  readonly witness: Pick<WitnessKeeper, "record" | "link">;
  readonly witnessDesk: WitnessDesk;
  readonly store: Pick<NodeStore, "get" | "list" | "commit" | "read" | "reach" | "leave">;
  readonly mirror: Pick<
    StoreMirror,
    "store" | "revision" | "ageMs" | "get" | "list" | "seenAtMs" | "written"
  >;
  readonly membership: Pick<MembershipLoop, "roster">;
}

/** A voter answers by itself which votes there are. */
const LIST_MS = 200;

/** Another voter's word of itself. */
const VOTER_MS = 1000;

export class StoreAnswers {
  readonly #options: StoreAnswersOptions;
  readonly #config: ConfigAnswers;
  readonly #watch: ConfigWatch;

  constructor(options: StoreAnswersOptions) {
    this.#options = options;
    const { store, mirror } = options;
    this.#watch = new ConfigWatch({ store, inPlainWords: (error) => this.#inPlainWords(error) });
    this.#config = new ConfigAnswers({
      ...{ store, mirror, inPlainWords: (error) => this.#inPlainWords(error) },
    });
  }

  async create(name: string): Promise<StoreView> {
    const { loop, mirror } = this.#options;
    const known = mirror.store;
    if (known !== undefined && !loop.hasVote) {
      const age = shortAge((mirror.ageMs ?? 0) / 1000);
      const text = `this node has a copy of the store ${known.name}, as of ${age} ago`;
      const hint = "bring its votes back; where they are gone for ever: hansa expected 1";
      throw new HansaError("STORE_EXISTS", text, { hint });
    }
    await loop.create(name);
    return await this.view();
  }

  async start(request: StartVoter): Promise<Record<string, never>> {
    await this.#options.loop.start(request);
    return {};
  }

  async end(request: EndVoter): Promise<Record<string, never>> {
    await this.#options.loop.end(request);
    return {};
  }

  /** Gives a node a vote, or takes it: whoever leads does it then. Throws NODE_NOT_FOUND, NODE_UNREACHABLE, STORE_REFUSED, and as all that writes. */
  vote(request: GiveVote): Promise<StoreView> {
    const desk = new VoteDesk(this.#options.membership);
    return this.#use((store) => desk.change(store, request, () => this.view()));
  }

  async setupWitness(request: SetupWitness): Promise<StoreView> {
    const { witnessDesk } = this.#options;
    await this.#use((store) => witnessDesk.setup(store, request, () => this.view()));
    return await this.view();
  }

  removeWitness(request: RemoveWitness): Promise<RemovedWitness> {
    const { witnessDesk } = this.#options;
    return this.#use((store) => witnessDesk.remove(store, request, () => this.view()));
  }

  reachWitness(request: WitnessReach): Promise<WitnessReached> {
    return this.#options.witnessDesk.reach(request);
  }

  copies(): Promise<OwnCopies> {
    return this.#options.desk.answer();
  }

  copyPart(request: CopyPartRequest): Promise<CopyPart> {
    return this.#options.desk.part(request);
  }

  inReach({ votes }: Expected): Promise<CopiesInReach> {
    return this.#options.recovery.inReach(votes);
  }

  expect({ votes }: Expected): Promise<Refounded> {
    return this.#options.recovery.expect(votes);
  }

  restore({ force }: Restore): Promise<Refounded> {
    return this.#options.recovery.restore(force);
  }

  async turn(request: RecoveryTurnRequest): Promise<RecoveryTurn> {
    return this.#options.turns.give(request);
  }

  async defragment(): Promise<Record<string, never>> {
    await this.#options.loop.defragment();
    return {};
  }

  async retime(times: Times): Promise<Record<string, never>> {
    await this.#options.loop.retime(times);
    return {};
  }

  voter(): Promise<Voter> {
    return this.#options.loop.voter();
  }

  /** Of a voter, also of one without a majority; where none answers, as this node's copy has it. Throws STORE_NONE, STORE_NO_QUORUM. */
  async view(): Promise<StoreView> {
    try {
      return await this.#use((store) => store.read((reached) => this.#view(reached)));
    } catch (error) {
      const { mirror } = this.#options;
      const isLost =
        isHansaError(error, "STORE_NO_QUORUM") || isHansaError(error, "STORE_UNREACHABLE");
      if (!isLost || mirror.store === undefined) throw error;
      return this.#remembered(mirror.store);
    }
  }

  get(request: ConfigKey & ReadConfig): Promise<ConfigEntry> {
    return this.#config.get(request);
  }

  list(request: ConfigPrefix & ReadConfig): Promise<ConfigEntries> {
    return this.#config.list(request);
  }

  async history({ key }: ConfigKey): Promise<ConfigHistory> {
    const { mirror } = this.#options;
    const { changes, isWhole } = await this.#use((store) =>
      store.read((reached) => historyOf(reached.store, CONFIG_PREFIX + key)),
    );
    const listed = changes.map((change) => {
      const told = toldChange(change);
      return { ...told, seenAtMs: mirror.seenAtMs(BigInt(told.revision)) ?? null };
    });
    return { changes: listed, whole: isWhole };
  }

  watch(
    prefix: string,
    after: string | undefined,
    signal: AbortSignal,
    who: string,
  ): AsyncIterable<object> {
    return this.#watch.watch(prefix, after, signal, who);
  }

  put(request: ConfigPut): Promise<ConfigWritten> {
    return this.#config.put(request);
  }

  remove(request: ConfigKey): Promise<ConfigWritten> {
    return this.#config.remove(request);
  }

  /** Throws STORE_NONE where nobody knows of a store. */
  async #use<T>(work: (store: StoreAnswersOptions["store"]) => Promise<T>): Promise<T> {
    try {
      return await work(this.#options.store);
    } catch (error) {
      throw await this.#inPlainWords(error);
    }
  }

  async #view({ mark, store, voters }: Reached): Promise<StoreView> {
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
        ...this.#named(member),
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

  #remembered(mark: NamedStore): StoreView {
    const { lead, membership, mirror } = this.#options;
    const own = membership.roster().self.member.name;
    const nodes = lead.nodes();
    const voters = votesIn(mirror).map((member): StoreView["voters"][number] => {
      const node = nodeOf(member, nodes);
      return {
        ...this.#named(member),
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

  /** Id and name of a member's node, as far as anybody here knows them. */
  #named(member: StoreMember): { readonly id: number; readonly name: string } {
    const { self, peers } = this.#options.membership.roster();
    const node = nodeOf(member, this.#options.lead.nodes());
    const found = [self, ...peers].find((each) => each.member.name === node?.name);
    if (found) return { id: found.metadata.id, name: found.metadata.name };
    const name = nodeNameIn(this.#options.mirror, member.name);
    const id = Number.parseInt(member.name, 10) || 0;
    return { id, name: name ?? (member.name || "not started") };
  }

  /** A refusal for want of a majority, with the votes that are missing. */
  async #inPlainWords(error: unknown): Promise<unknown> {
    const isLost =
      isHansaError(error, "STORE_NO_QUORUM") ||
      isHansaError(error, "STORE_UNREACHABLE") ||
      isHansaError(error, "NODE_UNREACHABLE");
    if (!isLost) return error;
    const { loop, lead, membership } = this.#options;
    const members = await this.#knownMembers();
    if (members.length === 0) {
      const isHeldTo = membership.roster().peers.some(({ metadata }) => metadata.store);
      return isHeldTo || loop.hasVote ? error : loop.noStore();
    }
    const text = votesSentence(members, lead.nodes(), (member) => this.#named(member));
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
function silent({ code, message, hint }: HansaError): VoterState {
  // It was not asked yet: there is nothing to say of it.
  if (code === "STORE_NONE") return SILENT;
  return { state: "silent", problem: { code, message, hint } };
}

function refusalOf(error: unknown): HansaError {
  if (isHansaError(error)) return error;
  throw error;
}
