import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../host/clock.ts";
import { DelayedCalls } from "./delayed-calls.ts";

function calls() {
  const clock = new ManualClock();
  const atMs: number[] = [];
  const delayed = new DelayedCalls(clock, 2_100, () => atMs.push(clock.monotonicMs()));
  return { clock, atMs, delayed };
}

test("a request puts off no earlier one, and has its own call", () => {
  const { clock, atMs, delayed } = calls();
  for (const pauseMs of [0, 1_000, 1_000, 1_000]) {
    clock.advance(pauseMs);
    delayed.request();
  }
  clock.advance(10_000);
  assert.deepEqual(atMs, [2_100, 3_100, 4_100, 5_100]);
});

test("requests of one moment share a call, and there may be others after it", () => {
  const { clock, atMs, delayed } = calls();
  delayed.request();
  delayed.request();
  clock.advance(5_000);
  delayed.request();
  clock.advance(5_000);
  assert.deepEqual(atMs, [2_100, 7_100]);
});

test("after close nothing is called, whether asked for before or after", () => {
  const { clock, atMs, delayed } = calls();
  delayed.request();
  delayed.close();
  delayed.request();
  clock.advance(5_000);
  assert.deepEqual(atMs, []);
});
