import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FairClock } from "./fair-time.ts";

function stage() {
  const pace = {
    ...{ factor: 1, next: 1 },
    async measure() {
      pace.factor = pace.next;
    },
  };
  let wallMs = 0;
  const clock = new FairClock(pace, () => wallMs);
  /** Some time passes, on a machine that turns out to be `slow` times slower than at rest. */
  const pass = async (ms: number, slow: number) => {
    wallMs += ms;
    pace.next = slow;
    await clock.measure();
  };
  return { clock, pass };
}

test("on a machine at rest it is the wall's clock, and on a slow one it is as much slower", async () => {
  const { clock, pass } = stage();
  await pass(1000, 1);
  assert.equal(clock.now(), 1000);
  await pass(1000, 4);
  assert.equal(clock.now(), 1250);
  await pass(1000, 1);
  assert.equal(clock.now(), 2250);
});

test("it never goes back, and never faster than the wall's", async () => {
  const steps = fc.array(fc.tuple(fc.nat(500), fc.integer({ min: 10, max: 100 })));
  await fc.assert(
    fc.asyncProperty(steps, async (passed) => {
      const { clock, pass } = stage();
      let [wallMs, told] = [0, 0];
      for (const [ms, tenths] of passed) {
        await pass(ms, tenths / 10);
        wallMs += ms;
        const now = clock.now();
        assert.ok(now >= told && now <= wallMs + 1e-6);
        told = now;
      }
    }),
  );
});
