/**
 * The doctors of all nodes as one report: what several of them found is said once. Pure.
 *
 * Invariant: no finding of any node is left out, and a node that could not be asked is a finding itself.
 */
import type { DoctorReport } from "../api/doctor-schema.ts";
import type { HansaError } from "../errors.ts";
import type { NodeId } from "../values/node-id.ts";

/** What came of asking one node. */
export interface ExaminedNode {
  readonly id: NodeId;
  readonly name: string;
  /** Its report, or why there is none. */
  readonly result: DoctorReport | HansaError;
}

export interface ClusterFinding {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly evidence: string;
  readonly mend: string;
  /** The names of those who found it, in the order of their ids. */
  readonly nodes: readonly string[];
}

/** What `hansa doctor --all -o json` prints. */
export interface ClusterReport {
  readonly nodes: readonly {
    readonly id: NodeId;
    readonly name: string;
    /** Null for a node that could not be asked. */
    readonly report: DoctorReport | null;
  }[];
  /** Errors first; empty when all is well. */
  readonly findings: readonly ClusterFinding[];
}

/** The report of `examined`, ascending by id. */
export function clusterReport(examined: readonly ExaminedNode[]): ClusterReport {
  const inOrder = [...examined].sort((a, b) => a.id - b.id);
  const found = new Map<string, ClusterFinding>();
  for (const { name, result } of inOrder) {
    for (const finding of findingsOf(result)) {
      // Both ends of a path tell of it in the same words.
      const key = `${finding.code} ${finding.evidence}`;
      const known = found.get(key) ?? { ...finding, nodes: [] };
      found.set(key, { ...known, nodes: [...known.nodes, name] });
    }
  }
  const isWarning = ({ severity }: ClusterFinding): number => (severity === "warning" ? 1 : 0);
  return {
    nodes: inOrder.map(({ id, name, result }) => ({
      ...{ id, name },
      report: isReport(result) ? result : null,
    })),
    findings: [...found.values()].sort((a, b) => isWarning(a) - isWarning(b)),
  };
}

function findingsOf(result: DoctorReport | HansaError): Omit<ClusterFinding, "nodes">[] {
  if (isReport(result)) return result.findings;
  const { code, message, hint } = result;
  return [{ code, severity: "error", evidence: message, mend: hint }];
}

function isReport(result: DoctorReport | HansaError): result is DoctorReport {
  return "findings" in result;
}
