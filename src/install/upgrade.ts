/**
 * `hansa upgrade`: puts another build in the place of this host's, under a running node.
 *
 * Invariants: what is refused has changed nothing; at each moment the executable's path holds a whole build, and the one before is
 * beside it; a build under which the node is not as healthy as before, in time, is taken back.
 */
import { existsSync } from "node:fs";
import { link, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buildName } from "../api/version.ts";
import { HansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";
import { syncDirectory } from "../host/files.ts";
import { pidFile } from "../processes/paths.ts";
import { releasePidLock, takePidLock } from "../processes/pid-file.ts";
import { isStopped } from "../processes/start-node.ts";
import { makeDirectories } from "../processes/start-process.ts";
import { thisHost } from "../processes/this-host.ts";
import { type Build, buildOf } from "./build-file.ts";
import { type InstallHost, replaceExecutable } from "./install.ts";
import { installPaths } from "./install-paths.ts";
import { type Health, healthOf, missingHealth } from "./node-health.ts";
import { restartProcesses } from "./restart-processes.ts";
import { outdatedNames, runningExecutable, runningNames } from "./running-build.ts";
import { sameBytes } from "./same-bytes.ts";
import { formatsOnDisk, tooOldFor } from "./state-formats.ts";

/** What an upgrade would do here, as data. */
export interface UpgradePlan {
  /** The build to be run from now on. */
  readonly file: string;
  /** Where it goes. */
  readonly executable: string;
  /** "version+revision" of both. */
  readonly from: string;
  readonly to: string;
  /** False when the file at `executable` is that build already. */
  readonly replacesFile: boolean;
  /** Running processes that are replaced, in this order. */
  readonly processes: readonly string[];
}

export type Source =
  | { readonly kind: "file"; readonly path: string }
  /** The running executable itself; where it is the installed one, the file stays and old processes are replaced. */
  | { readonly kind: "self" }
  /** The build before the last upgrade. */
  | { readonly kind: "previous" };

const STAYS_MS = 1000;
const LOOK_MS = 50;

/** Throws UPGRADE_REFUSED when there is nothing to upgrade, the file is no build, or it cannot read what this node has on disk. */
export async function planUpgrade(source: Source, on: InstallHost): Promise<UpgradePlan> {
  const { host, command } = on;
  const installed = installPaths(host.paths.prefix).executable;
  const executable = (await runningExecutable(host, command)) ?? installed;
  if (!existsSync(executable)) {
    throw new HansaError("UPGRADE_REFUSED", `there is no ${executable} to be upgraded`, {
      hint: "install it with hansa install",
    });
  }
  const file = fileOf(source, executable, on);
  const to = await buildOf(file, command);
  const from = await buildOf(executable, command);
  const tooOld = tooOldFor(formatsOnDisk(host.paths.stateDir), to.formats);
  if (tooOld !== undefined) {
    throw new HansaError("UPGRADE_REFUSED", `${named(to)} cannot go on here: ${tooOld}`, {
      hint: "take a build that is not older than the one that wrote it",
    });
  }
  const replacesFile = !(await sameBytes(file, executable));
  const processes = replacesFile
    ? await runningNames(host, command)
    : await outdatedNames(executable, host, command);
  return { file, executable, from: named(from), to: named(to), replacesFile, processes };
}

/**
 * Carries the plan out and waits until the node is as healthy as before. Throws UPGRADE_ROLLED_BACK when it is not within `withinMs`, with
 * the build before running again; UPGRADE_REFUSED while another upgrade runs.
 */
export async function upgrade(
  plan: UpgradePlan,
  on: InstallHost,
  { withinMs, tell }: { readonly withinMs: number; readonly tell: (text: string) => void },
): Promise<void> {
  const { paths } = on.host;
  const way: Way = { withinMs, tell, command: on.command };
  await makeDirectories(paths);
  const lock = pidFile(paths, "upgrade");
  if (!takePidLock(lock)) {
    throw new HansaError("UPGRADE_REFUSED", "another upgrade of this host is running", {
      hint: "wait for it to end",
    });
  }
  try {
    const before = await healthOf(paths);
    if (plan.replacesFile) {
      tell("putting the executable in place");
      await replaceKeeping(plan.file, plan.executable);
    }
    const problem = await bringUp(plan.processes, plan.to, before, plan, way);
    if (problem === undefined) return;
    if (!plan.replacesFile) {
      throw new HansaError("NODE_NOT_RUNNING", `the processes were replaced, but ${problem}`, {
        hint: `see ${paths.logDir}`,
      });
    }
    await rollBack(problem, plan, before, way);
  } finally {
    releasePidLock(lock);
  }
}

interface Way {
  readonly withinMs: number;
  readonly tell: (text: string) => void;
  readonly command: Command;
}

/** Replaces the processes and waits; what is wrong in the end, as a sentence. */
async function bringUp(
  names: readonly string[],
  build: string,
  before: Health,
  { executable }: UpgradePlan,
  { withinMs, tell, command }: Way,
): Promise<string | undefined> {
  const host = thisHost([executable]);
  const deadline = performance.now() + withinMs;
  // A node that did not run, or was stopped, has nothing to be as healthy as.
  const hadNode = before.build !== undefined && !isStopped(host);
  try {
    await restartProcesses(names, host, tell, command);
    // Only the build itself knows what else it consists of.
    const problem = hadNode ? await resume(executable, withinMs, command) : undefined;
    if (problem !== undefined) return problem;
  } catch (error) {
    // Whatever kept it from running, a full disk or a program that hangs: it does not run.
    return error instanceof Error ? error.message : String(error);
  }
  if (!hadNode) return undefined;
  tell("waiting for the node to be as before");
  let good: number | undefined;
  for (;;) {
    const problem = missingHealth(await healthOf(host.paths), before, build);
    if (problem === undefined) {
      good ??= performance.now();
      if (performance.now() - good >= STAYS_MS) return undefined;
    } else {
      good = undefined;
      if (performance.now() > deadline) return problem;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What the build's own resume command complains of. */
async function resume(
  executable: string,
  withinMs: number,
  command: Command,
): Promise<string | undefined> {
  const resumed = await command.run([executable, "resume"], { timeoutMs: withinMs + 20_000 });
  if (resumed.status === 0) return undefined;
  const said = resumed.stderr
    .trim()
    .split("\n")
    .find((line) => line.includes("Error"));
  return said ?? `its resume command ended with status ${resumed.status}`;
}

async function rollBack(
  problem: string,
  plan: UpgradePlan,
  before: Health,
  way: Way,
): Promise<never> {
  way.tell("taking it back");
  const { executable, from, to } = plan;
  await rename(previousOf(executable), executable);
  await syncDirectory(dirname(executable));
  const names = await outdatedNames(executable, thisHost([executable]), way.command);
  const still = await bringUp(names, before.build ?? from, before, plan, way);
  const end = still === undefined ? `${from} runs again` : `${from} is back, but ${still}`;
  const text = `${to} was not healthy after ${way.withinMs / 1000} s (${problem}); ${end}`;
  throw new HansaError("UPGRADE_ROLLED_BACK", text);
}

/** Puts `file` at `executable` and what was there beside it, which may be `file` itself. */
async function replaceKeeping(file: string, executable: string): Promise<void> {
  const folder = dirname(executable);
  const [fresh, kept] = [join(folder, ".hansa.next"), join(folder, ".hansa.kept")];
  try {
    await replaceExecutable(file, fresh);
    await rm(kept, { force: true });
    await link(executable, kept);
    await rename(kept, previousOf(executable));
    await rename(fresh, executable);
  } finally {
    await rm(fresh, { force: true });
    await rm(kept, { force: true });
  }
  await syncDirectory(folder);
}

/** Where the build before the last upgrade lies. */
export function previousOf(executable: string): string {
  return `${executable}.previous`;
}

function fileOf(source: Source, executable: string, { source: self }: InstallHost): string {
  if (source.kind === "file") return source.path;
  if (source.kind === "self") return self;
  const previous = previousOf(executable);
  if (existsSync(previous)) return previous;
  throw new HansaError("UPGRADE_REFUSED", `there is no ${previous} to go back to`, {
    hint: "it is there after an upgrade; give another build with hansa upgrade FILE",
  });
}

function named(build: Build): string {
  return buildName(build);
}
