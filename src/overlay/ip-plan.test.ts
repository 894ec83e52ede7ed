import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS } from "../errors.ts";
import { desiredOverlay } from "./desired-overlay.ts";
import { planIp } from "./ip-plan.ts";
import { sampleInput } from "./lab/sample-input.ts";

const DOCKER = { version: "20.10.24", firewallBackend: "iptables" } as const;

test("a bridge that Docker has not made yet is told under a code of the table", () => {
  const seen = { links: new Map(), routes: new Map() };
  const { problems } = planIp(desiredOverlay(sampleInput(DOCKER)), seen);
  assert.deepEqual(problems, ["OVERLAY_BRIDGE_MISSING: the bridge hansa0 does not exist"]);
  for (const problem of problems) assert.ok((problem.split(":")[0] ?? "") in ERRORS);
});
