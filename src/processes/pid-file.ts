/**
 * Pid files, and locks made of them: `<pid> <start time>` in one line.
 *
 * Invariant: a file whose process has died counts for nothing, so kill -9 leaves no lock behind; of several who take a
 * lock at once, one gets it.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { HansaError, isErrno } from "../errors.ts";
import { uniqueName } from "../host/unique-name.ts";
import { isRunning, processByPid, type RunningProcess } from "./running-process.ts";

/** The running process that `path` names, or undefined when there is no file or its process has died. */
export function readPidFile(path: string): RunningProcess | undefined {
  const named = parse(readText(path));
  return named !== undefined && isRunning(named) ? named : undefined;
}

/** Replaces the pid file in one step. */
export function writePidFile(path: string, running: RunningProcess): void {
  const temporary = `${path}.${uniqueName()}`;
  writeFileSync(temporary, format(running), { mode: 0o644 });
  renameSync(temporary, path);
}

/**
 * Takes the lock `path` for this process. True when we hold it now, false when a living process does.
 *
 * Held until `releasePidLock` or our death, however sudden.
 */
export function takePidLock(path: string): boolean {
  const self = processByPid(process.pid);
  if (self === undefined) throw new HansaError("INTERNAL", "/proc does not show this process");
  const temporary = `${path}.${uniqueName()}`;
  writeFileSync(temporary, format(self), { mode: 0o644 });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (link(temporary, path)) return true;
      const text = readText(path);
      const holder = parse(text);
      if (holder !== undefined && isRunning(holder)) {
        return holder.pid === self.pid && holder.startTime === self.startTime;
      }
      if (text !== undefined) removeStale(path, text);
    }
    return false;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Gives the lock back; does nothing when it is not ours. */
export function releasePidLock(path: string): void {
  if (parse(readText(path))?.pid === process.pid) rmSync(path, { force: true });
}

/** Runs `action` under the lock `path`, waiting up to 5 s for another holder. Throws INTERNAL when it never gets it. */
export async function withPidLock<T>(path: string, action: () => T): Promise<T> {
  const deadline = performance.now() + 5000;
  while (!takePidLock(path)) {
    if (performance.now() > deadline) {
      throw new HansaError("INTERNAL", `${path} is held by ${readText(path)?.trim()} for too long`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  try {
    return action();
  } finally {
    releasePidLock(path);
  }
}

/** Moves a dead holder's file aside; puts it back when a living one took its place between our two looks. */
function removeStale(path: string, seen: string): void {
  const aside = `${path}.${uniqueName()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return;
    throw error;
  }
  if (readText(aside) !== seen) link(aside, path);
  rmSync(aside, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw error;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function parse(text: string | undefined): RunningProcess | undefined {
  const match = /^(\d{1,10}) (\d{1,20})\n$/.exec(text ?? "");
  if (match === null) return undefined;
  return { pid: Number(match[1]), startTime: match[2] ?? "" };
}

function format({ pid, startTime }: RunningProcess): string {
  return `${pid} ${startTime}\n`;
}
