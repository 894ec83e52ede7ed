import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Backoff, backoffMs, LOCAL_BACKOFF } from "./backoff.ts";
import { ManualClock } from "./clock.ts";

const SLOW: Backoff = { firstMs: 2000, factor: 1.5, capMs: 10_000, jitter: 0.5 };

test("back-off grows, is capped, and spreads by its jitter", () => {
  const middle = [0, 1, 2, 3, 4, 5, 100].map((attempt) => backoffMs(SLOW, attempt, 0.5));
  assert.deepEqual(middle, [2000, 3000, 4500, 6750, 10_000, 10_000, 10_000]);
  assert.deepEqual([backoffMs(SLOW, 0, 0), backoffMs(SLOW, 9, 1)], [1000, 15_000]);
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const ms = backoffMs(LOCAL_BACKOFF, attempt, random);
      assert.ok(ms > 0 && ms <= 1000, `${ms}`);
    }),
  );
});

test("a manual clock calls what falls due, in order of time, and nothing cancelled", () => {
  const clock = new ManualClock(1_000_000);
  const called: string[] = [];
  clock.after(20, () => called.push(`b at ${clock.monotonicMs()}`));
  clock.after(10, () => {
    called.push(`a at ${clock.monotonicMs()}`);
    clock.after(5, () => called.push(`a2 at ${clock.monotonicMs()}`));
  });
  clock.after(15, () => called.push("never"))();
  clock.advance(19);
  assert.deepEqual(called, ["a at 10", "a2 at 15"]);
  clock.advance(1);
  assert.deepEqual(called.at(-1), "b at 20");
  assert.equal(clock.wallMs(), 1_000_020);
});
