import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RoundTrips } from "./round-trips.ts";
import { LAN_TIMING } from "./timing.ts";

test("without a measurement the configured timeout counts", () => {
  assert.equal(new RoundTrips(LAN_TIMING).timeoutMs(), 500);
});

test("near members bring the timeout down to the floor, far and near ones together keep it up", () => {
  const near = new RoundTrips(LAN_TIMING);
  const both = new RoundTrips(LAN_TIMING);
  for (let count = 0; count < 50; count++) {
    near.measured(2);
    both.measured(count % 2 === 0 ? 2 : 120);
  }
  assert.equal(near.timeoutMs(), 200);
  assert.ok(both.timeoutMs() > 240, `${both.timeoutMs()} ms`);
});

test("the timeout stays between the floor and the configured one", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 100_000, noNaN: true })), (measured) => {
      const roundTrips = new RoundTrips(LAN_TIMING);
      for (const ms of measured) roundTrips.measured(ms);
      assert.ok(roundTrips.timeoutMs() >= 200 && roundTrips.timeoutMs() <= 500);
    }),
  );
});

test("a member further away than others is given twice its own round trip, at most the configured timeout", () => {
  const near = new RoundTrips(LAN_TIMING);
  for (let count = 0; count < 50; count++) near.measured(1);
  assert.deepEqual([near.timeoutMs(2), near.timeoutMs(180), near.timeoutMs(400)], [200, 360, 500]);
});
