import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS, type ErrorCode } from "../errors.ts";
import { findingOfWarning } from "./finding.ts";

function severityOf(code: ErrorCode): string {
  const { hint } = ERRORS[code];
  return findingOfWarning({ code, message: "it was seen", hint }).severity;
}

test("what keeps the configuration from being changed is an error, what mends itself or is still made up for a warning", () => {
  const broken: readonly ErrorCode[] = [
    ...(["STORE_DAMAGED", "STORE_DISK_FULL", "STORE_FULL", "STORE_NO_QUORUM"] as const),
    ...(["STORE_OTHER", "STORE_REFUSED", "STORE_UNREACHABLE", "PORT_TAKEN"] as const),
    ...(["CLUSTER_DIFFERS", "NODE_DEPARTED", "NODE_TWIN", "STATE_UNWRITABLE"] as const),
  ];
  for (const code of broken) assert.equal(severityOf(code), "error", code);
  const working: readonly ErrorCode[] = [
    ...(["STORE_OUTLIVED", "WITNESS_UNREACHABLE", "NAMES_PORT_TAKEN"] as const),
  ];
  for (const code of working) assert.equal(severityOf(code), "warning", code);
});
