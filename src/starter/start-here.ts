/**
 * `hansa start` and `hansa stop`, as root does them for a member of the group.
 *
 * Invariants: what is refused has changed nothing, neither here nor in the cluster that was to be joined; a join asks the cluster only when the host
 * could be launched; the cluster's roots and this node's private keys stay in this process and in identity.json. A join that died after the
 * cluster answered is taken up with the same key, for which the cluster keeps the id.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { codedSentence, HansaError, isHansaError } from "../errors.ts";
import { createIdentity, type Identity } from "../identity/identity.ts";
import { loadIdentity } from "../identity/identity-file.ts";
import { createNodeKey, createWireguardKey, type KeyPair } from "../identity/node-key.ts";
import { createOneTimeKey, openRoots, proveNodeKey } from "../identity/sealed-roots.ts";
import { dockerNetworks } from "../processes/docker-reach.ts";
import { neededTools, requireTools } from "../processes/host-tools.ts";
import { checkPlace, launchFirst, type NodeRequest } from "../processes/launch.ts";
import { requestedNode } from "../processes/launch-request.ts";
import { DEFAULT_PORTS, loadNodeFile, type NodeFile } from "../processes/node-file.ts";
import { type Left, reset } from "../processes/reset.ts";
import { startNode } from "../processes/start-node.ts";
import { stopNode } from "../processes/stop.ts";
import { storePorts } from "../processes/store-process.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { formatNodeLinks } from "../values/node-link.ts";
import type { Admission, JoinQuestion } from "./admission.ts";
import {
  DEFAULT_DOMAIN,
  DEFAULT_NODE_NAME,
  type StartRequest,
  type StopRequest,
} from "./start-request.ts";

/** The one who asked, while the work is done. */
export interface Asker {
  /** A few words about what takes time. */
  progress(text: string): void;
  /** Has a cluster admit this host. Rejects with the cluster's refusal, or when the asker is gone. */
  admit(question: JoinQuestion): Promise<Admission>;
  /** Has the running daemon make the store of a new cluster, which is to be named after it. */
  makeStore(cluster: string): Promise<void>;
}

/** The node key of a join that came to nothing, as long as the starter lives: what the cluster promised to it is then this host's again. */
export interface JoinMemory {
  nodeKey?: KeyPair;
}

export interface StartResult {
  /** The host was a node before, and was only started. */
  readonly already: boolean;
  readonly node: NodeFile;
  /** What the user has to know, one sentence each. */
  readonly notes: readonly string[];
}

export interface StopResult {
  /** Undefined when the host is no node. */
  readonly id: number | undefined;
  readonly notes: readonly string[];
}

/** 192 bits. */
const TOKEN_BYTES = 24;

/** Makes this host a node as `launch` does, or starts the node that it is. Throws as `launch` does, and whatever the asker's `admit` rejects with. */
export async function startHere(
  request: StartRequest,
  host: ThisHost,
  asker: Asker,
  memory: JoinMemory = {},
): Promise<StartResult> {
  const stored = await loadNodeFile(host.paths.nodeFile);
  if (stored !== undefined) {
    refuseOtherStart(request, stored);
    await startNode(stored, host, asker.progress);
    return { already: true, node: stored, notes: [] };
  }
  if (request.join) {
    return { already: false, node: await joinCluster(request, host, asker, memory), notes: [] };
  }
  const node = await makeCluster(request, host, asker);
  return { already: false, node, notes: await makeStore(node, asker) };
}

/** A node without a store is one all the same: what keeps it is told, and `hansa create` makes it later. */
async function makeStore({ cluster }: NodeFile, asker: Asker): Promise<string[]> {
  asker.progress("making the store");
  try {
    await asker.makeStore(cluster);
    return [];
  } catch (error) {
    if (!isHansaError(error)) throw error;
    return [`the store was not made (hansa create NAME makes it later): ${codedSentence(error)}`];
  }
}

/** Ends the node's processes, or with `leave` takes it out of its cluster and off this host. Throws as `stopNode` and `reset` do. */
export async function stopHere(
  { leave }: StopRequest,
  host: ThisHost,
  tellCluster: () => Promise<Left>,
  progress: (text: string) => void,
): Promise<StopResult> {
  if (leave) return reset({ force: false, leave: tellCluster, onProgress: progress }, host);
  const node = await loadNodeFile(host.paths.nodeFile);
  if (node === undefined) {
    throw new HansaError("NODE_NOT_LAUNCHED", "there is nothing to stop: this host is no node");
  }
  progress("stopping the node");
  await stopNode(host);
  return { id: node.id, notes: [] };
}

