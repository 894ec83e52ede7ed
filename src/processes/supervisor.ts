/**
 * The supervising parent, where no systemd runs: keeps a node's processes alive, each on its own.
 *
 * Invariants: the processes need no supervisor to live, so kill -9 of it touches none of them; a new one adopts them by their
 * pid files and never starts a second copy; there is one supervisor a host. Own children are watched by their exit
 * events, adopted ones by their life marks, and where these tell nothing by a look at /proc twice a second.
 */
import { existsSync } from "node:fs";
import { type Backoff, backoffMs } from "../host/backoff.ts";
import { createLogger, type Logger } from "../host/logger.ts";
import { lifeMarksWork, watchLife } from "./life-mark.ts";
import { rotateLog } from "./log-file.ts";
import { LookTimer } from "./look-timer.ts";
import { hansaPaths, logFile, type Paths, pidFile } from "./paths.ts";
import { readPidFile, releasePidLock, takePidLock } from "./pid-file.ts";
import { type ProcessSpec, supervisorSpec } from "./process-list.ts";
import { isRunning, mayRun, type RunningProcess } from "./running-process.ts";
import { makeDirectories, startProcess } from "./start-process.ts";
import { thisProgram } from "./this-program.ts";

export const RESTART_BACKOFF: Backoff = { firstMs: 100, factor: 2, capMs: 5000, jitter: 0 };
/** A process that lived that long begins its back-off anew. */
const SETTLED_MS = 10_000;
/** Every so many thorough looks the house is kept. */
const HOUSEKEEPING_EVERY = 4;

export interface SupervisorOptions {
  readonly paths: Paths;
  /** Asked again every few seconds, and before one is started anew: processes may come, and go for good. */
  readonly processes: () => readonly ProcessSpec[];
  readonly logger?: Logger;
  /** Ends the supervisor, not the processes. */
  readonly signal?: AbortSignal;
  readonly backoff?: Backoff;
}

/**
 * Supervises until `signal` aborts, SIGTERM or SIGINT arrives, or the node is stopped on purpose; the processes live on.
 *
 * Returns the exit status: 0 also at once when a supervisor runs already.
 */
export async function supervise(options: SupervisorOptions): Promise<number> {
  const { paths } = options;
  const logger = options.logger ?? createLogger({ fields: { process: "supervise" } });
  await makeDirectories(paths);
  const hasMarks = await lifeMarksWork(paths.runDir);
  if (!hasMarks) logger.info("life marks tell nothing here", { folder: paths.runDir });
  const lock = pidFile(paths, "supervise");
  if (existsSync(paths.stoppedMark)) return 0;
  if (!takePidLock(lock)) {
    logger.info("a supervisor runs already");
    return 0;
  }
  const kept = new Map<string, KeptProcess>();
  /** Takes up who is new, and lets go of who is to be no more. */
  const follow = async (): Promise<void> => {
    const specs = options.processes();
    for (const [name, each] of kept) {
      if (specs.some((spec) => spec.name === name)) continue;
      kept.delete(name);
      each.letGo();
    }
    for (const spec of specs.filter(({ name }) => !kept.has(name))) {
      const each = new KeptProcess(spec, options, { logger, hasMarks, watched: () => looks.arm() });
      kept.set(spec.name, each);
      await each.start();
    }
  };
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  const keepHouse = (): void => {
    for (const name of [...kept.keys(), "supervise"]) {
      if (rotateLog(logFile(paths, name))) logger.info("log rotated", { log: name });
    }
    // Somebody removed our lock, or the node was stopped: another may rule, we must not.
    if (existsSync(paths.stoppedMark) || !takePidLock(lock)) end();
  };
  let thoroughLooks = 0;
  const looks = new LookTimer({
    isUnwatched: () => [...kept.values()].some((each) => each.isUnwatched),
    look(isThorough) {
      for (const each of kept.values()) each.look(isThorough);
      if (!isThorough) return;
      void follow();
      thoroughLooks += 1;
      if (thoroughLooks % HOUSEKEEPING_EVERY === 0) keepHouse();
    },
  });
  process.on("SIGTERM", end).on("SIGINT", end);
  options.signal?.addEventListener("abort", end);
  try {
    await follow();
    if (options.signal?.aborted !== true) await ended.promise;
  } finally {
    looks.close();
    process.off("SIGTERM", end).off("SIGINT", end);
    for (const each of kept.values()) each.letGo();
    releasePidLock(lock);
  }
  return 0;
}

