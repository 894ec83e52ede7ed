/**
 * The starter as a process of the host: systemd's socket starts it where that runs, else it stays, detached, as long as the host is on.
 *
 * Invariant: it belongs to the installation and not to a node: no launch, reset or supervisor touches it.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../errors.ts";
import { type Command, systemCommand } from "../host/command.ts";
import { ensureDir } from "../host/files.ts";
import type { Paths } from "../processes/paths.ts";
import { starterSpec } from "../processes/process-list.ts";
import { notUp, socketAccepts, waitFor } from "../processes/readiness.ts";
import { isRunning, processByPid, type RunningProcess } from "../processes/running-process.ts";
import { findProcess, startProcess } from "../processes/start-process.ts";
import { endProcess } from "../processes/stop.ts";
import { hasSystemd, removeStarterUnits, startStarterUnits } from "../processes/systemd.ts";
import { starterUnitFiles } from "../processes/units.ts";

const READY_MS = 10_000;

/** Sees to it that the starter of the executable `program` serves its socket. Idempotent. Throws SYSTEMD_FAILED and NODE_NOT_RUNNING. */
export async function ensureStarter(
  program: string,
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  if (hasSystemd(paths)) return startStarterUnits([program], paths, command);
  const own = ownPaths(paths);
  await ensureDir(own.runDir, 0o755);
  await ensureDir(own.logDir, 0o750);
  const { running } = await startProcess(starterSpec([program]), own);
  const hasDied = (): boolean => running === undefined || !isRunning(running);
  const wait = { timeoutMs: READY_MS, hasDied };
  const how = await waitFor(() => socketAccepts(paths.starterSocket), wait);
  if (how === "ready") return;
  throw notUp("starter", how, READY_MS, { path: join(own.logDir, "starter.log"), fromByte: 0 });
}

/** True when `ensureStarter` would have nothing to do. */
export async function isStarterThere(program: string, paths: Paths): Promise<boolean> {
  if (!hasSystemd(paths)) return socketAccepts(paths.starterSocket);
  const files = starterUnitFiles([program], paths.starterSocket);
  const areSame = [...files].every(([name, text]) => textOf(join(paths.unitDir, name)) === text);
  return areSame && existsSync(paths.starterSocket);
}

/** Ends the starter and takes away what `ensureStarter` made. Idempotent. */
export async function removeStarter(
  program: string,
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  if (hasSystemd(paths)) await removeStarterUnits(paths, command);
  const running = runningStarter(program, paths);
  if (running !== undefined) await endProcess("starter", running);
  for (const path of [paths.starterDir, paths.starterLogDir]) {
    await rm(path, { recursive: true, force: true });
  }
}

/** Has a starter that stays make room for one of the build that lies at `program` now. Does nothing where none runs, or systemd starts it for each use. */
export async function renewStarter(program: string, paths: Paths): Promise<void> {
  const running = hasSystemd(paths) ? undefined : runningStarter(program, paths);
  if (running === undefined) return;
  const [own, file] = [statSync(`/proc/${running.pid}/exe`), statSync(program)];
  if (own.ino === file.ino && own.dev === file.dev) return;
  await endProcess("starter", running);
  await ensureStarter(program, paths);
}

function runningStarter(program: string, paths: Paths): RunningProcess | undefined {
  if (!existsSync(paths.starterDir)) return undefined;
  const found = findProcess(starterSpec([program]), ownPaths(paths));
  return found && processByPid(found.pid);
}

/** Where the starter's own pid file and log lie. */
function ownPaths(paths: Paths): Paths {
  return { ...paths, runDir: paths.starterDir, logDir: paths.starterLogDir };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