async function makeCluster(request: StartRequest, host: ThisHost, asker: Asker): Promise<NodeFile> {
  const { name = DEFAULT_NODE_NAME, cluster } = request;
  const node = requestedNode({ ...wishes(request), id: 1, name, cluster, targets: [] }, hostname());
  const identity = async (): Promise<Identity> => {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    return { ...(await createIdentity({ token, cluster: node.cluster })), token };
  };
  await launchFirst(node, identity, host, asker.progress);
  return node;
}

async function joinCluster(
  request: StartRequest,
  host: ThisHost,
  asker: Asker,
  memory: JoinMemory,
): Promise<NodeFile> {
  const { name = DEFAULT_NODE_NAME, links = [] } = request;
  // All that can be held against this host before the cluster is asked.
  const trial = requestedNode({ ...wishes(request), id: 1, name, targets: [] }, hostname());
  requireTools(neededTools("none", host.kernelHasWireguard), host.folders);
  await checkPlace({ ports: { ...DEFAULT_PORTS, ...request.ports }, links }, host);
  await dockerNetworks(host.dockerHost);
  return await takePlace({ ...wishes(request), name: trial.name }, host, asker, memory);
}

/**
 * Has the cluster give this host its place, and launches it there. What can be held against the host was checked before. Throws as `launch` does, and whatever
 * `admit` rejects with.
 */
export async function takePlace(
  wished: Omit<NodeRequest, "id" | "targets"> & { readonly name: string },
  host: ThisHost,
  { progress, admit }: Pick<Asker, "progress" | "admit">,
  memory: JoinMemory = {},
): Promise<NodeFile> {
  const left = await loadIdentity(host.paths.stateDir);
  const nodeKey = left?.nodeKey ?? memory.nodeKey ?? createNodeKey();
  memory.nodeKey = nodeKey;
  const oneTime = createOneTimeKey();
  progress("asking the cluster to take this host in");
  const proof = proveNodeKey(nodeKey, oneTime.publicKey, wished.name);
  const admission = await admit({
    ...{ name: wished.name, nodeKey: nodeKey.publicKey, oneTimeKey: oneTime.publicKey, proof },
  });
  const { id, sealed, cluster, subnet, encryption, targets } = admission;
  const joiner = { nodeKey: nodeKey.publicKey, oneTimeKey: oneTime.publicKey, id };
  const secrets = openRoots(sealed, joiner, oneTime);
  const place = { id, name: admission.name, cluster, subnet, encryption, targets };
  const node = requestedNode({ ...wished, ...place }, hostname());
  const wireguard = left?.wireguard ?? createWireguardKey();
  const identity: Identity = { ...secrets, nodeKey, wireguard, binding: left?.binding ?? 0 };
  await launchFirst(node, async () => identity, host, progress);
  delete memory.nodeKey;
  return node;
}

/** What the asker wishes for its own host. */
function wishes(request: StartRequest): Omit<NodeRequest, "id" | "targets"> {
  const { domain = DEFAULT_DOMAIN, addresses, subnet, links, ports } = request;
  return { domain, certificateAddresses: addresses, subnet, links, ports };
}

/** Throws LAUNCH_DIFFERS when what is asked for differs from what the host was started as. */
function refuseOtherStart(request: StartRequest, stored: NodeFile): void {
  const who = `this host is node ${stored.id} (${stored.name}) of the cluster ${stored.cluster}`;
  // Who joined was told whom to dial; who made its cluster was told nobody.
  if (request.join && stored.targets.length === 0) {
    throw new HansaError("LAUNCH_DIFFERS", `${who}, and cannot join another`);
  }
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["name", request.name, stored.name],
    ["domain", request.domain, stored.domain],
    ["address", request.addresses?.join(","), stored.certificateAddresses?.join(",")],
    ["cluster", request.cluster, stored.cluster],
    ["subnet", request.subnet, stored.subnet],
    ["links", request.links && formatNodeLinks(request.links), formatNodeLinks(stored.links)],
    ["gossip port", request.ports?.gossip, stored.ports.gossip],
    ["overlay port", request.ports?.overlay, stored.ports.overlay],
    ["api port", request.ports?.api, stored.ports.api],
    ["raft port", request.ports?.raft, storePorts(stored.ports).raft],
    ["store port", request.ports?.store, storePorts(stored.ports).store],
  ];
  for (const [what, given, existing] of pairs) {
    if (given === undefined || given === existing) continue;
    const text = `${who}: its ${what} is ${existing ?? "not set"}, not ${given}`;
    throw new HansaError("LAUNCH_DIFFERS", text);
  }
}
