import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTiming, LEAST_TIMING, neededMs, nextTiming, timingFor } from "./store-times.ts";

const amounts = fc.double({ min: 0, max: 100_000, noNaN: true });

test("voters near each other on good disks have the least times, others what the guide asks for", () => {
  const of = (roundTripMs: number, fsyncMs: number) =>
    timingFor(neededMs({ roundTripMs, fsyncMs }));
  assert.deepEqual(of(0.5, 2), { heartbeatMs: 100, electionMs: 1000 });
  assert.deepEqual(of(100, 200), LEAST_TIMING);
  assert.deepEqual(of(101, 2), { heartbeatMs: 200, electionMs: 2000 });
  assert.deepEqual(of(300, 2), { heartbeatMs: 400, electionMs: 4000 });
  assert.deepEqual(of(1, 400), { heartbeatMs: 200, electionMs: 2000 });
  assert.deepEqual(of(60_000, 60_000), { heartbeatMs: 3200, electionMs: 32_000 });
  assert.deepEqual(
    timingFor(neededMs({ roundTripMs: undefined, fsyncMs: undefined })),
    LEAST_TIMING,
  );
});

test("any measure gives times that etcd takes, enough for what is needed, and no step more", () => {
  fc.assert(
    fc.property(amounts, (ms) => {
      const timing = timingFor(ms);
      assert.ok(isTiming(timing));
      assert.ok(timing.electionMs >= 5 * timing.heartbeatMs && timing.electionMs <= 50_000);
      assert.ok(timing.heartbeatMs >= Math.min(ms, 3200));
      assert.ok(timing.heartbeatMs === 100 || timing.heartbeatMs / 2 < ms);
    }),
  );
});

test("what wanders around a bound changes nothing, and times fall by a quarter at most", () => {
  const at400 = timingFor(400);
  assert.equal(nextTiming(at400, 145), at400);
  assert.equal(nextTiming(at400, 139).heartbeatMs, 200);
  assert.equal(nextTiming(timingFor(3200), 0).heartbeatMs, 800);
  fc.assert(
    fc.property(amounts, amounts, (before, ms) => {
      const current = timingFor(before);
      const next = nextTiming(current, ms);
      assert.ok(isTiming(next));
      assert.ok(next.heartbeatMs >= Math.min(ms, 3200), "never less than is needed");
      assert.ok(next.heartbeatMs * 4 >= current.heartbeatMs);
      // Whatever it became, it stays: the same measure changes it no more, or lets it fall on.
      const again = nextTiming(next, ms);
      assert.ok(again.heartbeatMs <= next.heartbeatMs);
      const isShorter = next.heartbeatMs < current.heartbeatMs;
      assert.ok(
        !isShorter || nextTiming(next, ms * 1.4).heartbeatMs <= next.heartbeatMs,
        "no way back",
      );
    }),
  );
});

test("only times of ours are taken from elsewhere", () => {
  for (const bad of [
    undefined,
    null,
    7,
    {},
    { heartbeatMs: 100 },
    { heartbeatMs: 100, electionMs: 999 },
    { heartbeatMs: 150, electionMs: 1500 },
    { heartbeatMs: -100, electionMs: -1000 },
    { heartbeatMs: Number.NaN, electionMs: Number.NaN },
    { heartbeatMs: "100", electionMs: 1000 },
  ]) {
    assert.equal(isTiming(bad), false, JSON.stringify(bad));
  }
});