/**
 * Starts a supervisor when none runs and the node was not stopped on purpose. True when it started one.
 *
 * Cheap (two small reads) when all is well: the daemon calls it every few seconds. Under systemd it does nothing.
 */
export async function ensureSupervisor(
  program: readonly string[] = thisProgram(),
  paths: Paths = hansaPaths(),
): Promise<boolean> {
  if (existsSync(paths.systemdMark) || existsSync(paths.stoppedMark)) return false;
  if (readPidFile(pidFile(paths, "supervise")) !== undefined) return false;
  await startProcess(supervisorSpec(program), paths);
  return true;
}

interface KeptProcessContext {
  readonly logger: Logger;
  /** Whether the end of an adopted process comes as an event, if it has a mark. */
  readonly hasMarks: boolean;
  /** `isUnwatched` may have changed. */
  readonly watched: () => void;
}

/** One process with its restarts. */
class KeptProcess {
  readonly #spec: ProcessSpec;
  readonly #paths: Paths;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  readonly #isWanted: () => boolean;
  readonly #context: KeptProcessContext;
  #running: RunningProcess | undefined;
  /** We are its parent: its exit event will come, no need to look. */
  #own = false;
  #unwatch: (() => void) | undefined;
  #since = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #letGo = false;

  constructor(spec: ProcessSpec, options: SupervisorOptions, context: KeptProcessContext) {
    this.#spec = spec;
    this.#paths = options.paths;
    this.#backoff = options.backoff ?? RESTART_BACKOFF;
    this.#context = context;
    this.#logger = context.logger.child({ name: spec.name });
    this.#isWanted = () => options.processes().some(({ name }) => name === spec.name);
  }

  async start(): Promise<void> {
    if (this.#letGo || existsSync(this.#paths.stoppedMark) || !this.#isWanted()) return;
    try {
      const { running, child } = await startProcess(this.#spec, this.#paths);
      this.#running = running;
      this.#own = child !== undefined;
      this.#since = performance.now();
      this.#logger.info(child === undefined ? "adopted" : "started", { pid: running?.pid });
      child?.once("exit", (status, signal) => this.#ended({ status, signal }));
      child?.once("error", (error) => this.#ended({ error }));
      if (running === undefined && child === undefined) this.#ended({});
      this.#watch();
    } catch (error) {
      // A full disk or no more processes: the others must be kept all the same.
      this.#ended({ error });
    }
  }

  /** Nothing tells of its end: it is to be looked at often. */
  get isUnwatched(): boolean {
    return this.#running !== undefined && !this.#own && this.#unwatch === undefined;
  }

  look(thorough: boolean): void {
    if (this.#own || this.#running === undefined) return;
    if (!thorough && mayRun(this.#running)) return;
    if (isRunning(this.#running)) return;
    this.#ended({});
  }

  letGo(): void {
    this.#letGo = true;
    this.#unwatch?.();
    clearTimeout(this.#timer);
  }

  #watch(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    if (this.#running !== undefined && !this.#own && this.#context.hasMarks) {
      this.#unwatch = watchLife(this.#running.pid, () => {
        // Until it is seen to have ended, or for good when it lives on without its mark, it is looked at.
        this.#unwatch = undefined;
        this.look(true);
        this.#context.watched();
      });
    }
    this.#context.watched();
  }

  #ended(how: Readonly<Record<string, unknown>>): void {
    this.#running = undefined;
    if (this.#letGo) return;
    if (performance.now() - this.#since > SETTLED_MS) this.#failures = 0;
    const waitMs = backoffMs(this.#backoff, this.#failures, 0.5);
    this.#failures += 1;
    this.#logger.warn("ended, starting it again", { ...how, waitMs });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), waitMs);
  }
}
