/**
 * The witness as a process of its host: a unit under systemd, else a detached process with a supervisor of its own.
 *
 * Invariants: it has nothing to do with a node's processes; of the witness and its supervisor either one is enough to bring the other back, and the witness
 * keeps its etcd.
 */
import { existsSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { StoreBackups } from "../daemon/store/store-backups.ts";
import { HansaError, isHansaError } from "../errors.ts";
import { moveFolder } from "../host/files.ts";
import { createLogger } from "../host/logger.ts";
import { requireTools } from "../processes/host-tools.ts";
import { hansaPaths, logFile, type Paths, pidFile } from "../processes/paths.ts";
import { readPidFile } from "../processes/pid-file.ts";
import { type ProcessSpec, SMALL_ROLE } from "../processes/process-list.ts";
import { notUp, socketAccepts, waitFor } from "../processes/readiness.ts";
import {
  isRunning,
  processByArgv,
  type RunningProcess,
  runsFile,
} from "../processes/running-process.ts";
import { makeDirectories, searchPath, startProcess } from "../processes/start-process.ts";
import { endProcess } from "../processes/stop.ts";
import { STORE_PROCESS, storeFiles } from "../processes/store-process.ts";
import { requireFreeStorePorts } from "../processes/store-service.ts";
import { supervise } from "../processes/supervisor.ts";
import {
  hasSystemd,
  removeWitnessUnit,
  restartWitnessUnit,
  startWitnessUnit,
} from "../processes/systemd.ts";
import { thisProgram } from "../processes/this-program.ts";
import { isWitness, witnessFileIn } from "../processes/witness-home.ts";
import { loadVoterRecord } from "../store/voter-record.ts";
import {
  loadWitness,
  newWitness,
  saveWitness,
  type WitnessFile,
  type WitnessPorts,
  witnessPaths,
} from "./witness-file.ts";

const READY_MS = 15_000;

const witnessSpec = (program: readonly string[]): ProcessSpec => ({
  ...{ name: "witness", argv: [...program, "witness"], env: SMALL_ROLE },
});
const supervisorSpec = (program: readonly string[]): ProcessSpec => ({
  ...{ name: "supervise", argv: [...program, "witness-supervise"], env: SMALL_ROLE },
});

/** Sees to it that this host's witness runs and listens. `host` are the host's own paths. Throws SYSTEMD_FAILED and NODE_NOT_RUNNING. */
export async function startWitness(
  program: readonly string[] = thisProgram(),
  host: Paths = hansaPaths(),
): Promise<void> {
  const paths = witnessPaths(host);
  await makeDirectories(paths);
  rmSync(paths.stoppedMark, { force: true });
  const port = (await loadWitness(paths))?.ports.witness ?? 0;
  if (hasSystemd(host)) {
    await startWitnessUnit(program, host);
    await waitFor(() => socketAccepts(port), { timeoutMs: READY_MS });
    return;
  }
  const { running } = await startProcess(witnessSpec(program), paths);
  await ensureWitnessSupervisor(program, host);
  const hasDied = (): boolean => running === undefined || !isRunning(running);
  const how = await waitFor(() => socketAccepts(port), { timeoutMs: READY_MS, hasDied });
  if (how === "ready") return;
  throw notUp("witness", how, READY_MS, { path: logFile(paths, "witness"), fromByte: 0 });
}

/** Ends it and its etcd; what it has on disk stays. */
export async function stopWitness(
  program: readonly string[] = thisProgram(),
  host: Paths = hansaPaths(),
): Promise<void> {
  const paths = witnessPaths(host);
  if (hasSystemd(host)) await removeWitnessUnit(host);
  for (const spec of specsOf(program)) {
    const running = runningAs(spec, paths, host);
    if (running !== undefined) await endProcess(spec.name, running);
    rmSync(pidFile(paths, spec.name), { force: true });
  }
  const etcd = readPidFile(pidFile(paths, STORE_PROCESS));
  if (etcd !== undefined) await endProcess(STORE_PROCESS, etcd);
}

/**
 * Makes this host a witness that waits for its nodes, and sees to it that it runs; one that it is already is left as it is, ports and all. Throws
 * WITNESS_REFUSED on a node, TOOL_MISSING, PORT_TAKEN and as `startWitness`.
 */
export async function serveWitness(
  ports: WitnessPorts,
  host: Paths = hansaPaths(),
): Promise<{ readonly file: WitnessFile; readonly isNew: boolean }> {
  const paths = witnessPaths(host);
  const known = await loadWitness(paths);
  if (known === undefined) {
    if (existsSync(host.nodeFile)) {
      throw new HansaError("WITNESS_REFUSED", "this host is a node: it has a vote of its own", {
        hint: "a witness is another box, one that does not fail together with a node",
      });
    }
    requireTools(["etcd"], searchPath(process.env));
    await requireFreeStorePorts(ports, "127.0.0.1");
    await requireFreeStorePorts({ raft: ports.witness, store: ports.proxy }, "0.0.0.0");
    await saveWitness(paths, newWitness(ports));
  }
  await startWitness(thisProgram(), host);
  const file = await loadWitness(paths);
  if (file === undefined) throw new HansaError("WITNESS_NONE", "this host is no witness any more");
  return { file, isNew: known === undefined };
}

/**
 * Ends it for good: its key, its certificate and its part of the store go. What it had of the store is moved to `backup`; `cluster` is the one whose nodes
 * go on counting its vote, where it was taken in and not removed. Throws WITNESS_NONE.
 */
export async function endWitness(
  host: Paths = hansaPaths(),
): Promise<{ readonly backup: string | undefined; readonly cluster: string | undefined }> {
  const paths = witnessPaths(host);
  const file = await loadWitness(paths);
  if (file === undefined) {
    throw new HansaError("WITNESS_NONE", "this host is no witness", {
      hint: "hansa qdevice serve makes it one",
    });
  }
  await stopWitness(thisProgram(), host);
  const { dir, record } = storeFiles(paths);
  const store = (await loadVoterRecord(record))?.store;
  const backup = store && (await new StoreBackups(paths.stateDir).folder(store, Date.now()));
  if (backup) await moveFolder(dir, backup);
  await rm(dir, { recursive: true, force: true });
  await rm(witnessFileIn(paths.stateDir), { force: true });
  await rm(paths.logDir, { recursive: true, force: true });
  await rm(paths.runDir, { recursive: true, force: true });
  return { backup, cluster: file.claim?.cluster };
}

/** Names of this host's witness' processes, started from `executable`, that do not run the file that lies at `aim`; none on a host that is no witness. */
export function outdatedWitness(
  executable: string,
  aim: string,
  host: Paths = hansaPaths(),
): string[] {
  if (!isWitness(host)) return [];
  const paths = witnessPaths(host);
  return specsOf([executable])
    .filter((spec) => {
      const running = runningAs(spec, paths, host);
      return running !== undefined && !runsFile(running, aim);
    })
    .map(({ name }) => (name === "witness" ? name : `${name} of the witness`));
}

/** Ends this host's witness, as it runs, and starts it from `executable`; its etcd goes on, but under systemd, where it comes back with it. Throws as `startWitness`. */
export async function renewWitness(executable: string, host: Paths = hansaPaths()): Promise<void> {
  const paths = witnessPaths(host);
  if (hasSystemd(host)) await restartWitnessUnit(host);
  else {
    for (const spec of specsOf([executable])) {
      const running = runningAs(spec, paths, host);
      if (running !== undefined) await endProcess(spec.name, running);
      rmSync(pidFile(paths, spec.name), { force: true });
    }
  }
  await startWitness([executable], host);
}

/** The supervisor first: what ends after it nobody starts again. */
function specsOf(program: readonly string[]): readonly ProcessSpec[] {
  return [supervisorSpec(program), witnessSpec(program)];
}

function runningAs(
  { name, argv }: ProcessSpec,
  paths: Paths,
  host: Paths,
): RunningProcess | undefined {
  return readPidFile(pidFile(paths, name)) ?? processByArgv(argv, host.prefix);
}

/** Two small reads when all is well. Nothing under systemd. */
export async function ensureWitnessSupervisor(
  program: readonly string[],
  host: Paths,
): Promise<void> {
  const paths = witnessPaths(host);
  if (hasSystemd(host) || existsSync(paths.stoppedMark)) return;
  if (readPidFile(pidFile(paths, "supervise")) !== undefined) return;
  await startProcess(supervisorSpec(program), paths);
}

/** The role `hansa witness-supervise`. */
export async function runWitnessSupervisor(): Promise<number> {
  const paths = witnessPaths(hansaPaths());
  const logger = createLogger({ fields: { process: "witness-supervise" } });
  const specs = [witnessSpec(thisProgram())];
  return supervise({ paths, processes: () => specs, logger });
}

/** At the start of a host without systemd. Never rejects: a host must boot; what went wrong is on standard error. */
export async function witnessAtBoot(host: Paths = hansaPaths()): Promise<void> {
  try {
    if (hasSystemd(host) || (await loadWitness(witnessPaths(host))) === undefined) return;
    await startWitness(thisProgram(), host);
  } catch (error) {
    const text = isHansaError(error) ? error.message : `${error}`;
    process.stderr.write(`[hansa boot] the witness could not be started: ${text}\n`);
  }
}
