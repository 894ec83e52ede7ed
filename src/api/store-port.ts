/** What the API asks of a node about the store. See docs/internals/store.md for the codes that each throws. */
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
} from "./store-schemas.ts";
import type {
  RemovedWitness,
  RemoveWitness,
  SetupWitness,
  WitnessReach,
  WitnessReached,
} from "./witness-schemas.ts";

export interface StorePort {
  /** Takes a box in as the witness; written down when it resolves. Up to 20 s. */
  setupWitness(request: SetupWitness): Promise<StoreView>;
  removeWitness(request: RemoveWitness): Promise<RemovedWitness>;
  reachWitness(request: WitnessReach): Promise<WitnessReached>;
  /** Makes the cluster's store on this node; takes a second. */
  create(name: string): Promise<StoreView>;
  /** Up to 2 s where there is no majority. */
  view(): Promise<StoreView>;
  voter(): Promise<Voter>;
  start(request: StartVoter): Promise<Record<string, never>>;
  end(request: EndVoter): Promise<Record<string, never>>;
  /** The change is written when it resolves; whoever leads carries it out within seconds. */
  vote(request: GiveVote): Promise<StoreView>;
  /** Seconds: its etcd ends and is started again. */
  retime(request: Times): Promise<Record<string, never>>;
  /** Up to a minute. */
  defragment(): Promise<Record<string, never>>;
  copies(): Promise<OwnCopies>;
  copyPart(request: CopyPartRequest): Promise<CopyPart>;
  /** Up to 5 s: asks all nodes in reach. */
  inReach(request: Expected): Promise<CopiesInReach>;
  /** Makes the store anew; takes seconds. */
  expect(request: Expected): Promise<Refounded>;
  restore(request: Restore): Promise<Refounded>;
  get(request: ConfigKey & ReadConfig): Promise<ConfigEntry>;
  list(request: ConfigPrefix & ReadConfig): Promise<ConfigEntries>;
  history(request: ConfigKey): Promise<ConfigHistory>;
  /** Another node asks for its turn to make the store anew, or lets it end. */
  turn(request: RecoveryTurnRequest): Promise<RecoveryTurn>;
  /** Counted for `who` (see holderOf). Throws API_WATCHERS_MANY at once. */
  watch(
    prefix: string,
    after: string | undefined,
    signal: AbortSignal,
    who: string,
  ): AsyncIterable<object>;
  put(request: ConfigPut): Promise<ConfigWritten>;
  remove(request: ConfigKey): Promise<ConfigWritten>;
}
