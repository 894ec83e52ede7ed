/**
 * Processes as the kernel shows them in /proc.
 *
 * Invariant: a process is known by its pid together with its start time, so that a reused pid is never mistaken for it.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { isErrno } from "../errors.ts";

export interface RunningProcess {
  readonly pid: number;
  /** Clock ticks since the host's boot, as in /proc/PID/stat. */
  readonly startTime: string;
}

/** The process `pid`, or undefined when there is none or it is a zombie. One small read. */
export function processByPid(pid: number): RunningProcess | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name in parentheses may contain anything; the fields after the last parenthesis are plain.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  if (startTime === undefined || state === "Z" || state === "X") return undefined;
  return { pid, startTime };
}

/** True while exactly this process runs. */
export function isRunning(running: RunningProcess): boolean {
  return processByPid(running.pid)?.startTime === running.startTime;
}

/**
 * True while a process with that pid runs a program; false means that it ended, or that we may not see it. A stranger that got the
 * pid passes too: a quick look between those of `isRunning`, by one system call.
 */
export function mayRun({ pid }: RunningProcess): boolean {
  // A zombie has no program any more.
  return existsSync(`/proc/${pid}/exe`);
}

/**
 * The process with exactly this command line that sees the same files as we do, or undefined.
 *
 * Reads all of /proc, some milliseconds: for the rare moment when a pid file is missing.
 */
export function processByArgv(argv: readonly string[], root: string): RunningProcess | undefined {
  const wanted = `${argv.join("\0")}\0`;
  const ours = readLink("/proc/self/ns/mnt");
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    if (readProc(`/proc/${entry}/cmdline`) !== wanted) continue;
    if (readLink(`/proc/${entry}/ns/mnt`) !== ours) continue;
    const environment = (readProc(`/proc/${entry}/environ`) ?? "").split("\0");
    const theirs = environment.find((each) => each.startsWith("HANSA_ROOT="));
    if ((theirs?.slice("HANSA_ROOT=".length) ?? "") !== root) continue;
    const found = processByPid(Number(entry));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether it runs the file that lies at `path` now; true where that cannot be seen. */
export function runsFile({ pid }: Pick<RunningProcess, "pid">, path: string): boolean {
  const own = orGone(() => statSync(`/proc/${pid}/exe`));
  const { dev, ino } = statSync(path);
  return own === undefined || (own.ino === ino && own.dev === dev);
}

/** The command line of `pid` for people, or undefined when it is gone. */
export function describeProcess(pid: number): string | undefined {
  const name = readProc(`/proc/${pid}/comm`)?.trim();
  return name === undefined ? undefined : `${name} (pid ${pid})`;
}

/** The process that holds the socket with that inode, or undefined when the kernel or somebody invisible holds it. Slow. */
export function processBySocket(inode: string): number | undefined {
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    for (const fd of listDir(`/proc/${entry}/fd`)) {
      if (readLink(`/proc/${entry}/fd/${fd}`) === `socket:[${inode}]`) return Number(entry);
    }
  }
  return undefined;
}

function readProc(path: string): string | undefined {
  return orGone(() => readFileSync(path, "utf8"));
}

function readLink(path: string): string | undefined {
  return orGone(() => readlinkSync(path));
}

function listDir(path: string): string[] {
  return orGone(() => readdirSync(path)) ?? [];
}

/** A process may end, or be out of our reach, between any two reads: then there is nothing to see. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const gone = ["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR", "EINVAL"];
    if (gone.some((errno) => isErrno(error, errno))) return undefined;
    throw error;
  }
}
