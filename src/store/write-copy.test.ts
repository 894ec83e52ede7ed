import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../errors.ts";
import { MemoryStore } from "./memory-store.ts";
import type { Entry, Store } from "./store.ts";
import { batches, writeCopy } from "./write-copy.ts";

const MARK = { id: "a1", name: "prod", generation: 1 };

function entry(key: string, length: number): Entry {
  return { key, value: new Uint8Array(length).fill(7), revision: 1n, created: 1n };
}

test("all entries are written, in parts that a commit takes", async () => {
  const entries = [
    ...Array.from({ length: 300 }, (_, index) => entry(`small/${index}`, 10)),
    entry("large/a", 1024 * 1024 - 64),
    entry("large/b", 1024 * 1024),
    entry("last", 1),
  ];
  assert.deepEqual(
    batches(entries).map((batch) => batch.length),
    [128, 128, 44, 1, 1, 1],
  );
  const store = new MemoryStore();
  await writeCopy(store, { store: MARK, revision: 9n, takenAtMs: 0, entries });
  const { entries: found } = await store.list("");
  assert.equal(found.length, entries.length);
  assert.equal(found.find(({ key }) => key === "large/b")?.value.length, 1024 * 1024);
});

test("a disk that is slow once costs another try, one that never answers is said so", async () => {
  let tries = 0;
  const failing = (until: number): Pick<Store, "commit"> => ({
    commit: async () => {
      tries += 1;
      if (tries < until) throw new HansaError("STORE_NO_QUORUM", "not in time");
      return { ok: true, revision: 1n };
    },
  });
  const copy = { store: MARK, revision: 9n, takenAtMs: 0, entries: [entry("a", 1)] };
  await writeCopy(failing(3), copy);
  assert.equal(tries, 3);
  await assert.rejects(writeCopy(failing(99), copy), /not in time/);
});
