/** `hansa doctor`: what is wrong with this host and its paths to others, with evidence and mend. */
import type { DoctorReport } from "../../api/doctor-schema.ts";
import { isHansaError } from "../../errors.ts";
import type { Command, Context } from "../command.ts";
import { doctorText } from "../output/doctor-text.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { withProgress } from "../output/progress.ts";

/** Why the daemon could not be asked, in which cases the host alone is looked at. */
const WITHOUT_DAEMON = [
  "NODE_NOT_RUNNING",
  "ROOT_REQUIRED",
  "API_ROUTE_UNKNOWN",
  "API_ANSWER_INVALID",
] as const;

export const doctor: Command = {
  name: "doctor",
  summary: "look for what is wrong with this host and its paths to other nodes",
  details: `Each finding has a code, what was measured, and how to mend it; docs/reference/doctor.md explains all. While the node runs,
each peer is asked to try the paths back. On a host that does not run as a node yet, it tells whether it could.
The exit status is 1 when there is an error among the findings.`,
  options: [OUTPUT_OPTION],
  asksNode: true,
  examples: ["doctor", "doctor -o json", "doctor --node host2"],
  async run(words, context) {
    const format = formatOf(words);
    const doing = `examining ${context.node === undefined ? "this host" : `node ${context.node}`}`;
    const report = await withProgress(context.note, doing, (progress) =>
      reportOf(context, () =>
        progress.step("the daemon cannot be asked: examining the host alone"),
      ),
    );
    if (format === "table") printReport(report, context);
    else context.out(await documentText(report, format));
    return report.findings.some(({ severity }) => severity === "error") ? 1 : 0;
  },
};

/** The daemon's report, which looks at the host too; else our own. */
async function reportOf(context: Context, alone: () => void): Promise<DoctorReport> {
  try {
    return await context.client.doctor();
  } catch (error) {
    // Of another node our own host tells nothing.
    if (context.node !== undefined) throw error;
    if (!WITHOUT_DAEMON.some((code) => isHansaError(error, code))) throw error;
    alone();
    return await context.examineHost();
  }
}

function printReport(report: DoctorReport, context: Context): void {
  const paint = context.colour ? coloured : plain;
  context.out(`${doctorText(report, paint)}\n`);
  const count = (severity: string): number =>
    report.findings.filter((finding) => finding.severity === severity).length;
  const done = report.checks.filter(({ skipped }) => skipped === null).length;
  const [errors, warnings] = [count("error"), count("warning")];
  const found =
    errors + warnings === 0
      ? "nothing found"
      : `${errors} error${errors === 1 ? "" : "s"}, ${warnings} warning${warnings === 1 ? "" : "s"}`;
  context.note(
    `${done} check${done === 1 ? "" : "s"}, ${report.checks.length - done} skipped: ${found}`,
  );
}
