import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Awareness } from "./awareness.ts";
import { Suspicion } from "./suspicion.ts";
import { LAN_TIMING, pushPullIntervalMs, retransmitLimit, suspicionBounds } from "./timing.ts";

const BOUNDS = { minMs: 4_000, maxMs: 24_000, confirmers: 2 };

test("a suspicion without confirmers lasts the longest time", () => {
  assert.equal(new Suspicion("a", BOUNDS, 100).deadlineMs, 24_100);
});

test("independent confirmers shorten it down to the shortest time, repeats do not", () => {
  const suspicion = new Suspicion("a", BOUNDS, 0);
  assert.equal(suspicion.confirm("a"), false);
  assert.equal(suspicion.confirm("b"), true);
  assert.equal(suspicion.deadlineMs, Math.floor(24_000 - (Math.log(2) / Math.log(3)) * 20_000));
  assert.equal(suspicion.confirm("b"), false);
  assert.equal(suspicion.confirm("c"), true);
  assert.equal(suspicion.deadlineMs, 4_000);
  assert.equal(suspicion.confirm("d"), false);
});

test("where nobody could confirm it lasts the shortest time from the start", () => {
  assert.equal(new Suspicion("a", { ...BOUNDS, confirmers: 0 }, 0).deadlineMs, 4_000);
});

test("the deadline never moves later with more confirmers", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "b", "c", "d", "e")), (accusers) => {
      const suspicion = new Suspicion("a", { minMs: 10, maxMs: 100, confirmers: 3 }, 0);
      let before = suspicion.deadlineMs;
      for (const accuser of accusers) {
        suspicion.confirm(accuser);
        assert.ok(suspicion.deadlineMs <= before && suspicion.deadlineMs >= 10);
        before = suspicion.deadlineMs;
      }
    }),
  );
});

test("the formulas give memberlist's numbers", () => {
  assert.deepEqual(suspicionBounds(LAN_TIMING, 3), { minMs: 4_000, maxMs: 24_000, confirmers: 0 });
  assert.deepEqual(suspicionBounds(LAN_TIMING, 100), {
    minMs: 8_000,
    maxMs: 48_000,
    confirmers: 2,
  });
  assert.deepEqual(
    [1, 9, 10, 99, 100].map((n) => retransmitLimit(LAN_TIMING, n)),
    [4, 4, 8, 8, 12],
  );
  assert.deepEqual(
    [1, 32, 33, 64, 65, 1024].map((n) => pushPullIntervalMs(LAN_TIMING, n) / 30_000),
    [1, 1, 2, 2, 3, 6],
  );
});

test("awareness stays between 0 and its maximum and stretches times", () => {
  const awareness = new Awareness(8);
  awareness.apply(-3);
  assert.equal(awareness.scale(1_000), 1_000);
  awareness.apply(100);
  assert.equal(awareness.score, 7);
  assert.equal(awareness.scale(1_000), 8_000);
});
