/**
 * The store on etcd. Each method is one call: a read, one transaction, one watch.
 *
 * Invariants: what changes the store is sent once and never again by itself, because an answer that did not come may stand for a write that was done;
 * every call has a deadline and asks for a leader.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { HansaError } from "../../errors.ts";
import { checkTransaction } from "../check-transaction.ts";
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
  Write,
} from "../store.ts";
import type { Event, KeyValue, RequestOpSchema, ResponseOp } from "./etcd_pb.js";
import { ALONE, asked, type EtcdChannel, WITH_LEADER } from "./etcd-channel.ts";
import { etcdError } from "./etcd-error.ts";

type Operation = MessageInitShape<typeof RequestOpSchema>;

/** etcd's enums, as numbers: importing them would load the library. */
const COMPARE_EQUAL = 0;
const TARGET_MOD_REVISION = 2;
const EVENT_DELETE = 1;
/** Keys that are listed at once; more while their values are small. */
const FIRST_PAGE = 16;
const MAX_PAGE = 4096;
const PAGE_BYTES = 1024 * 1024;

export class EtcdStore implements Store {
  readonly #channel: EtcdChannel;
  /** What lies before etcd's own revisions: those of former generations of the store. */
  readonly #base: Revision;

  /** The store closes the channel. */
  constructor(channel: EtcdChannel, base: Revision = 0n) {
    this.#channel = channel;
    this.#base = base;
  }

