/**
 * Everything that the store promises and a history of clients breaks, as sentences; none: the history is as promised.
 *
 * Promised: what a majority answers is linearizable for each key; a revision stands for one value, and grows with time; what a node reads from its own disk never goes back, and is no older than it
 * says. A write that was acknowledged and is lost shows as a read that nothing explains. Pure.
 */
import { unexplained } from "./linearizable.ts";
import type { MirrorRead, Operation, Read, Write } from "./operation.ts";

export function historyFaults(history: readonly Operation[]): readonly string[] {
  const byKey = Map.groupBy(history, ({ key }) => key);
  return [...byKey].flatMap(([key, operations]) => {
    const strong = operations.filter((each) => each.kind !== "mirror read");
    const weak = operations.filter((each) => each.kind === "mirror read");
    return [
      ...orderFaults(key, strong),
      ...revisionFaults(key, operations),
      ...weakFaults(key, weak, strong),
    ];
  });
}

function orderFaults(key: string, operations: readonly (Read | Write)[]): readonly string[] {
  const found = unexplained(operations);
  if (found === undefined) return [];
  const { operation, explained } = found;
  return [
    `${key}: nothing explains ${describe(operation)}, after ${explained} of ${operations.length}`,
  ];
}

/** One revision, one value; and whoever asks later is told no lower one by the store. */
function revisionFaults(key: string, operations: readonly Operation[]): readonly string[] {
  const faults: string[] = [];
  const values = new Map<bigint, string | undefined>();
  for (const { revision, value } of operations) {
    if (revision === undefined || revision === 0n) continue;
    if (values.has(revision) && values.get(revision) !== value)
      faults.push(`${key}: revision ${revision} was ${values.get(revision)} and ${value}`);
    values.set(revision, value);
  }
  const told = operations.filter(({ kind, revision }) => kind !== "mirror read" && revision);
  const ends = told.toSorted((a, b) => a.endedMs - b.endedMs);
  let highest: Operation | undefined;
  let at = 0;
  for (const each of told.toSorted((a, b) => a.beganMs - b.beganMs)) {
    for (; (ends[at]?.endedMs ?? Number.POSITIVE_INFINITY) < each.beganMs; at += 1) {
      const ended = ends[at] as Operation;
      if (revisionOf(ended) > revisionOf(highest)) highest = ended;
    }
    if (revisionOf(each) < revisionOf(highest))
      faults.push(`${key}: ${describe(each)} came after ${highest && describe(highest)} had ended`);
  }
  return faults;
}

function weakFaults(
  key: string,
  reads: readonly MirrorRead[],
  strong: readonly (Read | Write)[],
): readonly string[] {
  const faults: string[] = [];
  const acknowledged = strong.filter((each) => each.kind === "write" && each.outcome === "done");
  for (const [node, own] of Map.groupBy(reads, (each) => each.node)) {
    let last: MirrorRead | undefined;
    for (const read of own.toSorted((a, b) => a.beganMs - b.beganMs)) {
      const isAfter = last !== undefined && last.endedMs < read.beganMs;
      if (isAfter && read.revision < revisionOf(last))
        faults.push(
          `${key}: node ${node} went back: ${describe(read)} after revision ${revisionOf(last)}`,
        );
      if (last === undefined || read.revision >= last.revision) last = read;
    }
    for (const read of own) {
      const currentMs = read.beganMs - read.ageMs;
      const missed = acknowledged.find(
        (write) => write.endedMs < currentMs && revisionOf(write) > read.revision,
      );
      if (missed)
        faults.push(`${key}: ${describe(read)} is older than its age: ${describe(missed)}`);
    }
  }
  return faults;
}

function revisionOf(operation: Operation | undefined): bigint {
  return operation?.revision ?? 0n;
}

function describe(operation: Operation): string {
  const { kind, node, value, revision, beganMs, endedMs } = operation;
  const about =
    operation.kind === "mirror read"
      ? `, ${Math.round(operation.ageMs)} ms old`
      : operation.kind === "write" && operation.expected !== undefined
        ? ` in place of ${operation.expected ?? "nothing"}`
        : "";
  const times = `${Math.round(beganMs)} to ${Math.round(endedMs)} ms`;
  return `the ${kind} of ${value ?? "nothing"}${about} by node ${node} (${times}, revision ${revision ?? "unknown"})`;
}
