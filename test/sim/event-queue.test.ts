import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventQueue } from "./event-queue.ts";

/** Beyond the ring's four seconds, within one slot, and at one moment. */
const TIME = fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.constantFrom(1, 1.1, 1.2, 1.25, 5e6));

test("actions run in order of time, those of one moment as they were added", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(TIME, fc.array(TIME, { maxLength: 3 }))), (plan) => {
      const queue = new EventQueue();
      const seen: { readonly dueMs: number; readonly number: number }[] = [];
      let nowMs = 0;
      let number = 0;
      const add = (dueMs: number, followers: readonly number[]) => {
        const mine = number++;
        queue.at(dueMs, () => {
          seen.push({ dueMs, number: mine });
          for (const afterMs of followers) add(nowMs + afterMs, []);
        });
      };
      for (const [dueMs, followers] of plan) add(dueMs, followers);
      while (queue.nextMs < Number.POSITIVE_INFINITY) {
        assert.ok(queue.nextMs >= nowMs);
        nowMs = queue.nextMs;
        queue.run(nowMs);
      }
      assert.equal(seen.length, number);
      const sorted = seen.toSorted((a, b) => a.dueMs - b.dueMs || a.number - b.number);
      assert.deepEqual(seen, sorted);
    }),
  );
});

test("what is added before the next one that was looked at comes first", () => {
  const queue = new EventQueue();
  const seen: string[] = [];
  queue.at(9_000, () => seen.push("late"));
  assert.equal(queue.nextMs, 9_000);
  queue.at(10, () => seen.push("early"));
  assert.equal(queue.nextMs, 10);
  queue.run(9_000);
  assert.deepEqual(seen, ["early", "late"]);
});
