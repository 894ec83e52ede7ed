/**
 * Starts one of our processes, or finds it running already: detached, with a small environment and its own log.
 *
 * Invariant: there is never a second copy. Whoever starts (launch, resume, a supervisor) does so under one lock, after looking for
 * the process by its pid file and, where that is missing, by its command line.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { ensureDir } from "../host/files.ts";
import { makeLifeMark } from "./life-mark.ts";
import { openLog, rotateLog } from "./log-file.ts";
import { logFile, type Paths, pidFile } from "./paths.ts";
import { readPidFile, withPidLock, writePidFile } from "./pid-file.ts";
import { PREDECESSOR_VARIABLE, predecessorText } from "./predecessor.ts";
import type { ProcessSpec } from "./process-list.ts";
import { processByArgv, processByPid, type RunningProcess } from "./running-process.ts";

export interface StartedProcess {
  /** Undefined when it died before it could be looked at. */
  readonly running: RunningProcess | undefined;
  /** Present when we started it: its "exit" and "error" events tell of its end. Not kept alive for, nor kept alive by us. */
  readonly child?: ChildProcess;
}

/** Adopts the process when it runs, else starts it. Its stdin is /dev/null, its directory /, its session its own. */
export async function startProcess(spec: ProcessSpec, paths: Paths): Promise<StartedProcess> {
  return withPidLock(join(paths.runDir, "start.lock"), () => {
    const found = findProcess(spec, paths);
    return found === undefined ? spawnProcess(spec, paths) : { running: found };
  });
}

/**
 * Starts another copy beside the running one, which it is told of and ends when it is ready to take over; the running one loses its pid file
 * to it. For processes that can do that (the address plugin). Starts it plainly when none runs.
 */
export async function startSuccessor(spec: ProcessSpec, paths: Paths): Promise<StartedProcess> {
  return withPidLock(join(paths.runDir, "start.lock"), () => {
    const running = findProcess(spec, paths);
    if (running === undefined) return spawnProcess(spec, paths);
    const env = { ...spec.env, [PREDECESSOR_VARIABLE]: predecessorText(running) };
    return spawnProcess({ ...spec, env }, paths);
  });
}

/** The process when it runs already; writes its pid file again when that was lost. */
export function findProcess(spec: ProcessSpec, paths: Paths): RunningProcess | undefined {
  const path = pidFile(paths, spec.name);
  const known = readPidFile(path);
  if (known !== undefined) return known;
  const found = processByArgv(spec.argv, paths.prefix);
  if (found !== undefined) writePidFile(path, found);
  return found;
}

/** Makes the directories that processes need. */
export async function makeDirectories(paths: Paths): Promise<void> {
  await ensureDir(paths.runDir, 0o755);
  await ensureDir(paths.stateDir, 0o700);
  await ensureDir(paths.logDir, 0o750);
}

function spawnProcess(spec: ProcessSpec, paths: Paths): StartedProcess {
  const [program = "", ...words] = spec.argv;
  const path = logFile(paths, spec.name);
  rotateLog(path);
  const log = openLog(path);
  const descriptors = [log];
  try {
    const mark = makeLifeMark(paths.runDir);
    descriptors.push(mark);
    const child = spawn(program, words, {
      cwd: "/",
      env: { ...smallEnvironment(process.env), ...spec.env },
      // The last is LIFE_MARK_FD.
      stdio: ["ignore", log, log, mark],
      detached: true,
    });
    child.unref();
    // Whoever cares listens too; without a listener a missing program would end us.
    child.on("error", () => undefined);
    const running = child.pid === undefined ? undefined : processByPid(child.pid);
    if (running !== undefined) writePidFile(pidFile(paths, spec.name), running);
    return { running, child };
  } finally {
    for (const each of descriptors) closeSync(each);
  }
}

/** What a process inherits: where programs and Docker are, our own variables, and nothing of the caller's shell. */
export function smallEnvironment(env: Readonly<NodeJS.ProcessEnv>): Record<string, string> {
  const small: Record<string, string> = {
    PATH: searchPath(env).join(":"),
    LANG: "C.UTF-8",
    HOME: "/root",
  };
  for (const [name, value] of Object.entries(env)) {
    const wanted = (name.startsWith("HANSA_") && !SECRET.test(name)) || name === "DOCKER_HOST";
    if (wanted && value !== undefined) small[name] = value;
  }
  return small;
}

/** Where programs are looked for: the caller's PATH, and then the system's folders, which a plain user's PATH lacks in part. */
export function searchPath(env: Readonly<NodeJS.ProcessEnv>): string[] {
  const given = (env["PATH"] ?? "").split(":").filter((folder) => folder.startsWith("/"));
  const system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  return [...new Set([...given, ...system])];
}

/** The command line may be given the token by its environment; a process never is. */
const SECRET = /TOKEN|SECRET|PASSWORD|KEY/;
