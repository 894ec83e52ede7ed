/**
 * `hansa reset`: makes the host what it was before launch.
 *
 * Invariants: what is refused has changed nothing; node.json goes last, so that a reset that was killed at any moment is finished by
 * another one; each step does nothing when it was done before. A node that cannot tell others goes all the same, and the result says so.
 */
import { existsSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../docker/engine.ts";
import { HttpEngine } from "../docker/engine-http.ts";
import { codedSentence, HansaError, isErrno, isHansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import { systemCommand } from "../host/command.ts";
import { syncDirectory } from "../host/files.ts";
import { loadIdentity } from "../identity/identity-file.ts";
import { LinuxOverlay } from "../overlay/linux-overlay.ts";
import type { NodeId } from "../values/node-id.ts";
import { disconnectUsers, networkUsers, refuseUsers, removeNetwork } from "./network-removal.ts";
import { loadNodeFile, type NodeFile } from "./node-file.ts";
import { releasePidLock, takePidLock } from "./pid-file.ts";
import { withPlugin } from "./plugin-stand-in.ts";
import { BRIDGE_DEVICE } from "./process-list.ts";
import { daemonAnswers, waitFor } from "./readiness.ts";
import { resetLock, startNode } from "./start-node.ts";
import { makeDirectories } from "./start-process.ts";
import { stopNode } from "./stop.ts";
import { hasSystemd, removeUnits } from "./systemd.ts";
import { type ThisHost, thisHost } from "./this-host.ts";

/** What the daemon says of its leave. */
export interface Left {
  readonly heir: { readonly id: NodeId; readonly name: string } | null;
  readonly handedOver: number;
  readonly lost: number;
  readonly problem: string | null;
  readonly hadPeers: boolean;
}

export interface ResetOptions {
  /** Disconnects containers from the network, and goes on when Docker does not answer. */
  readonly force: boolean;
  /** Has the running daemon hand its addresses over and leave; rejects when it does not answer. */
  readonly leave: () => Promise<Left>;
  /** Takes interfaces, routes, rules and kernel settings away; the host's own by default. */
  readonly cleanUp?: () => Promise<void>;
  /** The host's own by default. */
  readonly engine?: Engine;
  /** Told what takes time, in a few words each. */
  readonly onProgress?: ((text: string) => void) | undefined;
}

export interface ResetResult {
  /** Undefined when the host was no node. */
  readonly id: NodeId | undefined;
  /** What the user has to know, one sentence each. */
  readonly notes: readonly string[];
}

/** A leave that the daemon's end cut short is asked for again. */
const LEAVE_TRIES = 3;

/**
 * Takes the node away; idempotent.
 *
 * Throws, with nothing changed: ROOT_REQUIRED, RESET_RUNNING, NETWORK_IN_USE, DOCKER_UNREACHABLE; STORE_LAST_VOTE and STORE_REFUSED for a vote that the store
 * cannot do without. Throws afterwards, to be called again:
 * DOCKER_REFUSED, SYSTEMD_FAILED, OVERLAY_REFUSED, TOOL_MISSING, and INTERNAL for a process that does not end.
 */
export async function reset(
  options: ResetOptions,
  host: ThisHost = thisHost(),
): Promise<ResetResult> {
  const { paths } = host;
  if (!host.isRoot) throw new HansaError("ROOT_REQUIRED", "reset needs root privileges");
  await makeDirectories(paths);
  if (!takePidLock(resetLock(paths))) {
    throw new HansaError("RESET_RUNNING", "another reset of this host is running");
  }
  try {
    return await resetLocked(options, host);
  } finally {
    releasePidLock(resetLock(paths));
    await removeIfEmpty(paths.runDir);
    await removeIfEmpty(paths.logDir);
    await removeIfEmpty(paths.stateDir);
  }
}

async function resetLocked(options: ResetOptions, host: ThisHost): Promise<ResetResult> {
  const { force, engine = new HttpEngine() } = options;
  const { paths } = host;
  const step = options.onProgress ?? (() => undefined);
  const node = await nodeOf(host);
  const notes: string[] = [];
  step("looking for containers on the network");
  const hasDocker = await clearNetwork(engine, force, node, notes);
  if (node !== undefined) notes.push(...(await leave(options, node, host, step)));
  step("removing the Docker network");
  if (hasDocker) await removeNetwork(engine, force, (remove) => withPlugin(paths, remove));
  step("stopping the node");
  await stopNode(host);
  if (hasSystemd(paths)) await removeUnits(paths);
  step("removing interfaces, routes and rules");
  await cleanUp(options, node);
  await rm(paths.pluginSpec, { force: true });
  await removeState(host);
  return { id: node?.id, notes };
}

/** A damaged file must not keep a node from being removed; it is then one without an id. */
async function nodeOf(host: ThisHost): Promise<NodeFile | undefined> {
  try {
    return await loadNodeFile(host.paths.nodeFile);
  } catch (error) {
    if (isHansaError(error, "STATE_DAMAGED")) return undefined;
    throw error;
  }
}

/** True when Docker answers. Refuses, or with force disconnects, containers on the network. */
async function clearNetwork(
  engine: Engine,
  force: boolean,
  node: NodeFile | undefined,
  notes: string[],
): Promise<boolean> {
  try {
    const users = (await networkUsers(engine)) ?? [];
    if (force) await disconnectUsers(engine, users);
    else refuseUsers(users);
    return true;
  } catch (error) {
    if (!isHansaError(error, "DOCKER_UNREACHABLE") || (node !== undefined && !force)) {
      if (!isHansaError(error, "DOCKER_UNREACHABLE")) throw error;
      const text = `containers may be on the network hansa, and Docker cannot be asked: ${error.message}`;
      throw new HansaError("DOCKER_UNREACHABLE", text, {
        hint: "start Docker, or use --force and run hansa reset again once Docker runs: its network hansa stays until then",
        cause: error,
      });
    }
    if (node !== undefined) {
      notes.push("Docker keeps its network hansa: run hansa reset again once Docker runs");
    }
    return false;
  }
}

/** Has the daemon leave, started for that where it does not run; what stays lost, in words. */
async function leave(
  options: ResetOptions,
  node: NodeFile,
  host: ThisHost,
  step: (text: string) => void,
): Promise<string[]> {
  const { stateDir, apiSocket } = host.paths;
  let problem = "its daemon does not run";
  for (let tries = 0; tries < LEAVE_TRIES; tries++) {
    try {
      if (!(await daemonAnswers(apiSocket))) {
        // An earlier reset took the keys already: there is nobody any more who could leave.
        if ((await loadIdentity(stateDir)) === undefined) return [];
        step("starting the node, so that it can hand its addresses over");
        await startNode(node, host, step);
        await waitFor(() => daemonAnswers(apiSocket), { timeoutMs: host.readyWithinMs });
      }
      step("handing the addresses over and leaving the cluster");
      return leftNotes(node, await options.leave());
    } catch (error) {
      const isRefused =
        isHansaError(error, "STORE_LAST_VOTE") || isHansaError(error, "STORE_REFUSED");
      if (!isHansaError(error) || isRefused) throw error;
      problem = codedSentence(error);
    }
  }
  return [
    `the node could not tell others that it leaves: ${problem}`,
    `its addresses stay lost until a node of its cluster takes them over: ${takeOver(node)}`,
  ];
}

function leftNotes(node: NodeFile, left: Left): string[] {
  const notes: string[] = [];
  if (left.heir !== null && left.handedOver > 0) {
    const { id, name } = left.heir;
    notes.push(`${left.handedOver} addresses are node ${id}'s (${name}) now`);
  }
  if (left.lost > 0 && left.hadPeers) {
    const why = left.problem ?? "no other node is in reach";
    notes.push(
      `${left.lost} addresses stay lost to the cluster, because ${why}: on one of its nodes run ${takeOver(node)}`,
    );
  } else if (left.problem !== null && left.hadPeers) notes.push(left.problem);
  return notes;
}

function takeOver({ id }: NodeFile): string {
  return `hansa ipam take-over ${id}`;
}

/** Where there was no node, missing programs have left nothing to remove. */
async function cleanUp(options: ResetOptions, node: NodeFile | undefined): Promise<void> {
  const cleanUpHost = (): Promise<void> => {
    const bridge = BRIDGE_DEVICE;
    return new LinuxOverlay({
      command: systemCommand,
      clock: systemClock,
      bridge,
    }).cleanUp();
  };
  try {
    await (options.cleanUp ?? cleanUpHost)();
  } catch (error) {
    if (node !== undefined || !isHansaError(error, "TOOL_MISSING")) throw error;
  }
}

/** The secrets first, node.json last: while it is there, a reset knows what to finish. */
async function removeState({ paths }: ThisHost): Promise<void> {
  const { stateDir, nodeFile, runDir } = paths;
  const remove = (path: string) => rm(path, { recursive: true, force: true });
  await remove(join(stateDir, "identity.json"));
  for (const name of await readdir(stateDir)) {
    const path = join(stateDir, name);
    if (path !== nodeFile) await remove(path);
  }
  for (const name of await readdir(runDir)) {
    const path = join(runDir, name);
    if (path !== resetLock(paths)) await remove(path);
  }
  await syncDirectory(stateDir);
  await remove(nodeFile);
  await syncDirectory(stateDir);
}

/** A directory that something else is mounted on, or that holds what came meanwhile, stays. */
async function removeIfEmpty(path: string): Promise<void> {
  try {
    if (existsSync(path)) await rmdir(path);
  } catch (error) {
    const stays = ["ENOTEMPTY", "EBUSY", "ENOENT", "EEXIST"];
    if (!stays.some((errno) => isErrno(error, errno))) throw error;
  }
}
