import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleStore } from "../../api/fake-store.ts";
import { memberOf, rosterWith } from "../status/status-facts.ts";
import { quorumViewOf } from "./quorum-view.ts";

const node = { id: 1, cluster: "prod", encryption: "wireguard" } as const;
const nowMs = Date.parse("2026-01-01T00:00:00Z");

test("only nodes that are heard are members, each with its vote or none", () => {
  const roster = rosterWith(memberOf({ id: 2 }), memberOf({ id: 4 }), memberOf({ id: 9 }));
  const view = quorumViewOf({ node, roster, store: exampleStore(), nowMs });
  assert.deepEqual(
    view.members.map(({ id, votes, isLocal }) => [id, votes, isLocal]),
    [
      [1, 1, true],
      [2, 1, false],
      [4, 0, false],
      [9, 0, false],
    ],
  );
  assert.deepEqual([view.nodes, view.expectedVotes, view.totalVotes, view.quorum], [4, 3, 2, 2]);
  assert.deepEqual(view.ringId, { node: 1, sequence: 5 });
  assert.deepEqual(view.flags, ["Quorate"]);
});

test("where votes are known and none answers, the node is not quorate, and says how many are needed", () => {
  const store = { id: "a1", generation: 1 };
  const roster = rosterWith(memberOf({ id: 2, store }), memberOf({ id: 3, store }));
  const view = quorumViewOf({ node, roster, store: undefined, nowMs });
  assert.equal(view.quorate, false);
  assert.deepEqual([view.expectedVotes, view.totalVotes, view.quorum], [2, 0, 2]);
  assert.deepEqual([view.configVersion, view.ringId, view.flags], [null, null, []]);
  assert.equal(view.name, "prod");
});
