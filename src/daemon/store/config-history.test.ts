import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "../../store/memory-store.ts";
import { historyOf } from "./config-history.ts";

async function changed(steps: readonly (readonly [string, string | undefined])[]) {
  const store = new MemoryStore();
  for (const [key, value] of steps) {
    const write =
      value === undefined
        ? ({ type: "remove", key } as const)
        : ({ type: "put", key, value: Buffer.from(value) } as const);
    await store.commit({ conditions: [], writes: [write] });
  }
  return store;
}

async function told(store: MemoryStore, key: string): Promise<string> {
  const { changes, isWhole } = await historyOf(store, key);
  const words = changes.map((change) =>
    change.type === "put" ? Buffer.from(change.entry.value).toString() : "removed",
  );
  return `${words.join(" ")}${isWhole ? " whole" : ""}`;
}

const STEPS = [
  ["a", "1"],
  ["ab", "another"],
  ["a", "2"],
  ["a", undefined],
  ["a", "3"],
  ["b", "x"],
  ["a", "4"],
] as const;

test("an entry's history has each value and each removal, and nothing of keys that only begin so", async () => {
  assert.equal(await told(await changed(STEPS), "a"), "1 2 removed 3 4 whole");
  assert.equal(await told(await changed(STEPS.slice(0, 4)), "a"), "1 2 removed whole");
  assert.equal(await told(await changed(STEPS), "none"), " whole");
});

test("what was compacted is said to be missing, unless nothing of the entry was", async () => {
  const store = await changed(STEPS);
  store.compact(6n);
  assert.equal(await told(store, "a"), "3 4 whole");
  const later = await changed([...STEPS, ["a", "5"]]);
  later.compact(8n);
  assert.equal(await told(later, "a"), "4 5");
  later.compact(9n);
  assert.equal(await told(later, "a"), "5");
});
