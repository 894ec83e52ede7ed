/**
 * The store in one process's memory, for tests of what stands on it. Keeps every version until it is compacted.
 *
 * Invariant: it answers as etcd does, so that the suite of the port cannot tell them apart.
 */
import { HansaError } from "../errors.ts";
import { checkTransaction } from "./check-transaction.ts";
import type {
  Change,
  Entry,
  Found,
  Listed,
  Outcome,
  ReadOptions,
  Revision,
  Store,
  StoreStatus,
  Transaction,
  WatchEvent,
} from "./store.ts";

export class MemoryStore implements Store {
  /** Every change that is not forgotten, in order. */
  #changes: Change[] = [];
  #revision: Revision = 1n;
  #compacted: Revision = 0n;
  /** What was there at `#compacted`. */
  #base = new Map<string, Entry>();
  #waiting = new Set<() => void>();
  #outage: HansaError | undefined;
  #closed = false;

  /** Every operation fails with this from now on; undefined: it is well again. */
  fail(error: HansaError | undefined): void {
    this.#outage = error;
    this.#wake();
  }

  /** Forgets what was before `revision`. */
  compact(revision: Revision): void {
    this.#base = this.#at(revision);
    this.#compacted = revision;
    this.#changes = this.#changes.filter((change) => revisionOf(change) > revision);
    this.#wake();
  }

  async get(key: string, options: ReadOptions = {}): Promise<Found> {
    this.#requireWell();
    return { entry: this.#read(options).get(key), revision: this.#revision };
  }

  async list(prefix: string, options: ReadOptions = {}): Promise<Listed> {
    this.#requireWell();
    const entries = [...this.#read(options).values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    return { entries, revision: this.#revision };
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    checkTransaction(transaction);
    this.#requireWell();
    const now = this.#at(this.#revision);
    const found = transaction.conditions.map(({ key }) => now.get(key));
    const holds = transaction.conditions.every(
      ({ revision }, index) => (found[index]?.revision ?? 0n) === revision,
    );
    if (!holds) return { ok: false, revision: this.#revision, found };
    const revision = this.#revision + 1n;
    const changes = transaction.writes.flatMap((write): Change[] => {
      const { key } = write;
      const before = now.get(key);
      if (write.type === "remove") return before ? [{ type: "remove", key, revision }] : [];
      const value = Uint8Array.from(write.value);
      const created = before?.created ?? revision;
      return [{ type: "put", entry: { key, value, revision, created } }];
    });
    if (changes.length > 0) this.#revision = revision;
    this.#changes.push(...changes);
    this.#wake();
    return { ok: true, revision: this.#revision };
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake);
    try {
      for (let next = from; !signal.aborted; ) {
        this.#requireWell();
        if (next < this.#compacted) {
          yield { type: "compacted", oldest: this.#compacted };
          return;
        }
        const changes = this.#changes.filter(
          (change) => revisionOf(change) >= next && keyOf(change).startsWith(prefix),
        );
        const last = changes.at(-1);
        if (last === undefined) {
          await new Promise<void>((resolve) => this.#waiting.add(resolve));
          continue;
        }
        next = revisionOf(last) + 1n;
        yield { type: "changes", revision: next - 1n, changes };
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  async status(): Promise<StoreStatus> {
    this.#requireWell();
    return {
      ...{ cluster: "0", member: 1n, leader: 1n, isLearner: false, revision: this.#revision },
      ...{ term: 1n, applied: this.#revision, bytes: 0n, inUse: 0n, version: "memory" },
    };
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #requireWell(): void {
    if (this.#closed) throw new HansaError("STORE_UNREACHABLE", "the store was closed");
    if (this.#outage) throw this.#outage;
  }

  #read({ at }: ReadOptions): Map<string, Entry> {
    if (at === undefined) return this.#at(this.#revision);
    if (at < this.#compacted) {
      const text = `the store has forgotten what it was at revision ${at}`;
      throw new HansaError("STORE_COMPACTED", text);
    }
    if (at > this.#revision) {
      throw new HansaError("STORE_REFUSED", `the store is not at revision ${at} yet`);
    }
    return this.#at(at);
  }

  #at(revision: Revision): Map<string, Entry> {
    const entries = new Map(this.#base);
    for (const change of this.#changes) {
      if (revisionOf(change) > revision) break;
      if (change.type === "put") entries.set(change.entry.key, change.entry);
      else entries.delete(change.key);
    }
    return entries;
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

function revisionOf(change: Change): Revision {
  return change.type === "put" ? change.entry.revision : change.revision;
}

function keyOf(change: Change): string {
  return change.type === "put" ? change.entry.key : change.key;
}
