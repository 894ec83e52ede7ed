/** What every Store must do, run against the one in memory and against a real etcd. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { follow } from "./follow.ts";
import type { Change, Outcome, Revision, Store, WatchEvent } from "./store.ts";

/** A store to try, and what its keepers do to it. */
export interface StoreWorld {
  readonly store: Store;
  /** Forgets what was before that revision. */
  compact(revision: Revision): Promise<void>;
}

const DEADLINE_MS = 120_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value && new TextDecoder().decode(value);

export function storeSuite(title: string, world: () => StoreWorld): void {
  const put = (key: string, value: string, revision?: Revision): Promise<Outcome> =>
    world().store.commit({
      conditions: revision === undefined ? [] : [{ key, revision }],
      writes: [{ type: "put", key, value: bytes(value) }],
    });
  const remove = (key: string): Promise<Outcome> =>
    world().store.commit({ conditions: [], writes: [{ type: "remove", key }] });

  test(`${title}: what was put is read, with the revisions of its making and last change`, async () => {
    const { store } = world();
    const made = await put("a/one", "1");
    const changed = await put("a/one", "2");
    assert.equal(changed.revision, made.revision + 1n);
    const { entry, revision } = await store.get("a/one");
    assert.equal(revision, changed.revision);
    assert.equal(text(entry?.value), "2");
    assert.equal(entry?.created, made.revision);
    assert.equal(entry?.revision, changed.revision);
    const local = await store.get("a/one", { consistency: "local" });
    assert.deepEqual(local.entry, entry);
  });

  test(`${title}: a key that is not there is undefined, and removing it changes nothing`, async () => {
    const { store } = world();
    const { entry, revision } = await store.get("b/none");
    assert.equal(entry, undefined);
    const outcome = await remove("b/none");
    assert.deepEqual(outcome, { ok: true, revision });
  });

  test(`${title}: a prefix lists its keys in the order of their bytes, and nothing beside`, async () => {
    const { store } = world();
    for (const key of ["c/é", "c/b", "c/a", "c0", "c", "c/\u{1f600}", "c/\uffff"])
      await put(key, key);
    const { entries } = await store.list("c/");
    assert.deepEqual(
      entries.map(({ key }) => key),
      ["c/a", "c/b", "c/é", "c/\uffff", "c/\u{1f600}"],
    );
    assert.ok((await store.list("")).entries.some(({ key }) => key === "c"));
  });

  test(`${title}: hundreds of keys are listed whole, as they were at one revision`, async () => {
    const { store } = world();
    const keys = Array.from({ length: 300 }, (_, index) => `cc/${String(index).padStart(3, "0")}`);
    let last = await put("cc/large", "x".repeat(2 ** 20));
    for (let at = 0; at < keys.length; at += 100) {
      const writes = keys
        .slice(at, at + 100)
        .map((key) => ({ type: "put", key, value: bytes(key) }) as const);
      last = await store.commit({ conditions: [], writes });
    }
    const listed = store.list("cc/");
    const removed = remove("cc/299");
    const { entries, revision } = await listed;
    assert.ok(revision >= last.revision);
    const hasAll = revision === last.revision;
    assert.equal(entries.length, hasAll ? 301 : 300);
    await removed;
    const then = await store.list("cc/", { at: last.revision });
    assert.deepEqual(
      then.entries.map(({ key }) => key),
      [...keys, "cc/large"],
    );
  });

  test(`${title}: values are bytes, also none and many`, async () => {
    const { store } = world();
    const many = new Uint8Array(1024 * 1024).map((_, index) => index % 251);
    for (const value of [new Uint8Array(), new Uint8Array([0, 255, 254]), many]) {
      await store.commit({ conditions: [], writes: [{ type: "put", key: "d", value }] });
      assert.deepEqual(Buffer.from((await store.get("d")).entry?.value ?? []), Buffer.from(value));
    }
  });

  test(`${title}: a commit whose condition fails writes nothing and shows what is there`, async () => {
    const { store } = world();
    const first = await put("e/one", "mine", 0n);
    assert.equal(first.ok, true);
    const second = await store.commit({
      conditions: [
        { key: "e/two", revision: 0n },
        { key: "e/one", revision: 0n },
      ],
      writes: [
        { type: "put", key: "e/one", value: bytes("yours") },
        { type: "put", key: "e/two", value: bytes("too") },
      ],
    });
    assert.ok(!second.ok);
    assert.deepEqual(
      second.found.map((entry) => text(entry?.value)),
      [undefined, "mine"],
    );
    assert.equal((await store.list("e/")).entries.length, 1);
  });

  test(`${title}: several keys change in one revision`, async () => {
    const { store } = world();
    const before = await put("f/old", "x");
    const { revision } = await store.commit({
      conditions: [{ key: "f/old", revision: before.revision }],
      writes: [
        { type: "put", key: "f/new", value: bytes("y") },
        { type: "remove", key: "f/old" },
      ],
    });
    assert.equal(revision, before.revision + 1n);
    const { entries } = await store.list("f/");
    assert.deepEqual(
      entries.map(({ key, revision: at }) => [key, at]),
      [["f/new", revision]],
    );
    const then = await store.list("f/", { at: before.revision });
    assert.deepEqual(
      then.entries.map(({ key }) => key),
      ["f/old"],
    );
  });

  test(`${title}: of many who set one key from one revision exactly one wins`, async () => {
    const { revision } = await put("g", "0");
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => put("g", `${index + 1}`, revision)),
    );
    assert.equal(outcomes.filter(({ ok }) => ok).length, 1);
  });

  test(`${title}: a counter that all raise by compare-and-set loses no step`, async () => {
    const { store } = world();
    await put("h", "0");
    const raise = async (): Promise<void> => {
      for (;;) {
        const { entry } = await store.get("h");
        const next = `${Number(text(entry?.value)) + 1}`;
        if ((await put("h", next, entry?.revision)).ok) return;
      }
    };
    await Promise.all(Array.from({ length: 8 }, raise));
    assert.equal(text((await store.get("h")).entry?.value), "8");
  });

  test(`${title}: a commit beyond the bounds is refused and changes nothing`, async () => {
    const { store } = world();
    const { revision } = await store.get("i");
    const write = (key: string, size = 1): { type: "put"; key: string; value: Uint8Array } => ({
      ...{ type: "put", key, value: new Uint8Array(size) },
    });
    const tooMany = Array.from({ length: 129 }, (_, index) => write(`i/${index}`));
    for (const writes of [
      [write("i"), write("i")],
      [write("")],
      [write("i", 2 ** 20 + 1)],
      tooMany,
    ]) {
      await assert.rejects(store.commit({ conditions: [], writes }), (error) =>
        isHansaError(error, "STORE_REFUSED"),
      );
    }
    assert.equal((await store.get("i")).revision, revision);
  });

  test(`${title}: a watch tells what was and what comes, in order, of its prefix only`, async () => {
    const { store } = world();
    const first = await put("j/a", "1");
    await put("k/a", "not told");
    await remove("j/a");
    const watched = watch(store, "j/", first.revision);
    await watched.until(2);
    await store.commit({
      conditions: [],
      writes: [
        { type: "put", key: "j/b", value: bytes("2") },
        { type: "put", key: "j/c", value: bytes("3") },
      ],
    });
    const seen = await watched.until(4);
    assert.deepEqual(seen.map(shortChange), ["put j/a 1", "remove j/a", "put j/b 2", "put j/c 3"]);
    await watched.end();
  });

  test(`${title}: a watch that begins with the next commit hears nothing of earlier ones`, async () => {
    const { store } = world();
    const { revision } = await put("l", "before");
    const watched = watch(store, "l", revision + 1n);
    await put("l", "after");
    assert.deepEqual((await watched.until(1)).map(shortChange), ["put l after"]);
    await watched.end();
  });

  test(`${title}: what was compacted cannot be read nor watched, and says so`, async () => {
    const { store, compact } = world();
    const { revision } = await put("m", "old");
    await put("m", "new");
    await compact(revision + 1n);
    await assert.rejects(store.get("m", { at: revision }), (error) =>
      isHansaError(error, "STORE_COMPACTED"),
    );
    const events: WatchEvent[] = [];
    const signal = AbortSignal.timeout(DEADLINE_MS);
    for await (const event of store.watch("m", revision, signal)) events.push(event);
    assert.deepEqual(events, [{ type: "compacted", oldest: revision + 1n }]);
    assert.equal(text((await store.get("m", { at: revision + 1n })).entry?.value), "new");
  });

  test(`${title}: who follows a prefix gets all of it, again after a compaction, and each change`, async () => {
    const { store, compact } = world();
    const { revision } = await put("n/a", "1");
    await put("n/b", "2");
    await compact(revision + 1n);
    const ending = new AbortController();
    const told: string[] = [];
    // It was away since before the first of them.
    for await (const step of follow(store, "n/", ending.signal, revision - 2n)) {
      if (step.type === "all") {
        told.push(step.entries.map(({ key }) => key).join(" "));
        await put("n/c", "3");
      } else {
        told.push(...step.changes.map(shortChange));
        ending.abort();
      }
    }
    assert.deepEqual(told, ["n/a n/b", "put n/c 3"]);
  });

  test(`${title}: the status names the voter that leads and the store's revision`, async () => {
    const { store } = world();
    const { revision } = await store.get("o");
    const status = await store.status();
    assert.equal(status.leader, status.member);
    assert.equal(status.isLearner, false);
    assert.equal(status.revision, revision);
  });
}

interface Watched {
  /** The first changes, once there are so many. */
  until(count: number): Promise<readonly Change[]>;
  end(): Promise<void>;
}

function watch(store: Store, prefix: string, from: Revision): Watched {
  const ending = new AbortController();
  const seen: Change[] = [];
  let wake = (): void => undefined;
  const run = (async () => {
    for await (const event of store.watch(prefix, from, ending.signal)) {
      if (event.type === "changes") seen.push(...event.changes);
      wake();
    }
  })();
  return {
    async until(count) {
      const late = AbortSignal.timeout(DEADLINE_MS);
      while (seen.length < count) {
        late.throwIfAborted();
        await Promise.race([
          new Promise<void>((resolve) => {
            wake = resolve;
            late.addEventListener("abort", () => resolve());
          }),
          run,
        ]);
      }
      return seen;
    },
    async end() {
      ending.abort();
      await run;
    },
  };
}

function shortChange(change: Change): string {
  return change.type === "put"
    ? `put ${change.entry.key} ${text(change.entry.value)}`
    : `remove ${change.key}`;
}
