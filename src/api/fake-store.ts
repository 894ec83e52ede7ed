/** The store of the FakeNode: in memory, of three voters; without one until it is made. */
import { HansaError } from "../errors.ts";
import type { StorePort } from "./store-port.ts";
import type {
  ConfigEntries,
  ConfigEntry,
  ConfigEvent,
  ConfigHistory,
  ConfigKey,
  ConfigPrefix,
  ConfigPut,
  ConfigWritten,
  CopiesInReach,
  CopyPart,
  GiveVote,
  OwnCopies,
  RecoveryTurn,
  Refounded,
  StoreView,
  Voter,
} from "./store-schemas.ts";
import type { RemovedWitness, SetupWitness, WitnessReached } from "./witness-schemas.ts";

export class FakeStore implements StorePort {
  current: StoreView | undefined;
  /** Every use fails with this. */
  failure: HansaError | undefined;
  /** How old what is read is. */
  freshness: Pick<ConfigEntry, "stale" | "ageMs" | "reason"> = {
    ...{ stale: false, ageMs: null, reason: null },
  };
  readonly #entries = new Map<string, { value: string; revision: number }>();
  #revision = 1;

  async create(name: string): Promise<StoreView> {
    if (this.current) throw new HansaError("STORE_EXISTS", "the store exists already");
    this.current = exampleStore(name);
    return this.current;
  }

  async view(): Promise<StoreView> {
    this.#mayFail();
    if (!this.current) throw new HansaError("STORE_NONE", "node 1 (host1) knows of no store");
    return this.current;
  }

  async voter(): Promise<Voter> {
    return { member: "a", leader: "a", isLearner: false, applied: "7", bytes: 20480, inUse: 16384 };
  }

  async start(): Promise<Record<string, never>> {
    return {};
  }

  async end(): Promise<Record<string, never>> {
    return {};
  }

  async vote({ node, vote }: GiveVote): Promise<StoreView> {
    const view = await this.view();
    const id = Number(node);
    const wanted = view.wanted.filter((each) => each !== id);
    this.current = { ...view, wanted: vote ? [...wanted, id] : wanted };
    return this.current;
  }

  async setupWitness({ host, port }: SetupWitness): Promise<StoreView> {
    const view = await this.view();
    const witness = { host, port, isHeard: true, hasVote: true };
    this.current = { ...view, witness };
    return this.current;
  }

  async removeWitness(): Promise<RemovedWitness> {
    const view = await this.view();
    if (view.witness === null) throw new HansaError("WITNESS_NONE", "No QDevice configured!");
    this.current = { ...view, witness: null };
    return { host: view.witness.host, wasTold: true };
  }

  async reachWitness(): Promise<WitnessReached> {
    return { problem: null };
  }

  async turn(): Promise<RecoveryTurn> {
    return { store: { id: "3f1c0d2b9a8e7f65", generation: 1 } };
  }

  async defragment(): Promise<Record<string, never>> {
    return {};
  }

  async retime(): Promise<Record<string, never>> {
    return {};
  }

  async copies(): Promise<OwnCopies> {
    return { copies: [], isQuorate: true, isBroken: false };
  }

  async copyPart(): Promise<CopyPart> {
    return { sum: "0".repeat(64), length: 3, data: "SFND", source: "majority", takenAtMs: 0 };
  }

  async inReach(): Promise<CopiesInReach> {
    return { copies: [], silent: [], refused: null };
  }

  async expect(): Promise<Refounded> {
    this.#mayFail();
    const { name, id } = await this.view();
    const store = { id: `${id}aaaaaaaa`, name, generation: 2 };
    return { store, from: null, revision: "7", takenAtMs: 1_700_000_000_000, entries: 3 };
  }

  restore(): Promise<Refounded> {
    return this.expect();
  }

  async get({ key }: ConfigKey): Promise<ConfigEntry> {
    this.#mayFail();
    const entry = this.#entries.get(key);
    return { entry: entry ? textOf(key, entry) : null, ...this.freshness };
  }

  async list({ prefix }: ConfigPrefix): Promise<ConfigEntries> {
    this.#mayFail();
    const entries = [...this.#entries]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, entry]) => textOf(key, entry));
    return { entries, ...this.freshness };
  }

  async history({ key }: ConfigKey): Promise<ConfigHistory> {
    this.#mayFail();
    const entry = this.#entries.get(key);
    if (!entry) return { changes: [], whole: true };
    return { changes: [{ type: "put", ...textOf(key, entry), seenAtMs: null }], whole: true };
  }

  async *watch(prefix: string): AsyncIterable<ConfigEvent> {
    this.#mayFail();
    const begin = { missed: false, waitsFor: null };
    yield { ...begin, revision: `${this.#revision}`, changes: [] };
    const { entries } = await this.list({ prefix });
    const changes = entries.map((entry) => ({ type: "put", ...entry }) as const);
    yield { ...begin, revision: `${this.#revision}`, changes };
  }

  async put({ key, value, revision }: ConfigPut): Promise<ConfigWritten> {
    this.#mayFail();
    const now = this.#entries.get(key)?.revision ?? 0;
    const written = revision === undefined || Number(revision) === now;
    if (written) this.#entries.set(key, { value, revision: ++this.#revision });
    return { written, revision: `${this.#revision}` };
  }

  async remove({ key }: ConfigKey): Promise<ConfigWritten> {
    this.#mayFail();
    this.#entries.delete(key);
    return { written: true, revision: `${++this.#revision}` };
  }

  #mayFail(): void {
    if (this.failure) throw this.failure;
  }
}

function textOf(
  key: string,
  { value, revision }: { readonly value: string; readonly revision: number },
): ConfigEntries["entries"][number] {
  return { key, value, encoding: "utf8", revision: `${revision}` };
}

/** Three voters of which the third is away, and a fourth that is about to have its vote. */
export function exampleStore(name = "prod"): StoreView {
  const voter = (id: number): Pick<StoreView["voters"][number], "id" | "name" | "address"> => ({
    ...{ id, name: `host${id}`, address: `10.32.0.${id}:9212` },
  });
  return {
    ...{ name, id: "3f1c0d2b9a8e7f65", generation: 1, configVersion: 3, quorate: true },
    votes: { expected: 3, answering: 2, needed: 2 },
    leader: { id: 1, name: "host1" },
    witness: null,
    voters: [
      { ...voter(1), hasVote: true, state: "leads", problem: null, isLocal: true },
      { ...voter(2), hasVote: true, state: "follows", problem: null, isLocal: false },
      { ...voter(3), hasVote: true, state: "away", problem: null, isLocal: false },
      { ...voter(4), hasVote: false, state: "follows", problem: null, isLocal: false },
    ],
    term: 2,
    wanted: [1, 2, 3, 4],
    bytes: 20480,
    times: { heartbeatMs: 400, electionMs: 4000, roundTripMs: 302.4, fsyncMs: 12.3 },
    stale: false,
    copy: { revision: "12", ageMs: 3000 },
  };
}
