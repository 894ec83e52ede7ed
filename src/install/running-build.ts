/** Which executable this host's processes run from. */
import { readFileSync } from "node:fs";
import { HansaError, isErrno } from "../errors.ts";
import { pidFile } from "../processes/paths.ts";
import { readPidFile } from "../processes/pid-file.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { installPaths } from "./install-paths.ts";

/** The path of the executable that the daemon was started from, whatever lies there now; undefined when no daemon of an executable runs. */
export function runningExecutable(host: ThisHost): string | undefined {
  for (const name of ["daemon", "ipam-plugin", "supervise"]) {
    const pid = readPidFile(pidFile(host.paths, name))?.pid;
    const [program, role] = pid === undefined ? [] : commandLine(pid);
    // Run from the sources, it has Node before and a file behind.
    if (program !== undefined && role === name) return program;
  }
  return undefined;
}

/** Throws INSTALL_REFUSED when processes run from where install would put another build: that is an upgrade. */
export async function requireNoOtherBuild(host: ThisHost): Promise<void> {
  const { executable } = installPaths(host.paths.prefix);
  if (runningExecutable(host) !== executable) return;
  throw new HansaError(
    "INSTALL_REFUSED",
    `a node runs from ${executable}, which is another build`,
    {
      hint: "replace it under the running node with hansa upgrade FILE",
    },
  );
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch (error) {
    // It may end between the two looks.
    if (isErrno(error, "ENOENT") || isErrno(error, "ESRCH")) return [];
    throw error;
  }
}
