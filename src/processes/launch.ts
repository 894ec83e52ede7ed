/**
 * `hansa launch`: makes the host a node and starts it.
 *
 * Invariants: what is refused has changed nothing; node.json, written after identity.json, is the moment at which the host becomes a
 * node; a crash at any moment is mended by the same launch again. The checks run beside the key derivation, which costs more
 * than all of them.
 */

import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { HansaError } from "../errors.ts";
import { atomicWrite, ensureDir, readIfExists } from "../host/files.ts";
import { createIdentity, type Identity, tokenMatches } from "../identity/identity.ts";
import { loadIdentity, saveIdentity } from "../identity/identity-file.ts";
import { parseCidr } from "../values/cidr.ts";
import type { NodeId } from "../values/node-id.ts";
import { formatNodeLinks, type NodeLink } from "../values/node-link.ts";
import { dockerNetworks } from "./docker-reach.ts";
import { neededTools, requireTools } from "./host-tools.ts";
import { refuseOtherLaunch, requestedNode, requireOwnLinks } from "./launch-request.ts";
import {
  type Encryption,
  loadNodeFile,
  type NodeFile,
  type Ports,
  saveNodeFile,
} from "./node-file.ts";
import { pidFile } from "./paths.ts";
import { readPidFile } from "./pid-file.ts";
import { daemonAnswers } from "./readiness.ts";
import { startNode } from "./start-node.ts";
import { makeDirectories } from "./start-process.ts";
import { endProcess } from "./stop.ts";
import { requireFreeSubnet, usedByDocker, usedByRoutes } from "./subnet-collision.ts";
import { hasSystemd, restartUnits } from "./systemd.ts";
import { requireFreePorts } from "./taken-ports.ts";
import { type ThisHost, thisHost } from "./this-host.ts";
import { refuseWitness } from "./witness-home.ts";

/** What a node is to be. What is left out has its default at the first launch, and its stored value later. */
export interface NodeRequest {
  readonly id: NodeId;
  readonly cluster?: string | undefined;
  readonly subnet?: string | undefined;
  readonly name?: string | undefined;
  readonly links?: readonly NodeLink[] | undefined;
  readonly ports?: Partial<Ports> | undefined;
  readonly encryption?: Encryption | undefined;
  readonly domain?: string | undefined;
  readonly certificateAddresses?: readonly string[] | undefined;
  /** HOST[:PORT] each; added to those of earlier launches. */
  readonly targets: readonly string[];
}

export interface LaunchOptions extends NodeRequest {
  readonly token: string;
  /** Told what takes time, in a few words each. */
  readonly onProgress?: ((text: string) => void) | undefined;
  /** Hands the targets to the running daemon, which owns them; not called while it does not run. */
  readonly addTargets?: ((targets: readonly string[]) => Promise<void>) | undefined;
}

export interface LaunchResult {
  /** The node had been launched before, with the same id and token. */
  readonly already: boolean;
  readonly node: NodeFile;
}

/**
 * Launches this host as a node, or brings an already launched one up again and adds targets.
 *
 * Throws, with nothing changed: ROOT_REQUIRED, USAGE, HOST_IS_WITNESS, DOCKER_UNREACHABLE, TOOL_MISSING, PORT_TAKEN, SUBNET_COLLISION, LAUNCH_DIFFERS,
 * TOKEN_DIFFERS, STATE_DAMAGED and the IPAM codes of bad subnets. Throws NODE_NOT_RUNNING when the daemon does not come up after all.
 */
export async function launch(
  options: LaunchOptions,
  host: ThisHost = thisHost(),
): Promise<LaunchResult> {
  if (!host.isRoot) {
    throw new HansaError("ROOT_REQUIRED", "launch needs root privileges: it sets up the network");
  }
  const requested = requestedNode(options, hostname());
  if (options.token === "") throw new HansaError("USAGE", "missing required parameter: token");
  const stored = await loadNodeFile(host.paths.nodeFile);
  if (stored !== undefined) return launchAgain(options, stored, host);
  const identity = (): Promise<Identity> => firstIdentity(options, requested, host);
  await launchFirst(requested, identity, host, options.onProgress);
  return { already: false, node: requested };
}

/**
 * Makes a host that is no node the node `node`, with the identity that `identityOf` makes while the host is looked at, and starts it. Throws as
 * `launch` does.
 */
export async function launchFirst(
  node: NodeFile,
  identityOf: () => Promise<Identity>,
  host: ThisHost,
  onProgress: (text: string) => void = () => undefined,
): Promise<void> {
  refuseWitness(host.paths);
  requireTools(neededTools(node.encryption, host.kernelHasWireguard), host.folders);
  onProgress("deriving the cluster's keys");
  const [identity] = await Promise.all([identityOf(), checkHost(node, host)]);
  await makeDirectories(host.paths);
  await saveIdentity(host.paths.stateDir, identity);
  await saveNodeFile(host.paths.nodeFile, node);
  await writePluginSpec(host);
  onProgress("starting");
  await startNode(node, host, onProgress);
}

