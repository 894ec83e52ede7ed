/**
 * Brings the processes of a running node to the executable that lies at their path now, one by one, on a living cluster.
 *
 * Invariants: the tunnel's process is never touched, so traffic goes on; the plugin's socket always has a listener, and what
 * Docker asked is answered by whom it asked; who keeps the processes comes first, so that whoever else ends is started as the new build.
 */
import { type Command, systemCommand } from "../host/command.ts";
import { loadNodeFile } from "../processes/node-file.ts";
import { supervisorSpec } from "../processes/process-list.ts";
import { waitFor } from "../processes/readiness.ts";
import { isRunning } from "../processes/running-process.ts";
import { startProcess, startSuccessor } from "../processes/start-process.ts";
import { endProcess } from "../processes/stop.ts";
import { hasSystemd, restartUnits } from "../processes/systemd.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { REPLACED, runningProcess } from "./running-build.ts";

/** How long the plugin may answer what it was asked before its successor takes over, and some more. */
const TAKEN_OVER_MS = 30_000;

/**
 * Replaces those of `names` that run, and starts no other. `host` is of the executable to be started. Throws INTERNAL naming a process that
 * cannot be ended, SYSTEMD_FAILED; whether the new ones do their work is for the caller to find out.
 */
export async function restartProcesses(
  names: readonly string[],
  host: ThisHost,
  tell: (text: string) => void,
  command: Command = systemCommand,
): Promise<void> {
  const { paths } = host;
  const node = await loadNodeFile(paths.nodeFile);
  if (node === undefined) return;
  const specs = [supervisorSpec(host.program), ...host.processes(node)];
  for (const name of REPLACED.filter((each) => names.includes(each))) {
    const spec = specs.find((each) => each.name === name);
    const running = await runningProcess(name, host, command);
    if (spec === undefined || running === undefined) continue;
    tell(`replacing the process ${name}`);
    if (hasSystemd(paths)) {
      await restartUnits([name], paths, command);
    } else if (name === "ipam-plugin") {
      const { running: successor } = await startSuccessor(spec, paths);
      await waitFor(async () => !isRunning(running), {
        timeoutMs: TAKEN_OVER_MS,
        hasDied: () => successor === undefined || !isRunning(successor),
      });
    } else {
      await endProcess(name, running);
      await startProcess(spec, paths);
    }
  }
}
