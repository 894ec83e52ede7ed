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

export class EtcdStore implements Store {
  readonly #channel: EtcdChannel;

  /** The store closes the channel. */
  constructor(channel: EtcdChannel) {
    this.#channel = channel;
  }

  async get(key: string, options: ReadOptions = {}): Promise<Found> {
    const { kvs, revision } = await this.#range({ key: encode(key) }, options);
    return { entry: kvs[0] && entryOf(kvs[0]), revision };
  }

  async list(prefix: string, options: ReadOptions = {}): Promise<Listed> {
    const { kvs, revision } = await this.#range(rangeOf(prefix), options);
    return { entries: kvs.map(entryOf), revision };
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    checkTransaction(transaction);
    const { conditions, writes } = transaction;
    const { header, succeeded, responses } = await asked(
      this.#channel.kv.txn(
        {
          compare: conditions.map(({ key, revision }) => ({
            ...{ key: encode(key), result: COMPARE_EQUAL, target: TARGET_MOD_REVISION },
            targetUnion: { case: "modRevision", value: revision },
          })),
          success: writes.map(operation),
          failure: conditions.map(({ key }) => ({
            request: { case: "requestRange", value: { key: encode(key) } },
          })),
        },
        WITH_LEADER,
      ),
    );
    const revision = header?.revision ?? 0n;
    return succeeded
      ? { ok: true, revision }
      : { ok: false, revision, found: responses.map(foundIn) };
  }

  async *watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const ending = new AbortController();
    const end = (): void => ending.abort();
    if (signal.aborted) return;
    signal.addEventListener("abort", end);
    try {
      const request = { ...rangeOf(prefix), startRevision: from };
      const answers = this.#channel.watch.watch(asking(request, ending.signal), {
        headers: WITH_LEADER.headers,
        signal: ending.signal,
      });
      for await (const { canceled, compactRevision, cancelReason, events } of answers) {
        if (compactRevision > 0n) {
          yield { type: "compacted", oldest: compactRevision };
          return;
        }
        if (canceled) throw refusedWatch(cancelReason);
        const changes = events.flatMap(changeOf);
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

  async status(): Promise<StoreStatus> {
    const answer = await asked(this.#channel.maintenance.status({}, ALONE));
    const { header, leader, isLearner, version, raftTerm, raftAppliedIndex, dbSize } = answer;
    return {
      cluster: (header?.clusterId ?? 0n).toString(16),
      member: header?.memberId ?? 0n,
      leader: leader === 0n ? undefined : leader,
      isLearner,
      revision: header?.revision ?? 0n,
      term: raftTerm,
      applied: raftAppliedIndex,
      bytes: dbSize,
      version,
    };
  }

  /** Forgets what was before `revision`, on all voters. Throws as the store does. */
  async compact(revision: Revision): Promise<void> {
    await asked(this.#channel.kv.compact({ revision, physical: false }, WITH_LEADER));
  }

  close(): void {
    this.#channel.close();
  }

  async #range(
    range: { readonly key: Uint8Array; readonly rangeEnd?: Uint8Array },
    { consistency = "linearizable", at = 0n }: ReadOptions,
  ): Promise<{ kvs: KeyValue[]; revision: Revision }> {
    const serializable = consistency === "local";
    const { kvs, header } = await asked(
      this.#channel.kv.range(
        { ...range, serializable, revision: at },
        serializable ? ALONE : WITH_LEADER,
      ),
    );
    return { kvs, revision: header?.revision ?? 0n };
  }
}

/** A watch's only request; the stream of requests stays open until the watch ends. */
async function* asking(
  request: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array; startRevision: Revision },
  ended: AbortSignal,
) {
  yield { requestUnion: { case: "createRequest" as const, value: request } };
  if (ended.aborted) return;
  await new Promise<void>((resolve) => {
    ended.addEventListener("abort", () => resolve(), { once: true });
  });
}

function operation(write: Write): Operation {
  const key = encode(write.key);
  return write.type === "put"
    ? { request: { case: "requestPut", value: { key, value: write.value } } }
    : { request: { case: "requestDeleteRange", value: { key } } };
}

function foundIn({ response }: ResponseOp): Entry | undefined {
  const kv = response.case === "responseRange" ? response.value.kvs[0] : undefined;
  return kv && entryOf(kv);
}

function changeOf({ type, kv }: Event): Change[] {
  if (kv === undefined) return [];
  return type === EVENT_DELETE
    ? [{ type: "remove", key: decode(kv.key), revision: kv.modRevision }]
    : [{ type: "put", entry: entryOf(kv) }];
}

function revisionOf(change: Change): Revision {
  return change.type === "put" ? change.entry.revision : change.revision;
}

function entryOf({ key, value, modRevision, createRevision }: KeyValue): Entry {
  return { key: decode(key), value, revision: modRevision, created: createRevision };
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
