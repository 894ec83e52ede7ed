/**
 * A process's end as an event, also for who is not its parent: each process is given an open file that has no name any more, and the
 * kernel tells who watches that file when the last who had it open is gone, however it ended.
 *
 * Invariant: an event only says that it is time to look. A process may close its mark and live on (one that becomes another program does), and
 * one that an older build started has none.
 */
import { closeSync, openSync, readlinkSync, unlinkSync, watch } from "node:fs";
import { join } from "node:path";
import { isErrno } from "../errors.ts";
import { uniqueName } from "../host/unique-name.ts";

/** The descriptor at which a started process has its mark. */
export const LIFE_MARK_FD = 3;

/** As /proc shows it: its name is gone. */
const MARK = /\/life-[0-9a-z-]{8,64} \(deleted\)$/;
/** Far above what the event takes. */
const TRIAL_MS = 1_000;

/** A mark to hand to a process that is about to be started; the caller closes its own copy. */
export function makeLifeMark(runDir: string): number {
  const path = join(runDir, `life-${uniqueName()}`);
  const mark = openSync(path, "wx", 0o600);
  unlinkSync(path);
  return mark;
}

/**
 * Calls `ended` once, when the process `pid` has let go of its mark; the returned function stops that. Undefined when it cannot be
 * watched: it has no mark, is gone, or the host has no watches left.
 */
export function watchLife(
  pid: number | "self",
  ended: () => void,
  fd: number = LIFE_MARK_FD,
): (() => void) | undefined {
  const path = `/proc/${pid}/fd/${fd}`;
  try {
    if (!MARK.test(readlinkSync(path))) return undefined;
    const watcher = watch(path, { persistent: false });
    const end = (): void => {
      watcher.close();
      ended();
    };
    watcher.once("change", end).once("error", end);
    return () => watcher.close();
  } catch (error) {
    const expected = ["ENOENT", "ESRCH", "EACCES", "EPERM", "EMFILE", "ENOSPC"];
    if (expected.some((errno) => isErrno(error, errno))) return undefined;
    throw error;
  }
}

/** Whether the kernel tells of marks in `runDir`, tried with one of our own: not every file system does. */
export async function lifeMarksWork(runDir: string): Promise<boolean> {
  const mark = makeLifeMark(runDir);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const stop = watchLife("self", () => resolve(true), mark);
  closeSync(mark);
  if (stop === undefined) return false;
  // What came while this process stood still is heard between the timer and the immediate.
  const timer = setTimeout(() => setImmediate(() => resolve(false)), TRIAL_MS);
  const works = await promise;
  clearTimeout(timer);
  stop();
  return works;
}
