/**
 * Gathers what can be seen of a host, whether or not a node runs on it: the adapter below the checks.
 *
 * Invariants: nothing on the host is changed but one small file of ours, written and removed; each question has a deadline of its own and runs beside the
 * others; what cannot be asked is undefined, and the check says so.
 */
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { open, readFile, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HttpEngine } from "../docker/engine-http.ts";
import { codedSentence, HansaError, isErrno } from "../errors.ts";
import { systemCommand } from "../host/command.ts";
import { addressPlan, DEFAULT_SUBNET, nodeAddress } from "../ipam/address-plan.ts";
import { dockerNetworks } from "../processes/docker-reach.ts";
import { findTool, missingTools, neededTools } from "../processes/host-tools.ts";
import { DEFAULT_PORTS, loadNodeFile, type NodeFile } from "../processes/node-file.ts";
import { pidFile } from "../processes/paths.ts";
import { readPidFile } from "../processes/pid-file.ts";
import { storeFiles, storePorts } from "../processes/store-process.ts";
import { type StorePlace, storeStrangers } from "../processes/store-strangers.ts";
import { usedByDocker, usedByRoutes } from "../processes/subnet-collision.ts";
import { hasSystemd } from "../processes/systemd.ts";
import { type TakenPort, takenPorts } from "../processes/taken-ports.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { UNIT_OF } from "../processes/units.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import type { DiskFacts, DockerState, HostFacts, PluginSpec, ProcessState } from "./facts.ts";
import { clockFacts } from "./host-clock.ts";

/** What a launch takes when it is told nothing. */
const COMMAND_MS = 4_000;
const FSYNCS = 5;

/** The facts of this moment; `isNodeUp` says that its daemon answers. */
export async function collectHost(host: ThisHost, isNodeUp: boolean): Promise<HostFacts> {
  const node = await launchedNode(host);
  const [docker, usedBlocks, nftComplaint, wireguardGo, ports, processes, disk, clock] =
    await Promise.all([
      dockerState(host),
      usedBlocksOf(host),
      nftComplaintOf(host),
      wireguardGoOf(host),
      isNodeUp ? undefined : takenPortsOf(host, node),
      node === undefined ? [] : processStates(host, node),
      diskOf(host),
      clockFacts(host.folders),
    ]);
  return {
    isRoot: host.isRoot,
    launched: node && { id: node.id, name: node.name },
    isEncrypted: node?.encryption !== "none",
    subnet: node?.subnet ?? DEFAULT_SUBNET,
    isStopped: existsSync(host.paths.stoppedMark),
    docker,
    usedBlocks,
    missingTools: missingTools(
      neededTools(node?.encryption ?? "wireguard", host.kernelHasWireguard),
      host.folders,
    ),
    kernelHasWireguard: host.kernelHasWireguard,
    hasTun: existsSync("/dev/net/tun"),
    nftComplaint,
    wireguardGo,
    takenPorts: ports,
    storeStrangers: host.isRoot
      ? storeStrangers(storePlaces(node), storeFiles(host.paths).config)
      : undefined,
    gcThresh3: sysctl("net/ipv4/neigh/default/gc_thresh3"),
    ipForward: sysctl("net/ipv4/ip_forward"),
    processes,
    pluginSpec: pluginSpecOf(host),
    disk: disk.room,
    fsyncMs: disk.fsyncMs,
    clock,
  };
}

/** Undefined also when only root may know. */
async function launchedNode({ paths }: ThisHost): Promise<NodeFile | undefined> {
  try {
    return await loadNodeFile(paths.nodeFile);
  } catch (error) {
    if (isErrno(error, "EACCES") || isErrno(error, "EPERM")) return undefined;
    throw error;
  }
}

async function dockerState({ dockerHost }: ThisHost): Promise<DockerState> {
  try {
    // Tells in the user's words what is wrong with DOCKER_HOST and its socket.
    await dockerNetworks(dockerHost);
    const { version, firewall, liveRestore } = await new HttpEngine().info();
    return { kind: "there", version, firewall, liveRestore };
  } catch (error) {
    return { kind: "away", error: asHansaError(error) };
  }
}

async function usedBlocksOf({ dockerHost }: ThisHost): Promise<HostFacts["usedBlocks"]> {
  const routes = usedByRoutes(await readFile("/proc/net/route", "latin1"));
  try {
    const networks = usedByDocker(await dockerNetworks(dockerHost));
    // A network of Docker has a route of its own: one finding is enough.
    const named = new Set(networks.map(({ block }) => `${block.base}/${block.prefix}`));
    return [
      ...networks,
      ...routes.filter(({ block }) => !named.has(`${block.base}/${block.prefix}`)),
    ];
  } catch (error) {
    // That Docker is away is a finding of its own.
    if (error instanceof HansaError) return routes;
    throw error;
  }
}

async function nftComplaintOf(host: ThisHost): Promise<string | null | undefined> {
  const nft = findTool("nft", host.folders);
  if (nft === undefined || !host.isRoot) return undefined;
  const { status, stderr } = await run([nft, "list", "tables"]);
  return status === 0 ? null : (stderr.trim().split("\n")[0] ?? "").slice(0, 200);
}

