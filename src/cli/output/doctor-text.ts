/** The doctor's report for people. Pure. */
import type { DoctorReport } from "../../api/doctor-schema.ts";
import { alignColumns } from "./align-columns.ts";
import type { Paint } from "./paint.ts";

/** What is known, then each finding in three lines. */
export function doctorText({ facts, findings }: DoctorReport, paint: Paint): string {
  const known = alignColumns(facts.map(({ name, value }) => [name, value]));
  const blocks = findings.map(({ code, severity, evidence, mend }) => {
    const head = `${paint(severity === "error" ? "red" : "yellow", severity)} ${code}`;
    return `${head}\n  found: ${evidence}\n  mend:  ${mend}`;
  });
  return [known, ...blocks].join("\n\n");
}
