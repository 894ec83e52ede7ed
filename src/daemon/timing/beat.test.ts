import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../host/clock.ts";
import { Beat } from "./beat.ts";

test("what comes round goes with the strikes, at its own pace", () => {
  const clock = new ManualClock();
  const beat = new Beat(clock);
  const ran: number[] = [];
  beat.every(2_000, () => ran.push(clock.monotonicMs()));
  for (let second = 1; second <= 10; second++) {
    clock.advance(1_001);
    beat.strike();
  }
  assert.deepEqual(ran, [2_002, 4_004, 6_006, 8_008, 10_010]);
  beat.close();
});

test("without a strike it strikes by itself, and nothing waits for more than a second and a half", () => {
  const clock = new ManualClock();
  const beat = new Beat(clock);
  const ran: number[] = [];
  let struck = 0;
  beat.join(() => struck++);
  beat.every(10_000, () => ran.push(clock.monotonicMs()));
  clock.advance(30_000);
  assert.equal(struck, 20);
  assert.deepEqual(ran, [10_500, 21_000]);
  beat.close();
  clock.advance(30_000);
  assert.equal(struck, 20);
});

test("a part that wakes who strikes does not strike again, and one that throws holds no other beat up", () => {
  const clock = new ManualClock();
  const beat = new Beat(clock);
  let struck = 0;
  const leave = beat.join(() => {
    struck++;
    beat.strike();
    if (struck === 1) throw new Error("once");
  });
  assert.throws(() => beat.strike(), /once/);
  beat.strike();
  assert.equal(struck, 2);
  leave();
  beat.strike();
  assert.equal(struck, 2);
  beat.close();
});
