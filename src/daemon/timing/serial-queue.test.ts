import assert from "node:assert/strict";
import { test } from "node:test";
import { SerialQueue } from "./serial-queue.ts";

test("jobs run in order, one at a time, and a failed one holds nobody up", async () => {
  const seen: unknown[] = [];
  const queue = new SerialQueue((error) => seen.push(`${error}`));
  queue.add(async () => {
    await new Promise(setImmediate);
    seen.push(1);
  });
  queue.add(() => {
    throw new Error("two");
  });
  queue.add(() => void seen.push(3));
  await queue.drained();
  assert.deepEqual(seen, [1, "Error: two", 3]);
});
