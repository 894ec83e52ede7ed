/**
 * Installing on this host: looks what is there, makes the plan, carries it out step by step.
 *
 * Invariant: what a step makes is on record before it is made, so that an installation that was interrupted can be repeated or undone.
 */
import { lstatSync, readlinkSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { HansaError, isErrno } from "../errors.ts";
import { type Command, systemCommand } from "../host/command.ts";
import { atomicWrite, readJson, syncDirectory } from "../host/files.ts";
import { findTool } from "../processes/host-tools.ts";
import { hasSystemd } from "../processes/systemd.ts";
import { type ThisHost, thisHost } from "../processes/this-host.ts";
import {
  ensureStarter,
  isStarterThere,
  removeStarter,
  renewStarter,
} from "../starter/starter-process.ts";
import { installPackages, missingPackages } from "./host-packages.ts";
import { GROUP, type InstallPaths, installPaths, LINK_NAMES } from "./install-paths.ts";
import {
  type Found,
  type InstallFacts,
  type InstallRecord,
  type InstallStep,
  NOTHING_INSTALLED,
  planInstall,
  recorded,
} from "./install-plan.ts";
import { sameBytes } from "./same-bytes.ts";

export interface InstallHost {
  readonly host: ThisHost;
  readonly command: Command;
  /** The executable to be installed. */
  readonly source: string;
  readonly starter: StarterOfHost;
}

/** The starter of the installed executable. */
export interface StarterOfHost {
  isThere(): Promise<boolean>;
  ensure(): Promise<void>;
  remove(): Promise<void>;
  /** After the executable was replaced. */
  renew(): Promise<void>;
}

/** This host, and the running executable. Throws INSTALL_REFUSED when Hansa runs from its sources. */
export function thisInstallHost(): InstallHost {
  const host = thisHost();
  const [source = "", entry] = host.program;
  if (entry !== undefined) {
    throw new HansaError("INSTALL_REFUSED", "hansa runs from its sources: there is no executable", {
      hint: "build it with npm run build, then run dist/hansa install",
    });
  }
  return { host, command: systemCommand, source, starter: starterOf(host, systemCommand) };
}

function starterOf({ paths }: ThisHost, command: Command): StarterOfHost {
  const { executable } = installPaths(paths.prefix);
  return {
    isThere: () => isStarterThere(executable, paths),
    ensure: () => ensureStarter(executable, paths, command),
    remove: () => removeStarter(executable, paths, command),
    renew: () => renewStarter(executable, paths),
  };
}

/** What would be done here. Changes nothing and needs no root. */
export async function installSteps(on: InstallHost): Promise<readonly InstallStep[]> {
  return planInstall(await observe(on));
}

/**
 * Carries out `steps`, and tells each one before it. Throws STATE_UNWRITABLE, PACKAGES_MISSING, INSTALL_REFUSED, or the system's error; what was done
 * until then stays, recorded.
 */
export async function carryOut(
  steps: readonly InstallStep[],
  on: InstallHost,
  tell: (step: InstallStep) => void,
): Promise<void> {
  const paths = installPaths(on.host.paths.prefix);
  for (const step of steps) {
    tell(step);
    if (step.step === "leave") continue;
    // The packages that an installation asked for are what it brought only when they came.
    if (step.step === "packages") await perform(step, on, paths);
    const record = recorded(await loadRecord(paths), step);
    await mkdir(dirname(paths.record), { recursive: true });
    await atomicWrite(paths.record, `${JSON.stringify(record, null, 2)}\n`, 0o644);
    if (step.step !== "packages") await perform(step, on, paths);
  }
}

/** What installing made on this host so far. Throws STATE_DAMAGED. */
export async function loadRecord(paths: InstallPaths): Promise<InstallRecord> {
  const value = await readJson(paths.record);
  if (value === undefined) return NOTHING_INSTALLED;
  const record = value as Partial<InstallRecord>;
  const areTexts = (list: unknown): boolean =>
    Array.isArray(list) && list.every((each) => typeof each === "string");
  const lists = [record?.folders, record?.files, record?.links, record?.packages];
  if (record?.version === 1 && lists.every(areTexts)) return value as InstallRecord;
  throw new HansaError(
    "STATE_DAMAGED",
    `${paths.record} does not have the form that hansa writes`,
    {
      hint: `remove ${paths.record}, then run hansa install again`,
    },
  );
}

async function observe({ host, command, source, starter }: InstallHost): Promise<InstallFacts> {
  const paths = installPaths(host.paths.prefix);
  const record = await loadRecord(paths);
  const links = LINK_NAMES.map((name) => [name, foundLink(join(paths.binDir, name))] as const);
  const completion = await completionText(source, command);
  return {
    paths,
    source,
    executable: (await sameBytes(source, paths.executable)) ? "same" : "older",
    links: Object.fromEntries(links),
    completion:
      completion === undefined
        ? undefined
        : await foundText(paths.completion, completion, record.files.includes(paths.completion)),
    groupExists: await groupExists(host.paths.prefix),
    hasStarter: await starter.isThere(),
    missingFolders: await missingFolders([paths.executable, paths.completion, paths.record]),
    missingPackages: missingPackages(host.folders, host.kernelHasWireguard),
    canInstallPackages: host.isRoot && findTool("apt-get", host.folders) !== undefined,
  };
}

async function perform(
  step: Exclude<InstallStep, { step: "leave" }>,
  { host, command, source, starter }: InstallHost,
  paths: InstallPaths,
): Promise<void> {
  switch (step.step) {
    case "packages":
      if (step.byUs) await installPackages(step.packages, command, hasSystemd(host.paths));
      return;
    case "folder":
      await mkdir(step.path, { recursive: true, mode: 0o755 });
      return;
    case "executable":
      return replaceExecutable(step.from, step.path);
    case "link":
      await symlink(step.to, step.path);
      return;
    case "group": {
      const { status, stderr } = await command.run(["groupadd", "--system", step.name]);
      // 9: somebody made it meanwhile.
      if (status === 0 || status === 9) return;
      throw new HansaError(
        "INSTALL_REFUSED",
        `the group ${step.name} could not be made: ${stderr.trim()}`,
      );
    }
    case "starter":
      return starter.ensure();
    case "completion":
      await atomicWrite(paths.completion, (await completionText(source, command)) ?? "", 0o644);
  }
}

/** Puts a copy of `from` at `to`: whole or not at all, whatever runs from there goes on with its own. */
export async function replaceExecutable(from: string, to: string): Promise<void> {
  const temporary = join(dirname(to), ".hansa.new");
  try {
    await rm(temporary, { force: true });
    await copyFile(from, temporary);
    await chmod(temporary, 0o755);
    const file = await open(temporary, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, to);
    await syncDirectory(dirname(to));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {
      // What kept the copy from being made keeps it from being removed too, and is what is told.
    });
    if (!["ENOSPC", "EROFS", "EDQUOT", "EIO"].some((errno) => isErrno(error, errno))) throw error;
    throw new HansaError(
      "STATE_UNWRITABLE",
      `${to} cannot be written: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** What this program prints for bash; undefined when it has no such command. */
async function completionText(source: string, command: Command): Promise<string | undefined> {
  const { status, stdout } = await command.run([source, "completion", "bash"]);
  return status === 0 && stdout !== "" ? stdout : undefined;
}

function foundLink(path: string): Found {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return "absent";
  return entry.isSymbolicLink() && isOurLink(path) ? "same" : "foreign";
}

/** True for a link to the executable. */
export function isOurLink(path: string): boolean {
  return ["hansa", join(dirname(path), "hansa")].includes(readlinkSync(path));
}

async function foundText(path: string, text: string, isRecorded: boolean): Promise<Found> {
  try {
    if ((await readFile(path, "utf8")) === text) return "same";
    return isRecorded ? "older" : "foreign";
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "absent";
    throw error;
  }
}

async function groupExists(prefix: string): Promise<boolean> {
  const groups = await readFile(join(prefix, "/etc/group"), "utf8");
  return groups.split("\n").some((line) => line.startsWith(`${GROUP}:`));
}

/** The folders above these paths that do not exist, outermost first. */
async function missingFolders(paths: readonly string[]): Promise<string[]> {
  const missing = new Set<string>();
  for (const path of paths) {
    const chain: string[] = [];
    for (let at = dirname(path); !(await exists(at)); at = dirname(at)) chain.unshift(at);
    for (const each of chain) missing.add(each);
  }
  return [...missing];
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
