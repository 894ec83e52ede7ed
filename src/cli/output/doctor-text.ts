/** The doctor's reports for people. Pure. */
import type { DoctorReport } from "../../api/doctor-schema.ts";
import type { ClusterReport } from "../../doctor/cluster-report.ts";
import { alignColumns } from "./align-columns.ts";
import type { Paint } from "./paint.ts";

/** What is known, then each finding in three lines. */
export function doctorText({ facts, findings }: DoctorReport, paint: Paint): string {
  const known = alignColumns(facts.map(({ name, value }) => [name, value]));
  return [known, ...findings.map((finding) => findingText(finding, paint))].join("\n\n");
}

/** A line for each node, then each finding with the nodes that found it. */
export function clusterDoctorText({ nodes, findings }: ClusterReport, paint: Paint): string {
  const lines = nodes.map(({ id, name, report }) => [
    `${id}(${name})`,
    report === null ? "cannot be asked" : summaryOf(report),
  ]);
  const blocks = findings.map((finding) => findingText(finding, paint, finding.nodes));
  return [alignColumns(lines), ...blocks].join("\n\n");
}

/** "20 checks, 3 skipped: 1 error, 0 warnings". */
export function summaryOf({ checks, findings }: DoctorReport): string {
  const done = checks.filter(({ skipped }) => skipped === null).length;
  const made = `${done} check${done === 1 ? "" : "s"}, ${checks.length - done} skipped`;
  return `${made}: ${countText(findings)}`;
}

/** "1 error, 0 warnings", or "nothing found". */
export function countText(findings: readonly { readonly severity: string }[]): string {
  const count = (wanted: string): number =>
    findings.filter(({ severity }) => severity === wanted).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (errors + warnings === 0) return "nothing found";
  return `${errors} error${errors === 1 ? "" : "s"}, ${warnings} warning${warnings === 1 ? "" : "s"}`;
}

function findingText(
  { code, severity, evidence, mend }: DoctorReport["findings"][number],
  paint: Paint,
  nodes?: readonly string[],
): string {
  const by = nodes === undefined ? "" : ` on ${nodes.join(", ")}`;
  const head = `${paint(severity === "error" ? "red" : "yellow", severity)} ${code}${by}`;
  return `${head}\n  found: ${evidence}\n  mend:  ${mend}`;
}
