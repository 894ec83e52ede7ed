/**
 * The store as its users see it: a map from keys to bytes, the same on every node, of which each change has a revision.
 *
 * Invariants: a change is acknowledged only when a majority of the votes has it; revisions grow by one with each commit, of however many keys;
 * every operation ends within its deadline, in an answer or in a HansaError with a code of its own.
 */

/** Grows by one with each commit; 0 stands for "never". */
export type Revision = bigint;

export interface Entry {
  /** UTF-8, not empty. */
  readonly key: string;
  /** Owned by the reader; at most 1 MiB. */
  readonly value: Uint8Array;
  /** Of its last change. */
  readonly revision: Revision;
  /** Of the commit that made it, after its last removal. */
  readonly created: Revision;
}

export interface ReadOptions {
  /**
   * `linearizable` (the default): what was acknowledged before the call is seen, and a majority is needed. `local`: what this voter has, perhaps
   * older, without asking others.
   */
  readonly consistency?: "linearizable" | "local";
  /** As it was then; throws STORE_COMPACTED when that is forgotten. Default: now. */
  readonly at?: Revision;
}

export interface Found {
  readonly entry: Entry | undefined;
  /** Of the whole store when it was read. */
  readonly revision: Revision;
}

export interface Listed {
  /** Ordered by their keys' bytes. */
  readonly entries: readonly Entry[];
  /** Of the whole store when it was read: a watch from the next one misses nothing. */
  readonly revision: Revision;
}

/** The key's entry has this revision; 0: there is none. */
export interface Condition {
  readonly key: string;
  readonly revision: Revision;
}

export type Write =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  /** Of no entry: nothing. */
  | { readonly type: "remove"; readonly key: string };

/** All writes, or none when a condition does not hold. No key is written twice; at most 128 of both together. */
export interface Transaction {
  readonly conditions: readonly Condition[];
  readonly writes: readonly Write[];
}

export type Outcome =
  | { readonly ok: true; readonly revision: Revision }
  /** What the keys of the conditions had, in their order. */
  | {
      readonly ok: false;
      readonly revision: Revision;
      readonly found: readonly (Entry | undefined)[];
    };

export type Change =
  | { readonly type: "put"; readonly entry: Entry }
  | { readonly type: "remove"; readonly key: string; readonly revision: Revision };

export type WatchEvent =
  /** All changes of one or more whole commits, in order; `revision` is the last one's. */
  | { readonly type: "changes"; readonly revision: Revision; readonly changes: readonly Change[] }
  /** What was asked for is forgotten: read all anew. The last event. */
  | { readonly type: "compacted"; readonly oldest: Revision };

export interface StoreStatus {
  /** Of all its life; changes when a store is made anew from a minority's data. Hex. */
  readonly cluster: string;
  /** The voter that answers. */
  readonly member: bigint;
  /** The voter that leads; undefined: none as far as this one knows. */
  readonly leader: bigint | undefined;
  readonly isLearner: boolean;
  readonly revision: Revision;
  readonly term: bigint;
  /** Entries of the replicated log that this one has applied. */
  readonly applied: bigint;
  /** Of its file, and of these in use. */
  readonly bytes: bigint;
  readonly inUse: bigint;
  /** Of the program that serves it. */
  readonly version: string;
}

/**
 * Throws, all but `close`: STORE_NO_QUORUM without a majority (of a commit it is then unknown whether it will be seen), STORE_UNREACHABLE when nobody
 * serves it here, STORE_FULL, STORE_REFUSED with the server's words.
 */
export interface Store {
  get(key: string, options?: ReadOptions): Promise<Found>;
  /** All entries whose key begins with `prefix`; "" for all there are. */
  list(prefix: string, options?: ReadOptions): Promise<Listed>;
  commit(transaction: Transaction): Promise<Outcome>;
  /** Every change from the commit `from` on, of keys that begin with `prefix`, until `signal` aborts (then it ends) or it throws as above. */
  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** Of the voter that serves it here. Needs no majority. */
  status(): Promise<StoreStatus>;
  close(): void;
}

/** Bounds of one transaction, which every adapter keeps. */
export const MAX_OPERATIONS = 128;
export const MAX_VALUE_BYTES = 1024 * 1024;
