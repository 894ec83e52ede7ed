/** The running processes of this host's node, and which executable they run from. */
import { readFileSync } from "node:fs";
import { HansaError, isErrno } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { pidFile } from "../processes/paths.ts";
import { readPidFile } from "../processes/pid-file.ts";
import { processByPid, type RunningProcess, runsFile } from "../processes/running-process.ts";
import { unitPid } from "../processes/systemd.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { installPaths } from "./install-paths.ts";

/** The processes that are of our executable, in the order of their replacement. */
export const REPLACED = ["supervise", "ipam-plugin", "daemon"] as const;

/** The process `name` of this node, where it runs. */
export async function runningProcess(
  name: string,
  { paths }: ThisHost,
  command: Command,
): Promise<RunningProcess | undefined> {
  const pid = readPidFile(pidFile(paths, name))?.pid ?? (await unitPid(name, paths, command));
  return pid === undefined ? undefined : processByPid(pid);
}

/** Names of the running processes, in the order of their replacement. */
export async function runningNames(host: ThisHost, command: Command): Promise<string[]> {
  const names: string[] = [];
  for (const name of REPLACED) {
    if ((await runningProcess(name, host, command)) !== undefined) names.push(name);
  }
  return names;
}

/** Names of those that do not run the file that lies at `executable` now. */
export async function outdatedNames(
  executable: string,
  host: ThisHost,
  command: Command,
): Promise<string[]> {
  const names: string[] = [];
  for (const name of REPLACED) {
    const running = await runningProcess(name, host, command);
    if (running && !runsFile(running, executable)) names.push(name);
  }
  return names;
}

/** The path of the executable that the node was started from, whatever lies there now; undefined when none of an executable runs. */
export async function runningExecutable(
  host: ThisHost,
  command: Command,
): Promise<string | undefined> {
  for (const name of REPLACED) {
    const running = await runningProcess(name, host, command);
    const line = running && orGone(() => readFileSync(`/proc/${running.pid}/cmdline`, "utf8"));
    const [program, role] = line?.split("\0") ?? [];
    // Run from the sources, it has Node before and a file behind.
    if (program !== undefined && role === name) return program;
  }
  return undefined;
}

/** Throws INSTALL_REFUSED when processes run from where install would put another build: that is an upgrade. */
export async function requireNoOtherBuild(host: ThisHost, command: Command): Promise<void> {
  const { executable } = installPaths(host.paths.prefix);
  if ((await runningExecutable(host, command)) !== executable) return;
  const text = `a node runs from ${executable}, which is another build`;
  throw new HansaError("INSTALL_REFUSED", text, {
    hint: "replace it under the running node with hansa upgrade FILE",
  });
}

/** A process may end between two looks. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}
