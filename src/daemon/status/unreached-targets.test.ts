import assert from "node:assert/strict";
import { test } from "node:test";
import { CANNOT_CONNECT_TO_OURSELF, type TargetView } from "../../membership/dialer.ts";
import { nameProblem } from "../membership/dial-loop.ts";
import { AUTHENTICATION_FAILED } from "../membership/rejections.ts";
import { memberName, memberOf, rosterWith } from "./status-facts.ts";
import { unreachedTargets } from "./unreached-targets.ts";

const REFUSED = "connection refused at 192.168.48.13:6783/tcp";

const targetWith = (different: Partial<TargetView>): TargetView => ({
  ...{ target: "host2", state: "retrying", error: REFUSED, retryAtMs: 9, attempts: 2 },
  member: undefined,
  ...different,
});

const unreached = (...targets: Partial<TargetView>[]) =>
  unreachedTargets(targets.map(targetWith), rosterWith(memberOf({ id: 2, state: "dead" })));

test("a target that was tried twice is told with its cause", () => {
  assert.deepEqual(
    unreached(
      { error: AUTHENTICATION_FAILED },
      { target: "host9:6790", error: nameProblem("host9") },
      { target: "host 9", state: "failed", error: "no address", attempts: 0 },
      { target: "host3", attempts: 7 },
    ),
    [
      { target: "host2", why: AUTHENTICATION_FAILED, cause: "authentication" },
      { target: "host9:6790", why: "the name host9 cannot be resolved", cause: "name" },
      { target: "host 9", why: "no address", cause: "name" },
      { target: "host3", why: REFUSED, cause: "path" },
    ],
  );
});

test("this node itself, a first attempt, a contact, a member and a peer that was lost are no ill", () => {
  assert.deepEqual(
    unreached(
      { state: "failed", error: CANNOT_CONNECT_TO_OURSELF },
      { attempts: 1 },
      { state: "connecting", error: undefined },
      { state: "satisfied", error: undefined, attempts: 0 },
      { member: memberName({ id: 2 }) },
    ),
    [],
  );
});
