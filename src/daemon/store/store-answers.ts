/**
 * What the API answers about the store, and what it reads and writes in it: by whichever voter this node reaches.
 *
 * Invariant: a refusal for want of a majority names the votes that are missing (`MissingVotes`).
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
import type { NodeStore } from "../../store/node-store.ts";
import type { StoreMirror } from "../../store/store-mirror.ts";
import { shortAge } from "../../values/short-age.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { MissingVotes } from "../votes/missing-votes.ts";
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
import { StoreViews } from "./store-views.ts";

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

export class StoreAnswers {
  readonly #options: StoreAnswersOptions;
  readonly #views: StoreViews;
  readonly #missing: MissingVotes;
  readonly #config: ConfigAnswers;
  readonly #watch: ConfigWatch;

  constructor(options: StoreAnswersOptions) {
    this.#options = options;
    const { store, mirror, loop } = options;
    this.#views = new StoreViews(options);
    this.#missing = new MissingVotes({
      ...options,
      ...{ hasVote: () => loop.hasVote, noStore: () => loop.noStore() },
    });
    const inPlainWords = (error: unknown) => this.#missing.inPlainWords(error);
    this.#watch = new ConfigWatch({ store, inPlainWords });
    this.#config = new ConfigAnswers({ store, mirror, inPlainWords });
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
      return await this.#use((store) => store.read((reached) => this.#views.of(reached)));
    } catch (error) {
      const { mirror } = this.#options;
      const isLost =
        isHansaError(error, "STORE_NO_QUORUM") || isHansaError(error, "STORE_UNREACHABLE");
      if (!isLost || mirror.store === undefined) throw error;
      return this.#views.remembered(mirror.store);
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
      throw await this.#missing.inPlainWords(error);
    }
  }
}
