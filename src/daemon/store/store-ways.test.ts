import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenStore } from "./store-ways.ts";

const ours = (generation: number) => ({ id: "a1".repeat(8), generation });
const other = { id: "b2".repeat(8), generation: 5 };

test("the newest generation of the store that a node has a copy of is followed, whatever else there is", () => {
  assert.deepEqual(chosenStore(ours(1), [ours(1), other, ours(2)], []), ours(2));
  const anew = { id: `${ours(1).id}00c0ffee`, generation: 2 };
  assert.deepEqual(chosenStore(ours(1), [ours(1), anew], []), anew);
});

test("another store is followed only where no voter of ours may come back", () => {
  assert.equal(chosenStore(ours(1), [other], [ours(1)]), undefined);
  assert.deepEqual(chosenStore(ours(1), [other], []), other);
  assert.deepEqual(chosenStore(undefined, [other], [ours(1)]), other);
  assert.equal(chosenStore(ours(1), [], []), undefined);
});
