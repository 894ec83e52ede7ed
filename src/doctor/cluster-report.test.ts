import assert from "node:assert/strict";
import { test } from "node:test";
import type { DoctorReport } from "../api/doctor-schema.ts";
import { HansaError } from "../errors.ts";
import { clusterReport } from "./cluster-report.ts";

function reportOf(id: number, ...findings: DoctorReport["findings"]): DoctorReport {
  return { node: { id, name: `host${id}` }, facts: [], checks: [], findings };
}

const CLOSED = {
  code: "DOCTOR_PORT_BLOCKED",
  severity: "error" as const,
  evidence: "6783/udp is blocked from host1 to host2",
  mend: "open it",
};
const FULL = { ...CLOSED, code: "DOCTOR_DISK_LOW", severity: "warning" as const };

test("what both ends of a path found is said once, with both their names", () => {
  const { findings, nodes } = clusterReport([
    { id: 2, name: "host2", result: reportOf(2, CLOSED) },
    { id: 1, name: "host1", result: reportOf(1, CLOSED) },
  ]);
  assert.deepEqual(findings, [{ ...CLOSED, nodes: ["host1", "host2"] }]);
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ["host1", "host2"],
  );
});

test("errors stand before warnings, whoever found them", () => {
  const { findings } = clusterReport([
    { id: 1, name: "host1", result: reportOf(1, FULL) },
    { id: 2, name: "host2", result: reportOf(2, CLOSED) },
  ]);
  assert.deepEqual(
    findings.map(({ code }) => code),
    ["DOCTOR_PORT_BLOCKED", "DOCTOR_DISK_LOW"],
  );
});

test("a node that cannot be asked is a finding, and has no report", () => {
  const error = new HansaError("NODE_UNREACHABLE", "node 3 (host3) cannot be asked");
  const { findings, nodes } = clusterReport([{ id: 3, name: "host3", result: error }]);
  assert.deepEqual(nodes, [{ id: 3, name: "host3", report: null }]);
  assert.equal(findings[0]?.severity, "error");
  assert.equal(findings[0]?.evidence, "node 3 (host3) cannot be asked");
  assert.equal(findings[0]?.mend, error.hint);
});
