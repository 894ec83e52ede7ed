/**
 * Brings up all processes of a launched node, whichever of them run already, and waits until its daemon answers.
 *
 * Without systemd the caller starts them itself and the supervisor last: it adopts them, so that its own start does not delay theirs.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import { sizeOf } from "./log-file.ts";
import type { NodeFile } from "./node-file.ts";
import { logFile, type Paths } from "./paths.ts";
import { readPidFile } from "./pid-file.ts";
import { daemonAnswers, notUp, waitFor } from "./readiness.ts";
import { isRunning } from "./running-process.ts";
import { makeDirectories, type StartedProcess, startProcess } from "./start-process.ts";
import { ensureSupervisor } from "./supervisor.ts";
import { hasSystemd, startUnits } from "./systemd.ts";
import type { ThisHost } from "./this-host.ts";

/**
 * Starts what does not run. Idempotent. Throws NODE_NOT_RUNNING with the last sentence of the daemon's log when it does not come up;
 * the supervisor goes on trying then.
 */
export async function startNode(
  node: NodeFile,
  host: ThisHost,
  onProgress: (text: string) => void = () => undefined,
): Promise<void> {
  const { paths } = host;
  refuseDuringReset(paths);
  const specs = host.processes(node);
  await makeDirectories(paths);
  rmSync(paths.stoppedMark, { force: true });
  const systemd = hasSystemd(paths);
  const path = logFile(paths, "daemon");
  const fromByte = sizeOf(path);
  let daemon: StartedProcess | undefined;
  try {
    if (systemd) await startUnits(specs, paths);
    else daemon = await startAll(host, node);
    const wait = {
      timeoutMs: host.readyWithinMs,
      hasDied: () => daemon !== undefined && !(daemon.running && isRunning(daemon.running)),
      onProgress: () => onProgress("waiting for the daemon"),
    };
    const how = await waitFor(() => daemonAnswers(paths.apiSocket), wait);
    if (how === "ready") return;
    throw notUp("daemon", how, wait.timeoutMs, systemd ? undefined : { path, fromByte });
  } finally {
    if (!systemd) await ensureSupervisor(host.program, paths);
  }
}

/** Starts the processes that do not run, in their order, without waiting for any; the daemon's is handed back. */
export async function startAll(
  host: ThisHost,
  node: NodeFile,
): Promise<StartedProcess | undefined> {
  let daemon: StartedProcess | undefined;
  for (const spec of host.processes(node)) {
    const started = await startProcess(spec, host.paths);
    if (spec.name === "daemon") daemon = started;
  }
  return daemon;
}

/** Held by a reset while it runs. */
export function resetLock(paths: Paths): string {
  return join(paths.runDir, "reset.lock");
}

/** What a reset has just taken away must not be brought back; the reset itself may. Throws RESET_RUNNING. */
function refuseDuringReset(paths: Paths): void {
  const holder = readPidFile(resetLock(paths));
  if (holder === undefined || holder.pid === process.pid) return;
  throw new HansaError("RESET_RUNNING", "the node of this host is being reset");
}

/** True when the node was launched and then stopped on purpose. */
export function isStopped(host: ThisHost): boolean {
  return existsSync(host.paths.stoppedMark);
}
