import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LeakWatch, type Look, reconcile, type SeenContainer } from "./reconcile-plan.ts";

const stranded: SeenContainer = {
  id: "a",
  name: "web",
  running: false,
  error: 'failed to create endpoint: plugin "hansa" not found',
  restartPolicy: "always",
  address: undefined,
};
const holder: SeenContainer = { ...stranded, running: true, error: "", address: 7 };
const LEASE = { address: 7, sinceMs: 0 };
const FREED = [{ type: "free", addresses: [7] }];

/** What the last of these looks, one after another, lets be done. */
function afterLooks(...looks: readonly Partial<Look>[]) {
  let watch: LeakWatch = new Map();
  let steps: ReturnType<typeof reconcile>["steps"] = [];
  for (const look of looks) {
    const whole = { leases: [LEASE], containers: [], wallMs: 10 ** 9, monotonicMs: 0, ...look };
    ({ steps, watch } = reconcile(whole, watch));
  }
  return steps;
}

const startsOf = (...containers: readonly SeenContainer[]) =>
  afterLooks({ leases: [], containers }).filter(({ type }) => type === "start");

test("a lease without a container is freed after the grace and not before", () => {
  assert.deepEqual(afterLooks({}, { monotonicMs: 60_000, wallMs: 60_000 }), []);
  assert.deepEqual(afterLooks({}, { monotonicMs: 60_000, wallMs: 60_001 }), FREED);
});

test("one look frees nothing, however old the lease says it is: the wall clock may have jumped", () => {
  assert.deepEqual(afterLooks({}), []);
  assert.deepEqual(afterLooks({}, { monotonicMs: 9_999 }), []);
  assert.deepEqual(afterLooks({}, { monotonicMs: 5_000 }, { monotonicMs: 10_000 }), FREED);
});

test("a container between two looks, or another lease of the address, starts the watch anew", () => {
  const seen = { containers: [holder], monotonicMs: 5_000 };
  const end = { monotonicMs: 10_000 };
  assert.deepEqual(afterLooks({}, seen, end), []);
  assert.deepEqual(afterLooks({}, { leases: [], monotonicMs: 5_000 }, end), []);
  assert.deepEqual(afterLooks({}, { ...end, leases: [{ address: 7, sinceMs: 1 }] }), []);
  assert.deepEqual(afterLooks({}, seen, end, { monotonicMs: 20_000 }), FREED);
});

test("a lease that a container holds is never freed, whatever the clocks do", () => {
  const clocks = fc.record({ wallMs: fc.nat(), monotonicMs: fc.nat(), held: fc.boolean() });
  fc.assert(
    fc.property(fc.array(clocks, { minLength: 1, maxLength: 6 }), (looks) => {
      const steps = afterLooks(
        ...looks.map(({ held, ...times }) => ({ ...times, containers: held ? [holder] : [] })),
      );
      if (looks.at(-1)?.held) assert.deepEqual(steps, []);
    }),
  );
});

test("a container that Docker gave up on for want of an address is started again", () => {
  assert.deepEqual(startsOf(stranded), [{ type: "start", id: "a", name: "web" }]);
});

test("a container that was stopped, failed by itself, or is not to be restarted is left alone", () => {
  const left = [
    { ...stranded, error: "" },
    { ...stranded, error: "exec: no such file" },
    { ...stranded, restartPolicy: "no" },
    { ...stranded, running: true },
  ];
  assert.deepEqual(startsOf(...left), []);
});
