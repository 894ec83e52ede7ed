/** `hansa doctor`: what is wrong with this host and its paths to others, with evidence and mend. */
import type { DoctorReport } from "../../api/doctor-schema.ts";
import type { ClusterReport, ExaminedNode } from "../../doctor/cluster-report.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Command, Context } from "../command.ts";
import { clusterDoctorText, countText, doctorText, summaryOf } from "../output/doctor-text.ts";
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

/** Nodes that left, and what only looks like a node, are not asked. */
const EXAMINED: readonly string[] = ["alive", "suspect", "dead"];
const AT_ONCE = 4;

export const doctor: Command = {
  name: "doctor",
  summary: "look for what is wrong with this host and its paths to other nodes",
  details: `Each finding has a code, what was measured, and how to mend it; docs/reference/doctor.md explains all. While the node runs,
each peer is asked to try the paths back. On a host that does not run as a node yet, it tells whether it could.
The exit status is 1 when there is an error among the findings.`,
  options: [
    { name: "all", summary: "examine every node of the cluster, and so every pair of them" },
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: ["doctor", "doctor --all", "doctor -o json", "doctor --node host2"],
  async run(words, context) {
    const format = formatOf(words);
    const paint = context.colour ? coloured : plain;
    if (words.flags.has("all")) {
      const report = await examineAll(context);
      if (format === "table") context.out(`${clusterDoctorText(report, paint)}\n`);
      else context.out(await documentText(report, format));
      context.note(`${report.nodes.length} nodes: ${countText(report.findings)}`);
      return exitOf(report.findings);
    }
    const doing = `examining ${context.node === undefined ? "this host" : `node ${context.node}`}`;
    const report = await withProgress(context.note, doing, (progress) =>
      reportOf(context, () =>
        progress.step("the daemon cannot be asked: examining the host alone"),
      ),
    );
    if (format === "table") {
      context.out(`${doctorText(report, paint)}\n`);
      context.note(summaryOf(report));
    } else context.out(await documentText(report, format));
    return exitOf(report.findings);
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

/** Every node is asked through the one that is reached, a few at one time: each of them sends volleys to all others. */
async function examineAll({ client, note }: Context): Promise<ClusterReport> {
  const { clusterReport } = await import("../../doctor/cluster-report.ts");
  const { peers } = await client.status();
  const nodes = peers.filter(({ state }) => EXAMINED.includes(state));
  const waiting = [...nodes];
  const examined: ExaminedNode[] = [];
  const count = `${nodes.length} ${nodes.length === 1 ? "node" : "nodes"}`;
  await withProgress(note, `examining ${count}`, (progress) => {
    const ask = async (): Promise<void> => {
      for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
        const { id, name } = node;
        examined.push({ id, name, result: await examinedNode(client, id) });
        progress.step(`examined ${examined.length} of ${count}`);
      }
    };
    return Promise.all(Array.from({ length: AT_ONCE }, ask));
  });
  return clusterReport(examined);
}

async function examinedNode(
  client: Context["client"],
  id: number,
): Promise<ExaminedNode["result"]> {
  try {
    return await client.of(`${id}`).doctor();
  } catch (error) {
    if (error instanceof HansaError) return error;
    throw error;
  }
}

function exitOf(findings: readonly { readonly severity: string }[]): number {
  return findings.some(({ severity }) => severity === "error") ? 1 : 0;
}
