import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { leaderGauges } from "./leader-gauges.ts";

const text = (has: number, is: number): string =>
  [
    "# HELP etcd_server_has_leader Whether or not a leader exists. 1 is existence, 0 is not.",
    "# TYPE etcd_server_has_leader gauge",
    `etcd_server_has_leader ${has}`,
    `etcd_server_is_leader ${is}`,
    "etcd_server_is_learner 0",
  ].join("\n");

test("both gauges are read, among the rest", () => {
  assert.deepEqual(leaderGauges(text(1, 0)), { hasLeader: true, leads: false });
  assert.deepEqual(leaderGauges(text(1, 1)), { hasLeader: true, leads: true });
  assert.deepEqual(leaderGauges(text(0, 0)), { hasLeader: false, leads: false });
});

test("what is no such text says that there is none", () => {
  fc.assert(
    fc.property(fc.string(), (garbage) => {
      const { hasLeader, leads } = leaderGauges(garbage);
      assert.ok(!hasLeader && !leads);
    }),
    { numRuns: 200 },
  );
});
