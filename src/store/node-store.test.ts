import assert from "node:assert/strict";
import { test } from "node:test";
import { fairNow } from "../../test/fair-time.ts";
import { HansaError, isHansaError } from "../errors.ts";
import { MemoryStore } from "./memory-store.ts";
import { NodeStore, type Reached, type StoreWay } from "./node-store.ts";
import type { Store, Transaction } from "./store.ts";
import { storeSuite } from "./store-suite.ts";

const UNREACHABLE = new HansaError("STORE_UNREACHABLE", "it is gone");
const NO_QUORUM = new HansaError("STORE_NO_QUORUM", "no leader");

/** A way to a store that counts what goes through it, and whose connection may be ended. */
class CountedWay implements StoreWay {
  readonly name: string;
  readonly isOwn: boolean;
  readonly store: Store;
  opened = 0;
  commits = 0;
  /** What is read is never answered. */
  isSilent = false;
  closings = 0;
  /** Not to be opened: throws this, or never answers. */
  closed: HansaError | "hangs" | undefined;
  ended = new AbortController();

  constructor(name: string, store: Store, isOwn = false) {
    this.name = name;
    this.store = store;
    this.isOwn = isOwn;
  }

  async open(): Promise<Reached> {
    if (this.closed === "hangs") await new Promise(() => undefined);
    else if (this.closed) throw this.closed;
    this.opened += 1;
    this.ended = new AbortController();
    const { store } = this;
    return {
      mark: { id: "a1", name: "prod", generation: 1 },
      store: {
        get: (key, options) =>
          this.isSilent ? new Promise(() => undefined) : store.get(key, options),
        list: (prefix, options) => store.list(prefix, options),
        commit: (transaction: Transaction) => {
          this.commits += 1;
          return store.commit(transaction);
        },
        watch: (prefix, from, signal) => store.watch(prefix, from, signal),
        status: () => store.status(),
        close: () => undefined,
      },
      voters: { list: async () => [] },
      ended: this.ended.signal,
      close: () => {
        this.closings += 1;
        this.ended.abort();
      },
    };
  }
}

function world(isOwn = false) {
  const [first, second] = [new MemoryStore(), new MemoryStore()];
  const ways = [new CountedWay("one", first, isOwn), new CountedWay("two", second)] as const;
  const store = new NodeStore({ ways: () => ways, wasNotTaken: (error) => error === NO_QUORUM });
  const put = (): Promise<unknown> =>
    store.commit({ conditions: [], writes: [{ type: "put", key: "a", value: new Uint8Array() }] });
  return { first, second, ways, store, put };
}

const memory = new MemoryStore();
const suited = new NodeStore({
  ways: () => [new CountedWay("one", memory)],
  wasNotTaken: () => false,
});
storeSuite("by another voter", () => ({
  store: suited,
  compact: async (revision) => memory.compact(revision),
}));

test("one connection serves all calls, and a read goes to another voter where the first cannot answer", async () => {
  const { first, ways, store } = world();
  await Promise.all([store.get("a"), store.list("")]);
  assert.deepEqual([ways[0].opened, ways[1].opened], [1, 0]);
  for (const error of [UNREACHABLE, NO_QUORUM]) {
    first.fail(error);
    await store.get("a");
  }
  assert.deepEqual([ways[0].opened, ways[1].opened], [1, 1]);
});

test("a commit whose answer was lost is not sent again; one that was certainly not taken is, to another voter", async () => {
  const { first, ways, put } = world();
  first.fail(UNREACHABLE);
  await assert.rejects(put(), (error) => isHansaError(error, "STORE_UNREACHABLE"));
  assert.deepEqual([ways[0].commits, ways[1].commits], [1, 0]);
  first.fail(NO_QUORUM);
  await put();
  assert.deepEqual([ways[0].commits, ways[1].commits], [2, 1]);
});

