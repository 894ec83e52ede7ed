/**
 * What the doctor says: findings, each with a stable code, what was measured, and how to mend it. Plain data.
 *
 * A fault that also refuses a launch or stands in `status` has the same code here as there (src/errors.ts); what only the doctor looks for has
 * one of its own (finding-table.ts).
 */
import { ERRORS, type ErrorCode, type HansaError } from "../errors.ts";
import { FINDINGS, type FindingCode, SEVERITIES } from "./finding-table.ts";

export type Severity = "error" | "warning";

export interface Finding {
  readonly code: FindingCode | ErrorCode;
  /** error: something does not work. warning: it works, and will not or not well. */
  readonly severity: Severity;
  /** What was measured, with names and numbers, in one sentence. */
  readonly evidence: string;
  /** A command, or one step in words. */
  readonly mend: string;
}

/** A finding of the table; `mend` and `severity` where this occurrence knows better than the table. */
export function finding(
  code: FindingCode,
  evidence: string,
  options: { readonly mend?: string; readonly severity?: Severity } = {},
): Finding {
  const entry = FINDINGS[code];
  const { mend = entry.mend, severity = entry.severity } = options;
  return { code, severity, evidence, mend };
}

/** A failure as a finding. */
export function findingOf({ code, message, hint }: HansaError): Finding {
  return { code, severity: severityOf(code), evidence: message, mend: hint };
}

/** A warning of `status` as a finding. */
export function findingOfWarning(warning: {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}): Finding {
  const code = Object.hasOwn(ERRORS, warning.code) ? (warning.code as ErrorCode) : "INTERNAL";
  const mend = warning.hint === "" ? ERRORS[code].hint : warning.hint;
  return { code, severity: severityOf(code), evidence: warning.message, mend };
}

function severityOf(code: ErrorCode): Severity {
  return SEVERITIES[code] ?? "warning";
}
