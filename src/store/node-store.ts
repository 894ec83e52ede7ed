/**
 * The store as a node has it, with a vote or without: by way of whichever voter answers, its own first.
 *
 * Invariants: a commit that a voter may have taken is never sent again; every call ends within CALL_MS, whatever happens to connections; a way that failed
 * is left, and the next call begins with another: also where it was this node's own, as one with a slow disk, until that is said to answer again.
 */
import { HansaError, isHansaError } from "../errors.ts";
import { checkTransaction } from "./check-transaction.ts";
import type {
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
import type { NamedStore } from "./store-copy.ts";
import type { StoreMember } from "./voter-plan.ts";

/** A voter's part of the store, within reach. */
export interface Reached {
  readonly mark: NamedStore;
  readonly store: Store;
  readonly voters: { list(): Promise<StoreMember[]> };
  /** Aborts when the connection is over; never for one that mends itself. */
  readonly ended: AbortSignal;
  close(): void;
}

/** How one voter may be reached. */
export interface StoreWay {
  /** In sentences: "node 2 (host2)". */
  readonly name: string;
  /** On this host: opened anew for each call, because that costs nothing there, and not closed. */
  readonly isOwn: boolean;
  /** Throws a HansaError, in bounded time. */
  open(): Promise<Reached>;
}

export interface NodeStoreOptions {
  /** To voters of one store and generation that are heard now, best first. */
  readonly ways: () => readonly StoreWay[];
  /** Of a commit's error: it is certain that nothing was done. */
  readonly wasNotTaken: (error: unknown) => boolean;
}

/** Users are told within 2 s. */
const CALL_MS = 1500;
/** Before the next way is tried beside one that does not open, and before a read is sent to a second voter. */
const NEXT_MS = 300;

interface Opened {
  readonly way: StoreWay;
  readonly reached: Reached;
}

/** Beside a voter that says nothing; closed when nobody uses it any more. */
interface Spare {
  readonly beside: StoreWay["name"];
  readonly opened: Promise<Opened>;
  users: number;
}

export class NodeStore implements Store {
  readonly #options: NodeStoreOptions;
  /** Kept from one call to the next; never an own one. */
  #kept: Opened | undefined;
  #opening: Promise<Opened> | undefined;
  #spare: Spare | undefined;
  /** What was opened of this node. */
  readonly #own = new WeakSet<Reached>();
  /** The own one comes last. */
  #isOwnLate = false;
  #closed = false;

  constructor(options: NodeStoreOptions) {
    this.#options = options;
  }

  get(key: string, options?: ReadOptions): Promise<Found> {
    return this.#readSoon(({ store }) => store.get(key, options));
  }

  list(prefix: string, options?: ReadOptions): Promise<Listed> {
    return this.#readSoon(({ store }) => store.list(prefix, options));
  }

  status(): Promise<StoreStatus> {
    return this.#readSoon(({ store }) => store.status());
  }

  /** Sent to one voter; to another one only where the first certainly did nothing. */
  async commit(transaction: Transaction): Promise<Outcome> {
    checkTransaction(transaction);
    return await this.#use(({ store }) => store.commit(transaction), this.#options.wasNotTaken);
  }

  /** By one voter to its end: begun anew it may be another's. */
  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchEvent> {
    if (signal.aborted) return;
    const opened = await inTime(this.#open([]));
    const either = AbortSignal.any([signal, opened.reached.ended]);
    try {
      yield* opened.reached.store.watch(prefix, from, either);
    } catch (error) {
      this.#leave(opened);
      throw inWords(error, opened.way);
    }
    if (!signal.aborted && opened.reached.ended.aborted) {
      throw new HansaError("STORE_UNREACHABLE", `the connection to ${opened.way.name} is over`);
    }
  }

  /** Whatever only reads, and so may be asked of several voters one after another. Throws as a store does. */
  read<T>(work: (reached: Reached) => Promise<T>): Promise<T> {
    return this.#use(work, () => true);
  }

  /** A voter within reach, for as long as its connection stands; it is not the caller's to close. Throws as a store does. */
  async reach(): Promise<Reached> {
    return (await inTime(this.#open([]))).reached;
  }

  /** This node's own part of the store, where `reached` is another voter's: not asked yet whether it answers. Undefined: there is none, or it is `reached`. */
  async ownBeside(reached: Reached): Promise<Reached | undefined> {
    const [first] = this.#options.ways();
    if (this.#kept?.reached !== reached || first?.isOwn !== true) return undefined;
    return (await inTime(this.#openOwn(first))).reached;
  }

  /** What `reach` gave served the caller badly: the next call begins with another voter. */
  leave(reached: Reached): void {
    if (this.#kept?.reached === reached) this.#leave(this.#kept);
    else if (this.#own.has(reached)) this.#isOwnLate = true;
  }

  /** What `reach` or `ownBeside` gave just told what a majority agrees on: where it is this node's own, it comes first from now on. */
  answered(reached: Reached): void {
    if (this.#own.has(reached)) this.#isOwnLate = false;
  }

  close(): void {
    this.#closed = true;
    if (this.#kept) this.#leave(this.#kept);
  }

  #use<T>(
    work: (reached: Reached) => Promise<T>,
    mayGoOn: (error: unknown) => boolean,
  ): Promise<T> {
    const late = new AbortController();
    return inTime(this.#inTurn(work, { mayGoOn, late: late.signal }), late);
  }

  /** The same work by a second voter too, where one says nothing for a while: the first answer counts. A voter that was just cut off holds nobody up for long. */
  #readSoon<T>(work: (reached: Reached) => Promise<T>): Promise<T> {
    const late = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    let second: Promise<T> | undefined;
    const answered = new Promise<T>((resolve, reject) => {
      const begun = ({ name }: StoreWay): void => {
        clearTimeout(timer);
        if (second !== undefined || late.signal.aborted) return;
        timer = setTimeout(() => {
          second = this.#beside(name, work);
          // Where it fails as well, the first one's word is told.
          second.then(resolve, () => undefined);
        }, NEXT_MS);
      };
      this.#inTurn(work, { mayGoOn: () => true, late: late.signal, begun }).then(
        resolve,
        (error: unknown) => {
          if (second === undefined) reject(error);
          else second.catch(() => reject(error));
        },
      );
    });
    return inTime(answered, late).finally(() => clearTimeout(timer));
  }

  /** By one voter after another, until one answers. `begun`: told of each before it is asked. */
  async #inTurn<T>(
    work: (reached: Reached) => Promise<T>,
    options: {
      readonly mayGoOn: (error: unknown) => boolean;
      readonly late: AbortSignal;
      readonly begun?: (way: StoreWay) => void;
    },
  ): Promise<T> {
    const { mayGoOn, late, begun } = options;
    const failed: StoreWay["name"][] = [];
    for (;;) {
      const opened = await this.#open(failed);
      // Who asked was told already that it could not be done.
      if (late.aborted) throw tooLate();
      begun?.(opened.way);
      try {
        return await work(opened.reached);
      } catch (error) {
        if (isOfTheVoter(error)) this.#leave(opened);
        failed.push(opened.way.name);
        const isLast = this.#options.ways().every(({ name }) => failed.includes(name));
        const isOver = isLast || late.aborted || !isOfTheVoter(error);
        if (isOver || !mayGoOn(error)) throw inWords(error, opened.way);
      }
    }
  }

  /** By another voter than `name`, over a connection that all who wait at the moment share: the kept one is also that of watches, which a slow answer must not end. */
  async #beside<T>(name: string, work: (reached: Reached) => Promise<T>): Promise<T> {
    const spare = this.#spare?.beside === name ? this.#spare : this.#openSpare(name);
    spare.users += 1;
    try {
      return await work((await spare.opened).reached);
    } finally {
      spare.users -= 1;
      if (spare.users === 0) {
        if (this.#spare === spare) this.#spare = undefined;
        spare.opened.then(
          ({ reached }) => reached.close(),
          () => undefined,
        );
      }
    }
  }

  #openSpare(name: string): Spare {
    const ways = this.#options.ways().filter((way) => way.name !== name && !way.isOwn);
    const opened = ways.length === 0 || this.#closed ? Promise.reject(noWay()) : firstOpened(ways);
    this.#spare = { beside: name, opened, users: 0 };
    return this.#spare;
  }

  /** The kept way, or the first that opens but those of `failed`. */
  async #open(failed: readonly string[]): Promise<Opened> {
    const ways = this.#inOrder().filter(({ name }) => !failed.includes(name));
    const [first] = ways;
    const kept = this.#kept;
    if (kept && (kept.reached.ended.aborted || !ways.some(({ name }) => name === kept.way.name))) {
      this.#leave(kept);
    }
    if (first === undefined || this.#closed) throw noWay();
    if (this.#kept && !first.isOwn) return this.#kept;
    if (first.isOwn) {
      try {
        return await this.#openOwn(first);
      } catch (error) {
        if (!isHansaError(error) || ways.length === 1) throw error;
        return this.#open([...failed, first.name]);
      }
    }
    const others = ways.filter(({ isOwn }) => !isOwn);
    this.#opening ??= this.#openFirst(others).finally(() => {
      this.#opening = undefined;
    });
    try {
      return await this.#opening;
    } catch (error) {
      const own = ways.find(({ isOwn }) => isOwn);
      if (own === undefined) throw error;
      return await this.#openOwn(own);
    }
  }

  async #openOwn(way: StoreWay): Promise<Opened> {
    const reached = await way.open();
    this.#own.add(reached);
    return { way, reached };
  }

  #inOrder(): readonly StoreWay[] {
    const ways = this.#options.ways();
    return this.#isOwnLate ? ways.toSorted((a, b) => Number(a.isOwn) - Number(b.isOwn)) : ways;
  }

  async #openFirst(ways: readonly StoreWay[]): Promise<Opened> {
    const { way, reached } = await firstOpened(ways);
    const opened = { way, reached };
    if (this.#closed) {
      reached.close();
      throw noWay();
    }
    this.#kept = opened;
    reached.ended.addEventListener("abort", () => this.#leave(opened), { once: true });
    return opened;
  }

  #leave(opened: Opened): void {
    if (opened.way.isOwn) {
      this.#isOwnLate = true;
      return;
    }
    if (this.#kept === opened) this.#kept = undefined;
    opened.reached.close();
  }
}

/** Tries one after another, each a while after the one before, and closes those that come too late. Rejects as the last one. */
function firstOpened(ways: readonly StoreWay[]): Promise<Opened> {
  return new Promise((resolve, reject) => {
    let isDone = false;
    let failures = 0;
    const begin = (index: number): void => {
      const way = ways[index];
      if (isDone || way === undefined) return;
      let isBegun = false;
      const next = (): void => {
        if (!isBegun) begin(index + 1);
        isBegun = true;
      };
      const timer = setTimeout(next, NEXT_MS);
      way.open().then(
        (reached) => {
          clearTimeout(timer);
          if (isDone) reached.close();
          isDone = true;
          resolve({ way, reached });
        },
        (error: unknown) => {
          clearTimeout(timer);
          failures += 1;
          if (failures === ways.length) reject(inWords(error, way));
          else next();
        },
      );
    };
    begin(0);
  });
}

/** Rejects when it takes longer than a caller may wait; `late` is then aborted. */
function inTime<T>(work: Promise<T>, late = new AbortController()): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      late.abort();
      reject(tooLate());
    }, CALL_MS);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Another voter may answer better. */
function isOfTheVoter(error: unknown): boolean {
  return (
    isHansaError(error, "STORE_NO_QUORUM") ||
    isHansaError(error, "STORE_UNREACHABLE") ||
    isHansaError(error, "NODE_UNREACHABLE")
  );
}

function inWords(error: unknown, { name, isOwn }: StoreWay): unknown {
  if (isOwn || !isHansaError(error, "STORE_UNREACHABLE")) return error;
  return new HansaError("STORE_UNREACHABLE", `by way of ${name}: ${error.message}`, {
    cause: error,
  });
}

function noWay(): HansaError {
  return new HansaError(
    "STORE_NO_QUORUM",
    "the store cannot be used: no node with a vote is heard",
  );
}

function tooLate(): HansaError {
  return new HansaError(
    "STORE_NO_QUORUM",
    "the store cannot be used: no majority of the votes answered in time",
  );
}
