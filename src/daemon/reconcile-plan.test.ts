import assert from "node:assert/strict";
import { test } from "node:test";
import { reconcileSteps, type SeenContainer } from "./reconcile-plan.ts";

const stranded: SeenContainer = {
  id: "a",
  name: "web",
  running: false,
  error: 'failed to create endpoint: plugin "hansa" not found',
  restartPolicy: "always",
  address: undefined,
};

test("a lease without a container is freed after the grace and not before", () => {
  const leases = [{ address: 7, sinceMs: 0 }];
  assert.deepEqual(reconcileSteps(leases, [], 60_000), []);
  assert.deepEqual(reconcileSteps(leases, [], 60_001), [{ type: "free", addresses: [7] }]);
});

test("a lease that a container holds is never freed", () => {
  const holder = { ...stranded, running: true, error: "", address: 7 };
  assert.deepEqual(reconcileSteps([{ address: 7, sinceMs: 0 }], [holder], 10 ** 9), []);
});

test("a container that Docker gave up on for want of an address is started again", () => {
  assert.deepEqual(reconcileSteps([], [stranded], 0), [{ type: "start", id: "a", name: "web" }]);
});

test("a container that was stopped, failed by itself, or is not to be restarted is left alone", () => {
  const left = [
    { ...stranded, error: "" },
    { ...stranded, error: "exec: no such file" },
    { ...stranded, restartPolicy: "no" },
    { ...stranded, running: true },
  ];
  assert.deepEqual(reconcileSteps([], left, 0), []);
});