  async get(key: string, options: ReadOptions = {}): Promise<Found> {
    const { kvs, revision } = await this.#range({ key: encode(key) }, options);
    return { entry: kvs[0] && this.#entry(kvs[0]), revision };
  }

  async list(prefix: string, options: ReadOptions = {}): Promise<Listed> {
    let range = rangeOf(prefix);
    let limit = FIRST_PAGE;
    const { kvs, more, revision } = await this.#range({ ...range, limit }, options);
    // In pages: each call has a deadline, and all there is may be hundreds of megabytes.
    for (let [page, hasMore] = [kvs, more]; hasMore; ) {
      const size = page.reduce((sum, { value }) => sum + value.length, 0);
      limit = size < PAGE_BYTES ? Math.min(2 * limit, MAX_PAGE) : Math.max(1, limit >> 1);
      const last = page.at(-1)?.key ?? range.key;
      range = { ...range, key: Uint8Array.of(...last, 0) };
      // This voter has that revision by now.
      const at = options.at ?? revision;
      const next = await this.#range({ ...range, limit }, { consistency: "local", at });
      kvs.push(...next.kvs);
      [page, hasMore] = [next.kvs, next.more];
    }
    return { entries: kvs.map((kv) => this.#entry(kv)), revision };
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    checkTransaction(transaction);
    const { conditions, writes } = transaction;
    const { header, succeeded, responses } = await asked(
      this.#channel.kv.txn(
        {
          compare: conditions.map(({ key, revision }) => ({
            ...{ key: encode(key), result: COMPARE_EQUAL, target: TARGET_MOD_REVISION },
            // Of a former generation: it matches nothing that is there, as it must.
            targetUnion: { case: "modRevision", value: revision && revision - this.#base },
          })),
          success: writes.map(operation),
          failure: conditions.map(({ key }) => ({
            request: { case: "requestRange", value: { key: encode(key) } },
          })),
        },
        WITH_LEADER,
      ),
    );
    const revision = this.#outer(header?.revision);
    return succeeded
      ? { ok: true, revision }
      : { ok: false, revision, found: responses.map((response) => this.#found(response)) };
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const ending = new AbortController();
    const end = (): void => ending.abort();
    if (signal.aborted) return;
    if (from <= this.#base && this.#base > 0n) {
      yield { type: "compacted", oldest: this.#base + 1n };
      return;
    }
    signal.addEventListener("abort", end);
    try {
      const range = { ...rangeOf(prefix), startRevision: from - this.#base };
      const answers = this.#channel.watch(
        { requestUnion: { case: "createRequest", value: range } },
        { headers: WITH_LEADER.headers, signal: ending.signal },
      );
      for await (const { canceled, compactRevision, cancelReason, events } of answers) {
        if (compactRevision > 0n) {
          yield { type: "compacted", oldest: compactRevision + this.#base };
          return;
        }
        if (canceled) throw refusedWatch(cancelReason);
        const changes = events.flatMap((event) => this.#changes(event));
        const last = changes.at(-1);
        if (last !== undefined) yield { type: "changes", revision: revisionOf(last), changes };
      }
      // etcd ends a watch without a word when it stops.
      if (!signal.aborted) throw new HansaError("STORE_UNREACHABLE", "the store ended the watch");
    } catch (error) {
      if (!signal.aborted) throw etcdError(error);
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  /** `withinMs`: how long it is waited for. */
  async status(withinMs = ALONE.timeoutMs): Promise<StoreStatus> {
    const patience = { ...ALONE, timeoutMs: withinMs };
    const answer = await asked(this.#channel.maintenance.status({}, patience));
    const { header, leader, isLearner, version, raftTerm, raftAppliedIndex } = answer;
    return {
      cluster: (header?.clusterId ?? 0n).toString(16),
      member: header?.memberId ?? 0n,
      leader: leader === 0n ? undefined : leader,
      isLearner,
      revision: this.#outer(header?.revision),
      term: raftTerm,
      applied: raftAppliedIndex,
      bytes: answer.dbSize,
      inUse: answer.dbSizeInUse,
      version,
    };
  }

  /** Forgets what was before `revision`, on all voters. Throws as the store does. */
  async compact(revision: Revision): Promise<void> {
    await asked(
      this.#channel.kv.compact({ revision: revision - this.#base, physical: false }, WITH_LEADER),
    );
  }

  close(): void {
    this.#channel.close();
  }

  async #range(
    range: { readonly key: Uint8Array; readonly rangeEnd?: Uint8Array; readonly limit?: number },
    { consistency = "linearizable", at = 0n }: ReadOptions,
  ): Promise<{ kvs: KeyValue[]; more: boolean; revision: Revision }> {
    if (at > 0n && at <= this.#base) {
      throw new HansaError("STORE_COMPACTED", `revision ${at} is of a former generation`);
    }
    const serializable = consistency === "local";
    const { key, rangeEnd, limit = 0 } = range;
    const { kvs, more, header } = await asked(
      this.#channel.kv.range(
        {
          ...{ key, limit: BigInt(limit), serializable, revision: at && at - this.#base },
          ...(rangeEnd && { rangeEnd }),
        },
        serializable ? ALONE : WITH_LEADER,
      ),
    );
    return { kvs, more, revision: this.#outer(header?.revision) };
  }

  #outer(revision: bigint | undefined): Revision {
    return this.#base + (revision ?? 0n);
  }

  #entry({ key, value, modRevision, createRevision }: KeyValue): Entry {
    const [revision, created] = [this.#outer(modRevision), this.#outer(createRevision)];
    return { key: decode(key), value, revision, created };
  }

  #found({ response }: ResponseOp): Entry | undefined {
    const kv = response.case === "responseRange" ? response.value.kvs[0] : undefined;
    return kv && this.#entry(kv);
  }

  #changes({ type, kv }: Event): Change[] {
    if (kv === undefined) return [];
    return type === EVENT_DELETE
      ? [{ type: "remove", key: decode(kv.key), revision: this.#outer(kv.modRevision) }]
      : [{ type: "put", entry: this.#entry(kv) }];
  }
}

function operation(write: Write): Operation {
  const key = encode(write.key);
  return write.type === "put"
    ? { request: { case: "requestPut", value: { key, value: write.value } } }
    : { request: { case: "requestDeleteRange", value: { key } } };
}

function revisionOf(change: Change): Revision {
  return change.type === "put" ? change.entry.revision : change.revision;
}

function refusedWatch(reason: string): HansaError {
  const isLost = reason.includes("no leader");
  return isLost
    ? new HansaError("STORE_NO_QUORUM", "the store cannot be used: it has no leader")
    : new HansaError("STORE_REFUSED", `the store ended the watch: ${reason.slice(0, 300)}`);
}

/** From the prefix to the first key that does not begin with it; etcd writes "all there is" as two zero bytes. */
function rangeOf(prefix: string): { key: Uint8Array; rangeEnd: Uint8Array } {
  if (prefix === "") return { key: new Uint8Array(1), rangeEnd: new Uint8Array(1) };
  const key = encode(prefix);
  // UTF-8 has no byte 255, so the last one can always grow.
  const rangeEnd = Uint8Array.from(key);
  rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1;
  return { key, rangeEnd };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