/** Of the one that runs, which an upgrade of the package does not change. */
async function wireguardGoOf(host: ThisHost): Promise<string | undefined> {
  if (host.kernelHasWireguard) return undefined;
  const running = readPidFile(pidFile(host.paths, "tunnel"));
  const path = running && wireguardGoExecutable(running.pid);
  const program = path ?? findTool("wireguard-go", host.folders);
  if (program === undefined) return undefined;
  const { status, stdout } = await run([program, "--version"]);
  return status === 0 ? stdout.slice(0, 500) : undefined;
}

function wireguardGoExecutable(pid: number): string | undefined {
  const path = `/proc/${pid}/exe`;
  try {
    return readlinkSync(path).includes("wireguard-go") ? path : undefined;
  } catch (error) {
    // It has just ended, or is not ours to look at.
    if (["ENOENT", "EACCES", "EPERM", "ESRCH"].some((errno) => isErrno(error, errno)))
      return undefined;
    throw error;
  }
}

async function takenPortsOf(host: ThisHost, node: NodeFile | undefined): Promise<TakenPort[]> {
  const ours = ["daemon", "tunnel", "ipam-plugin"].flatMap(
    (name) => readPidFile(pidFile(host.paths, name))?.pid ?? [],
  );
  const taken: TakenPort[] = [];
  for await (const port of takenPorts(node?.ports ?? DEFAULT_PORTS, new Set(ours)))
    taken.push(port);
  return taken;
}

/** Where the node's etcd listens, or would; before a launch the node has no address. */
function storePlaces(node: NodeFile | undefined): StorePlace[] {
  const { raft, store } = storePorts(node?.ports ?? DEFAULT_PORTS);
  const inside = node && formatIpv4(nodeAddress(addressPlan(node.subnet), node.id));
  return [
    { host: "127.0.0.1", port: store },
    ...(inside === undefined ? [] : [{ host: inside, port: raft }]),
  ];
}

async function processStates(host: ThisHost, node: NodeFile): Promise<ProcessState[]> {
  const names = host.processes(node).map(({ name }) => name);
  if (hasSystemd(host.paths)) {
    return Promise.all(
      names.map(async (name) => {
        const unit = UNIT_OF[name] ?? name;
        const { status } = await run(["systemctl", "is-active", "--quiet", unit]);
        return { name, isRunning: status === 0, by: `systemctl is-active ${unit}` };
      }),
    );
  }
  return [...names, "supervise"].map((name) => {
    const path = pidFile(host.paths, name);
    return { name, isRunning: readPidFile(path) !== undefined, by: path };
  });
}

function pluginSpecOf({ paths }: ThisHost): PluginSpec {
  const { pluginSpec: path, ipamSocket } = paths;
  return { path, expected: `unix://${ipamSocket}`, found: textOf(path) };
}

/** null: there is no such file; undefined: it is not ours to read. */
function textOf(path: string): string | null | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return null;
    if (isErrno(error, "EACCES") || isErrno(error, "EPERM")) return undefined;
    throw error;
  }
}

function sysctl(path: string): number | undefined {
  const text = textOf(`/proc/sys/${path}`);
  return text === null || text === undefined ? undefined : Number(text);
}

/** Of the state's folder, or before a launch of the nearest one above it that exists. */
async function diskOf({ paths, isRoot }: ThisHost): Promise<{
  readonly room: DiskFacts | undefined;
  readonly fsyncMs: readonly number[] | undefined;
}> {
  let path = paths.stateDir;
  while (!existsSync(path) && path !== "/") path = dirname(path);
  const { bsize, bavail, blocks, ffree, files } = await statfs(path);
  const room = {
    path,
    freeBytes: bsize * bavail,
    totalBytes: bsize * blocks,
    freeInodes: ffree,
    totalInodes: files,
  };
  const canWrite = isRoot && path === paths.stateDir;
  return { room, fsyncMs: canWrite ? await timeWrites(path) : undefined };
}

/** Undefined on a full or read-only disk, which is somebody else's finding. */
async function timeWrites(folder: string): Promise<number[] | undefined> {
  const path = join(folder, `.doctor-${process.pid}`);
  const times: number[] = [];
  try {
    const file = await open(path, "w", 0o600);
    try {
      for (let index = 0; index < FSYNCS; index += 1) {
        const startMs = performance.now();
        await file.write("fsync", 0);
        await file.sync();
        times.push(performance.now() - startMs);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, "ENOSPC") || isErrno(error, "EROFS") || isErrno(error, "EDQUOT")) {
      return undefined;
    }
    throw error;
  } finally {
    await rm(path, { force: true });
  }
  return times;
}

async function run(argv: readonly string[]): Promise<{
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}> {
  try {
    return await systemCommand.run(argv, { timeoutMs: COMMAND_MS });
  } catch (error) {
    // A program that is missing or hangs is an answer too.
    return { status: -1, stdout: "", stderr: codedSentence(error) };
  }
}

function asHansaError(error: unknown): HansaError {
  if (error instanceof HansaError) return error;
  return new HansaError("DOCKER_UNREACHABLE", `Docker does not answer (${error})`);
}
