import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamEvent } from "../../api/event-stream.ts";
import type { ConfigEvent } from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import { NodeStore } from "../../store/node-store.ts";
import { ConfigWatch } from "./config-watch.ts";

const NEVER = new AbortController().signal;

function world() {
  const memory = new MemoryStore();
  const mark = { id: "a1", name: "prod", generation: 1 };
  const ended = new AbortController().signal;
  const store = new NodeStore({
    wasNotTaken: () => false,
    ways: () => [
      {
        ...{ name: "node 1 (host1)", isOwn: false },
        open: async () => ({
          ...{ mark: { ...mark }, store: memory, voters: { list: async () => [] } },
          ...{ ended, close: () => undefined },
        }),
      },
    ],
  });
  const watch = new ConfigWatch({ store, inPlainWords: async (error) => error });
  const put = async (key: string, value: string): Promise<void> => {
    const bytes = Buffer.from(value);
    await memory.commit({ conditions: [], writes: [{ type: "put", key, value: bytes }] });
  };
  return { memory, mark, watch, put, store };
}

function reader(watch: ConfigWatch, prefix: string, after?: string, who = "a") {
  const ending = new AbortController();
  const events = watch.watch(prefix, after, ending.signal, who)[Symbol.asyncIterator]();
  return {
    async next(): Promise<ConfigEvent & { readonly id: string }> {
      const { value, done } = await events.next();
      assert.notEqual(done, true);
      const event = value as StreamEvent;
      const data = /^data: (.*)$/m.exec(new TextDecoder().decode(event.bytes))?.[1] ?? "";
      return { ...(JSON.parse(data) as ConfigEvent), id: event.id };
    },
    async end(): Promise<void> {
      ending.abort();
      await events.return?.();
    },
  };
}

test("it tells where it begins, then each change below the prefix, and goes on behind a place", async () => {
  const { watch, put } = world();
  await put("config/app/a", "before");
  const first = reader(watch, "app/");
  const begin = await first.next();
  assert.deepEqual([begin.changes, begin.missed], [[], false]);
  await put("config/other", "x");
  await put("config/app/a", "1");
  const change = await first.next();
  assert.deepEqual(
    change.changes.map((each) => [each.type, each.key, "value" in each && each.value]),
    [["put", "app/a", "1"]],
  );
  const closing = first.end();
  await put("config/app/b", "wakes it");
  await closing;
  const second = reader(watch, "app/", begin.id);
  assert.deepEqual(
    (await second.next()).changes.map(({ key }) => key),
    ["app/a", "app/b"],
  );
  await put("config/app/c", "ends it");
  await second.end();
});

test("without a majority the reader hears why it waits, and misses nothing", async () => {
  const { memory, watch, put } = world();
  const reading = reader(watch, "");
  await reading.next();
  memory.fail(new HansaError("STORE_NO_QUORUM", "1 of 3 votes are heard"));
  const waits = await reading.next();
  assert.equal(waits.waitsFor, "1 of 3 votes are heard");
  memory.fail(undefined);
  await put("config/a", "1");
  const again = await reading.next();
  assert.deepEqual([again.waitsFor, again.missed], [null, false]);
  assert.deepEqual(
    (await reading.next()).changes.map(({ key }) => key),
    ["a"],
  );
  await put("config/b", "ends it");
  await reading.end();
});

test("what was forgotten, or was of another generation, is said to be missed", async () => {
  const { memory, mark, watch, put, store } = world();
  const first = reader(watch, "");
  const { id } = await first.next();
  await put("config/a", "1");
  await first.next();
  await first.end();
  await put("config/a", "2");
  memory.compact((await memory.get("config/a")).revision);
  await put("config/a", "3");
  const late = reader(watch, "", id);
  assert.equal((await late.next()).missed, true);
  await late.end();
  mark.generation = 2;
  store.leave(await store.reach());
  const next = reader(watch, "", id);
  assert.equal((await next.next()).missed, true);
  await next.end();
});

test("one certificate cannot take all places: others have theirs, and a place is free again with its reader", async () => {
  const { watch } = world();
  const refused = (who: string) =>
    assert.throws(
      () => watch.watch("", undefined, NEVER, who),
      (error) => isHansaError(error, "API_WATCHERS_MANY"),
    );
  const readers = Array.from({ length: 52 }, () => reader(watch, "", undefined, "greedy"));
  refused("greedy");
  const other = reader(watch, "", undefined, "other");
  assert.equal((await other.next()).missed, false);
  for (const each of readers) void each.end();
  readers.push(reader(watch, "", undefined, "greedy"));
  void readers.at(-1)?.end();
  void other.end();
});