test("a read that one voter does not answer is sent to a second one, and the first keeps its connection and its watches", async () => {
  const { ways, store } = world();
  await store.get("a");
  ways[0].isSilent = true;
  const began = fairNow();
  const found = await Promise.all([store.get("a"), store.get("b")]);
  assert.equal(found.length, 2);
  assert.ok(fairNow() - began < 1200);
  assert.equal(ways[0].closings, 0);
  assert.ok(ways[1].opened >= 1 && ways[1].closings === ways[1].opened);
  // A second one that fails changes nothing.
  ways[1].closed = UNREACHABLE;
  await assert.rejects(store.get("a"), (error) => isHansaError(error, "STORE_NO_QUORUM"));
});

test("a refusal of the store itself is final", async () => {
  const { first, ways, store } = world();
  first.fail(new HansaError("STORE_REFUSED", "too much"));
  await assert.rejects(store.get("a"), (error) => isHansaError(error, "STORE_REFUSED"));
  assert.equal(ways[1].opened, 0);
});

test("a voter that cannot be reached costs a moment, and all of them 2 s at most", async () => {
  const { ways, put } = world();
  ways[0].closed = "hangs";
  await put();
  assert.equal(ways[1].commits, 1);
  const lost = world();
  for (const way of lost.ways) way.closed = "hangs";
  const began = fairNow();
  await assert.rejects(lost.put(), (error) => isHansaError(error, "STORE_NO_QUORUM"));
  assert.ok(fairNow() - began < 2000);
});

test("the own voter is asked first, also once it answers again", async () => {
  const { ways, first, store, put } = world(true);
  first.fail(UNREACHABLE);
  await store.get("a");
  assert.equal(ways[1].opened, 1);
  first.fail(undefined);
  const own = await store.ownBeside(await store.reach());
  store.answered(own ?? assert.fail());
  await put();
  assert.deepEqual([ways[0].commits, ways[1].commits], [1, 0]);
});

test("an own voter that is late is asked last, until it is said to answer again", async () => {
  const { ways, first, second, store, put } = world(true);
  const own = await store.reach();
  ways[0].isSilent = true;
  first.fail(NO_QUORUM);
  await put();
  first.fail(undefined);
  await store.get("a");
  await put();
  assert.deepEqual([ways[0].commits, ways[1].commits], [1, 2]);
  // A voter that others serve by does not come to nothing when they do.
  second.fail(UNREACHABLE);
  ways[1].closed = UNREACHABLE;
  ways[1].ended.abort();
  ways[0].isSilent = false;
  await store.get("a");
  second.fail(undefined);
  ways[1].closed = undefined;
  store.leave(own);
  await put();
  assert.deepEqual([ways[0].commits, ways[1].commits], [1, 3]);
  store.answered(own);
  await put();
  assert.deepEqual([ways[0].commits, ways[1].commits], [2, 3]);
});

test("what is left of a connection that is over says nothing of the own voter", async () => {
  const { ways, first, store, put } = world(true);
  first.fail(UNREACHABLE);
  const opened = ways[0].opened;
  await store.get("a");
  assert.ok(ways[0].opened > opened);
  first.fail(undefined);
  const far = await store.reach();
  store.answered((await store.ownBeside(far)) ?? far);
  store.leave(far);
  store.leave(far);
  await put();
  assert.equal(ways[0].commits, 1);
});

test("a watch ends with its connection, and the next one goes through another", async () => {
  const { ways, store } = world();
  const watched = (async () => {
    for await (const event of store.watch("", 2n, new AbortController().signal)) assert.ok(event);
  })();
  await store.get("a");
  const failed = assert.rejects(watched, (error) => isHansaError(error, "STORE_UNREACHABLE"));
  ways[0].ended.abort();
  await failed;
  await store.get("a");
  assert.equal(ways[0].opened, 2);
});

test("without any way nobody waits", async () => {
  const store = new NodeStore({ ways: () => [], wasNotTaken: () => false });
  const began = fairNow();
  await assert.rejects(store.get("a"), (error) => isHansaError(error, "STORE_NO_QUORUM"));
  assert.ok(fairNow() - began < 500);
});
