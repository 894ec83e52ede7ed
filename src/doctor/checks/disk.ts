/** Room and speed of the disk that holds the state. */
import { finding } from "../finding.ts";
import { hostCheck } from "./check.ts";

const MIB = 1024 * 1024;
const LOW_BYTES = 200 * MIB;
const EMPTY_BYTES = 20 * MIB;
const LOW_INODES = 1000;
/** A disk that is busy for a moment takes some hundred; this delays what users wait for. */
const SLOW_MS = 500;

export const diskRoom = hostCheck("room on the disk", ({ disk }) => {
  if (disk === undefined) return { skipped: "the state could not be looked at" };
  const { path, freeBytes, totalBytes, freeInodes, totalInodes } = disk;
  const findings = [];
  if (freeBytes < LOW_BYTES) {
    const evidence = `${path} has ${mib(freeBytes)} free of ${mib(totalBytes)}`;
    const severity = freeBytes < EMPTY_BYTES ? "error" : "warning";
    findings.push(finding("DOCTOR_DISK_LOW", evidence, { severity }));
  }
  if (totalInodes > 0 && freeInodes < LOW_INODES) {
    const evidence = `${path} has ${freeInodes} inodes free of ${totalInodes}`;
    findings.push(finding("DOCTOR_DISK_LOW", evidence));
  }
  return findings;
});

export const diskSpeed = hostCheck("speed of the disk", ({ fsyncMs, disk }) => {
  const sorted = [...(fsyncMs ?? [])].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  if (median === undefined) return { skipped: "the state could not be written to" };
  if (median <= SLOW_MS) return [];
  const evidence = `the median of ${sorted.length} writes with fsync to ${disk?.path ?? "the state"} took ${median.toFixed(0)} ms`;
  return [finding("DOCTOR_FSYNC_SLOW", evidence)];
});

function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