async function launchAgain(
  options: LaunchOptions,
  stored: NodeFile,
  host: ThisHost,
): Promise<LaunchResult> {
  const { paths } = host;
  refuseOtherLaunch(options, stored);
  const identity = await loadIdentity(paths.stateDir);
  if (identity === undefined) {
    throw new HansaError("STATE_DAMAGED", `${paths.stateDir} has lost its identity.json`, {
      hint: "restore it from a backup, or start over with hansa reset",
    });
  }
  options.onProgress?.("checking the token");
  const [matches, runs] = await Promise.all([
    tokenMatches(identity, options.token, stored.cluster),
    daemonAnswers(paths.apiSocket),
  ]);
  if (!matches) {
    const text = `the node was launched before into the cluster ${stored.cluster} with another token`;
    throw new HansaError("TOKEN_DIFFERS", text);
  }
  let node = stored;
  const links = otherLinks(options, stored);
  if (runs) {
    if (options.targets.length > 0) await options.addTargets?.(options.targets);
  } else {
    requireTools(neededTools(stored.encryption, host.kernelHasWireguard), host.folders);
    await requireFreePorts(stored.ports, ourPids(host));
    node = { ...stored, targets: [...new Set([...stored.targets, ...options.targets])] };
    if (node.targets.length > stored.targets.length) await saveNodeFile(paths.nodeFile, node);
  }
  if (links !== undefined) node = await changeLinks(links, node, host, options.onProgress);
  await writePluginSpec(host);
  await startNode(node, host, options.onProgress);
  return { already: true, node };
}

/** The links asked for, where they are not those that the node has. Throws USAGE. */
function otherLinks(options: LaunchOptions, stored: NodeFile): NodeFile["links"] | undefined {
  if (options.links === undefined) return undefined;
  const { links } = requestedNode({ ...options, subnet: stored.subnet }, stored.name);
  if (formatNodeLinks(links) === formatNodeLinks(stored.links)) return undefined;
  requireOwnLinks(links, networkInterfaces());
  return links;
}

/** The daemon reads its links when it starts; containers and their traffic outlive that. */
async function changeLinks(
  links: NodeFile["links"],
  known: NodeFile,
  { paths }: ThisHost,
  onProgress: (text: string) => void = () => undefined,
): Promise<NodeFile> {
  // The daemon has written targets meanwhile.
  const node = { ...((await loadNodeFile(paths.nodeFile)) ?? known), links };
  await saveNodeFile(paths.nodeFile, node);
  onProgress("changing the links");
  if (hasSystemd(paths)) await restartUnits(["daemon"], paths);
  else {
    const running = readPidFile(pidFile(paths, "daemon"));
    if (running) await endProcess("daemon", running);
  }
  return node;
}

/** The identity of a launch that died before node.json was written is taken up again, when its token was this one. */
async function firstIdentity(
  { token }: LaunchOptions,
  { cluster }: NodeFile,
  host: ThisHost,
): Promise<Identity> {
  const left = await loadIdentity(host.paths.stateDir);
  if (left !== undefined && (await tokenMatches(left, token, cluster))) return left;
  return createIdentity({ token, cluster });
}

/** What a host must have for its first launch, whatever its cluster is like. Writes nothing. */
export async function checkPlace(
  { ports, links }: Pick<NodeFile, "ports" | "links">,
  host: ThisHost,
): Promise<void> {
  refuseWitness(host.paths);
  await requireFreePorts(ports, ourPids(host));
  requireOwnLinks(links, networkInterfaces());
}

/** What a host must have for its first launch. Writes nothing. */
async function checkHost(node: NodeFile, host: ThisHost): Promise<void> {
  await checkPlace(node, host);
  const subnet = parseCidr(node.subnet);
  if (subnet === undefined) throw new HansaError("INTERNAL", "a checked subnet is malformed");
  requireFreeSubnet(subnet, usedByRoutes(await readFile("/proc/net/route", "latin1")));
  requireFreeSubnet(subnet, usedByDocker(await dockerNetworks(host.dockerHost)));
}

/** Docker finds the plugin's socket by this file also when /run is empty, as after a boot. */
async function writePluginSpec(host: ThisHost): Promise<void> {
  const { pluginSpec, ipamSocket } = host.paths;
  const text = `unix://${ipamSocket}`;
  if (new TextDecoder().decode(await readIfExists(pluginSpec)) === text) return;
  await ensureDir(dirname(pluginSpec), 0o755);
  await atomicWrite(pluginSpec, text, 0o644);
}

/** Ports held by processes of ours that outlived an earlier launch are in nobody's way. */
function ourPids(host: ThisHost): Set<number> {
  const names = ["daemon", "tunnel", "ipam-plugin"];
  return new Set(names.flatMap((name) => readPidFile(pidFile(host.paths, name))?.pid ?? []));
}
