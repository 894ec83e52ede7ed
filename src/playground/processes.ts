/**
 * Finds and ends processes by facts that no other process can share: a network namespace of ours, or pid with start time.
 *
 * Invariant: nothing is ever signalled by its name or by a bare pid, so no process of anyone else's is hit.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError } from "../errors.ts";
import { NETNS_DIR } from "./layout.ts";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since the machine's start: field 22 of /proc/PID/stat. */
  readonly start: string;
}

/** The identity of the running process `pid`, or undefined when there is none. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statOf(pid);
  return fields === undefined ? undefined : { pid, start: fields.start };
}

/** True while exactly this process runs; one that is dead but not yet reaped does not. */
export function isAlive(process: ProcessId): boolean {
  const fields = statOf(process.pid);
  return fields !== undefined && fields.start === process.start && !"ZX".includes(fields.state);
}

/** The first child of `pid`, or undefined. */
export function childOf(pid: number): number | undefined {
  return allPids().find((each) => statOf(each)?.parent === pid);
}

/** Every process whose network namespace is one of the named ones. Containers are not among them, but their hosts' pid 1 is. */
export function processesIn(netns: readonly string[]): readonly ProcessId[] {
  const inodes = new Set<string>();
  for (const name of netns) {
    const stat = statSync(`${NETNS_DIR}/${name}`, { throwIfNoEntry: false });
    if (stat) inodes.add(`net:[${stat.ino}]`);
  }
  if (inodes.size === 0) return [];
  return allPids().flatMap((pid) => {
    const link = ifThere(() => readlinkSync(`/proc/${pid}/ns/net`));
    const id = link !== undefined && inodes.has(link) ? identify(pid) : undefined;
    return id === undefined || id.pid === process.pid ? [] : [id];
  });
}

/** Kills these processes and waits until they are gone. Throws PLAYGROUND_FAILED when one still runs after a minute. */
export async function killAll(processes: readonly ProcessId[]): Promise<void> {
  for (const each of processes) {
    if (isAlive(each)) ifThere(() => process.kill(each.pid, "SIGKILL"));
  }
  const survivor = (): ProcessId | undefined => processes.find(isAlive);
  await until(
    () => survivor() === undefined,
    60_000,
    () => {
      return `process ${survivor()?.pid} does not end`;
    },
  );
}

/** Waits until `isDone`, looking every 10 ms; throws PLAYGROUND_FAILED with `what()` after `timeoutMs`. */
export async function until(
  isDone: () => boolean | Promise<boolean>,
  timeoutMs: number,
  what: () => string,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new HansaError("PLAYGROUND_FAILED", what());
    await sleep(10);
  }
}

function allPids(): readonly number[] {
  return readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));
}

function statOf(pid: number): { state: string; parent: number; start: string } | undefined {
  const text = ifThere(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  if (text === undefined) return undefined;
  // The second field is the program's name in brackets and may hold anything, also brackets and blanks.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", parent: Number(fields[1]), start: fields[19] ?? "" };
}

/** The value, or undefined when the process that it is about has ended meanwhile. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return undefined;
    throw error;
  }
}
