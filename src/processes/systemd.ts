/** Our processes under systemd: units installed, started, stopped and removed by `systemctl`. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { HansaError, isErrno } from "../errors.ts";
import { type Command, systemCommand } from "../host/command.ts";
import { atomicWrite } from "../host/files.ts";
import type { Paths } from "./paths.ts";
import type { ProcessSpec } from "./process-list.ts";
import {
  IPAM_SOCKET_UNIT,
  STARTER_UNITS,
  starterUnitFiles,
  UNIT_OF,
  unitFiles,
  WITNESS_UNIT,
  witnessUnit,
} from "./units.ts";

/** True where systemd is the init system. */
export function hasSystemd(paths: Paths): boolean {
  return existsSync(paths.systemdMark);
}

/**
 * Installs, enables and starts the units of these processes; idempotent, and quick when all is as it should be.
 *
 * Running processes are not restarted, also when their unit changed. Throws SYSTEMD_FAILED.
 */
export async function startUnits(
  processes: readonly ProcessSpec[],
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  const files = unitFiles(processes, paths.ipamSocket);
  await writeUnits(files, paths, command);
  await systemctl(command, "enable", "--now", ...files.keys());
}

/** Installs the starter's units and has systemd listen for it; idempotent. Throws SYSTEMD_FAILED. */
export async function startStarterUnits(
  program: readonly string[],
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  await writeUnits(starterUnitFiles(program, paths.starterSocket), paths, command);
  await systemctl(command, "enable", "--now", STARTER_UNITS.socket);
}

/** Undoes `startStarterUnits`. */
export async function removeStarterUnits(
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  const { socket, service } = STARTER_UNITS;
  const units = [socket, service].filter((unit) => existsSync(join(paths.unitDir, unit)));
  if (units.length === 0) return;
  await systemctl(command, "disable", "--now", ...units);
  for (const unit of units) await rm(join(paths.unitDir, unit), { force: true });
  await systemctl(command, "daemon-reload");
}

/** Installs and starts the unit of this host's witness; idempotent. Throws SYSTEMD_FAILED. */
export async function startWitnessUnit(
  program: readonly string[],
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  await writeUnits(new Map([[WITNESS_UNIT, witnessUnit(program)]]), paths, command);
  await systemctl(command, "enable", "--now", WITNESS_UNIT);
}

/** Nothing where it is not installed. Throws SYSTEMD_FAILED. */
export async function restartWitnessUnit(
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  if (!existsSync(join(paths.unitDir, WITNESS_UNIT))) return;
  await systemctl(command, "restart", WITNESS_UNIT);
}

/** Undoes `startWitnessUnit`. */
export async function removeWitnessUnit(
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  if (!existsSync(join(paths.unitDir, WITNESS_UNIT))) return;
  await systemctl(command, "disable", "--now", WITNESS_UNIT);
  await rm(join(paths.unitDir, WITNESS_UNIT), { force: true });
  await systemctl(command, "daemon-reload");
}

async function writeUnits(
  files: ReadonlyMap<string, string>,
  paths: Paths,
  command: Command,
): Promise<void> {
  await mkdir(paths.unitDir, { recursive: true });
  let changed = false;
  for (const [name, text] of files) {
    const path = join(paths.unitDir, name);
    if ((await textOf(path)) === text) continue;
    await atomicWrite(path, text, 0o644);
    changed = true;
  }
  if (changed) await systemctl(command, "daemon-reload");
}

/** Stops all units in the order daemon, etcd, tunnel, plugin, socket. They stay enabled: the next boot starts them. */
export async function stopUnits(paths: Paths, command: Command = systemCommand): Promise<void> {
  const units = installed(paths);
  if (units.length > 0) await systemctl(command, "stop", ...units);
}

/**
 * Restarts the units of these processes that are installed, one after another. The plugin's socket is systemd's own, so what Docker asks meanwhile
 * waits in it.
 */
export async function restartUnits(
  names: readonly string[],
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  const units = names.flatMap((name) => UNIT_OF[name] ?? []);
  for (const unit of units.filter((each) => installed(paths).includes(each))) {
    await systemctl(command, "restart", unit);
  }
}

/** The process of a unit as systemd knows it; undefined where systemd does not run, or the unit does not. */
export async function unitPid(
  name: string,
  paths: Paths,
  command: Command = systemCommand,
): Promise<number | undefined> {
  const unit = UNIT_OF[name];
  if (!hasSystemd(paths) || unit === undefined) return undefined;
  const { stdout } = await command.run(["systemctl", "show", "-p", "MainPID", "--value", unit]);
  const pid = Number(stdout.trim());
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** Stops, disables and removes all units. */
export async function removeUnits(paths: Paths, command: Command = systemCommand): Promise<void> {
  const units = installed(paths);
  if (units.length === 0) return;
  await systemctl(command, "disable", "--now", ...units);
  for (const unit of units) await rm(join(paths.unitDir, unit), { force: true });
  await systemctl(command, "daemon-reload");
}

/** Stops, disables and removes the unit of one process; the others stay. */
export async function removeUnit(
  name: string,
  paths: Paths,
  command: Command = systemCommand,
): Promise<void> {
  const unit = UNIT_OF[name];
  if (unit === undefined || !installed(paths).includes(unit)) return;
  await systemctl(command, "disable", "--now", unit);
  await rm(join(paths.unitDir, unit), { force: true });
  await systemctl(command, "daemon-reload");
}

function installed(paths: Paths): string[] {
  const inOrder = ["daemon", "etcd", "tunnel", "ipam-plugin"].flatMap(
    (name) => UNIT_OF[name] ?? [],
  );
  return [...inOrder, IPAM_SOCKET_UNIT].filter((unit) => existsSync(join(paths.unitDir, unit)));
}

async function systemctl(command: Command, ...words: readonly string[]): Promise<void> {
  const { status, stderr } = await command.run(["systemctl", ...words], { timeoutMs: 60_000 });
  if (status === 0) return;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  throw new HansaError("SYSTEMD_FAILED", `systemctl ${words[0]} failed: ${said.slice(0, 300)}`);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
