/**
 * Sees to it that the host's supervisor lives: the daemon and the plugin both do, so that of supervisor, daemon and plugin any one left is enough to
 * bring all back.
 */
import { hansaPaths, pidFile } from "./paths.ts";
import { readPidFile } from "./pid-file.ts";
import { mayRun, type RunningProcess } from "./running-process.ts";
import { ensureSupervisor } from "./supervisor.ts";

/** How often it is looked at: one system call when all is well. */
const LOOK_MS = 2_000;
/** Every so many looks are thorough: two small reads. */
const THOROUGH_EVERY = 5;

/** Runs a job at a pace in milliseconds until the returned function is called. */
export type Every = (everyMs: number, job: () => void) => () => void;

/** Looks until the returned function is called; keeps no process alive. `failed` is told why a supervisor could not be started. */
export function keepSupervised(
  failed: (error: unknown) => void,
  every: Every = byTimer,
): () => void {
  const path = pidFile(hansaPaths(), "supervise");
  let known: RunningProcess | undefined;
  let looks = 0;
  return every(LOOK_MS, () => {
    looks += 1;
    if (known !== undefined && looks % THOROUGH_EVERY !== 0 && mayRun(known)) return;
    known = readPidFile(path);
    if (known === undefined) void ensureSupervisor().catch(failed);
  });
}

function byTimer(everyMs: number, job: () => void): () => void {
  const timer = setInterval(job, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
