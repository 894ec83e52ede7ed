import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LEAST_TIMING, timingFor } from "./store-times.ts";
import { TimingWindow } from "./timing-window.ts";

const EVERY_MS = 10_000;

/** A look each 10 s with what was needed then; the time of the last. */
function looked(window: TimingWindow, needed: readonly number[], fromMs = 0): number {
  for (const [index, ms] of needed.entries()) window.note(ms, fromMs + index * EVERY_MS);
  return fromMs + (needed.length - 1) * EVERY_MS;
}

test("two minutes of a longer way makes the times longer, by the look in the middle", () => {
  const window = new TimingWindow();
  const lastMs = looked(window, [300, 310, 3000, 300, 305, 300, 300, 300, 5000, 300, 302, 300]);
  assert.equal(window.next(LEAST_TIMING), undefined, "1 min 50 s");
  window.note(300, lastMs + EVERY_MS);
  assert.deepEqual(window.next(LEAST_TIMING), timingFor(400));
});

test("a moment's trouble changes nothing", () => {
  const window = new TimingWindow();
  looked(window, [1, 1, ...Array.from({ length: 12 }, () => 900), 1]);
  assert.equal(window.next(LEAST_TIMING), undefined);
});

test("ten minutes of a shorter way make them shorter, and one look of them that needed more does not", () => {
  const calm = Array.from({ length: 61 }, () => 2);
  const window = new TimingWindow();
  looked(window, calm.slice(1));
  assert.equal(window.next(timingFor(400)), undefined, "9 min 50 s");
  window.note(2, 60 * EVERY_MS);
  assert.deepEqual(window.next(timingFor(400)), LEAST_TIMING);
  const troubled = new TimingWindow();
  looked(troubled, calm.with(30, 350));
  assert.equal(troubled.next(timingFor(400)), undefined);
});

test("what was seen before a long pause is not counted", () => {
  const window = new TimingWindow();
  looked(window, [300, 300]);
  looked(window, [300, 300], 3_600_000);
  assert.equal(window.next(LEAST_TIMING), undefined);
});

test("whatever is measured, it keeps a bounded number of looks, and never asks for what stands already", () => {
  const needs = fc.array(fc.double({ min: 0, max: 10_000, noNaN: true }), { maxLength: 200 });
  fc.assert(
    fc.property(needs, fc.integer({ min: 1, max: 3200 }), (needed, before) => {
      const current = timingFor(before);
      const window = new TimingWindow(20);
      looked(window, needed);
      assert.notDeepEqual(window.next(current), current);
    }),
    { numRuns: 50 },
  );
});
