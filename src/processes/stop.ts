/**
 * Stops all processes of a node, in order: who restarts others first, what Docker needs last.
 *
 * Invariant: after it nothing is started again until `resume`, `launch` or a boot; containers and their traffic are the daemon's
 * and kernel's affair and are not touched here.
 */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { HansaError, isHansaError } from "../errors.ts";
import { loadNodeFile, type NodeFile } from "./node-file.ts";
import { type Paths, pidFile } from "./paths.ts";
import { readPidFile } from "./pid-file.ts";
import { sendSignal } from "./predecessor.ts";
import { supervisorSpec } from "./process-list.ts";
import { waitFor } from "./readiness.ts";
import { isRunning, processByArgv, type RunningProcess } from "./running-process.ts";
import { makeDirectories } from "./start-process.ts";
import { hasSystemd, stopUnits } from "./systemd.ts";
import { type ThisHost, thisHost } from "./this-host.ts";

const TERM_MS = 10_000;
const KILL_MS = 5000;

/** Stops the node; idempotent. Throws INTERNAL naming a process that even SIGKILL did not end. */
export async function stopNode(host: ThisHost = thisHost()): Promise<void> {
  const { paths } = host;
  if (hasSystemd(paths)) return stopUnits(paths);
  await makeDirectories(paths);
  writeFileSync(paths.stoppedMark, "");
  const node = await nodeOf(paths);
  const specs = node === undefined ? [] : host.processes(node);
  for (const spec of [supervisorSpec(host.program), ...specs.toReversed()]) {
    const running =
      readPidFile(pidFile(paths, spec.name)) ?? processByArgv(spec.argv, paths.prefix);
    if (running !== undefined) await endProcess(spec.name, running);
    rmSync(pidFile(paths, spec.name), { force: true });
  }
  await endOthers(paths);
}

/** A damaged file must not keep processes from being stopped: their pid files name them as well. */
async function nodeOf({ nodeFile }: Paths): Promise<NodeFile | undefined> {
  try {
    return await loadNodeFile(nodeFile);
  } catch (error) {
    if (isHansaError(error, "STATE_DAMAGED")) return undefined;
    throw error;
  }
}

/** Processes that this node's settings do not name: of another version, or of a node whose files are gone. */
async function endOthers(paths: Paths): Promise<void> {
  const names = readdirSync(paths.runDir).flatMap((file) => /^(.+)\.pid$/.exec(file)?.[1] ?? []);
  for (const name of names) {
    const path = pidFile(paths, name);
    const running = readPidFile(path);
    if (running !== undefined) await endProcess(name, running);
    rmSync(path, { force: true });
  }
}

/** Ends it by SIGTERM, and by SIGKILL where that is not heard. Throws INTERNAL when even that does not end it. */
export async function endProcess(name: string, running: RunningProcess): Promise<void> {
  const gone = async (): Promise<boolean> => !isRunning(running);
  for (const [signal, timeoutMs] of [
    ["SIGTERM", TERM_MS],
    ["SIGKILL", KILL_MS],
  ] as const) {
    sendSignal(running, signal);
    if ((await waitFor(gone, { timeoutMs })) === "ready") return;
  }
  throw new HansaError("INTERNAL", `the process ${name} (pid ${running.pid}) cannot be ended`);
}
