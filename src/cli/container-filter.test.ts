import assert from "node:assert/strict";
import { test } from "node:test";
import { requireNodes } from "./container-filter.ts";

const NODES = [{ id: 1, name: "host1", reachable: true, asOf: null, problem: null }];

function requiring(node: string): void {
  requireNodes(
    { operands: [], flags: new Set(), lists: new Map(), values: new Map([["node", node]]) },
    NODES,
  );
}

test("nodes may be named by name, number or a pattern; another word is no node", () => {
  for (const fine of ["host1", "1", "host1,x*"]) requiring(fine);
  assert.throws(() => requiring("host1,nosuch"), {
    code: "NODE_NOT_FOUND",
    message: "there is no node nosuch",
  });
});
