import assert from "node:assert/strict";
import { test } from "node:test";
import { deedOf } from "./deeds.ts";
import { ROUTES } from "./routes.ts";
import { STREAM_ROUTES } from "./stream-routes.ts";

test("what a user may be refused is called by what it does, not by the name of its operation", () => {
  for (const { operation, role } of [...ROUTES, ...STREAM_ROUTES]) {
    if (role !== "operator" && role !== "admin") continue;
    assert.match(deedOf(operation), / /, `${operation} has no words`);
  }
  assert.equal(deedOf("listProcesses"), "listing the processes of a container");
});
