/**
 * Which nodes the cluster has, as written down in the store, and the count of how often that changed. Pure.
 *
 * Invariant: each change of the registry is one commit together with the number of the configuration, on the condition that neither moved: so each node that
 * joins or is removed counts once, whoever writes it and how many join at one time.
 */
import type { NodeId } from "../values/node-id.ts";
import { MAX_NODE_ID } from "../values/node-id.ts";
import type { Entry, Revision, Transaction } from "./store.ts";

/** Below it one entry for each node, named by its id. What users write lies elsewhere. */
export const NODES_PREFIX = "cluster/nodes/";
export const CLUSTER_NAME_KEY = "cluster/name";
/** A number: one more with each node that joined or was removed. */
export const CONFIG_VERSION_KEY = "cluster/config-version";

export interface RegisteredNode {
  readonly id: NodeId;
  readonly name: string;
  /** The member's name in gossip: the id and the node's key. */
  readonly member: string;
}

/** A node as gossip knows it. */
export interface SeenNode extends RegisteredNode {
  readonly isHeard: boolean;
  /** It has been heard under this name for a while. */
  readonly isSteady: boolean;
}

export interface Registered extends RegisteredNode {
  readonly revision: Revision;
}

export type RegistryStep =
  | { readonly step: "register"; readonly node: RegisteredNode; readonly revision: Revision }
  | { readonly step: "strike"; readonly node: RegisteredNode; readonly revision: Revision };

const MAX_BYTES = 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/;
const MEMBER = /^[1-9]\d{0,4}-[0-9a-f]{8}$/;

/** The next change that the registry needs; undefined: it says what gossip says. `departed` has names of members that are gone for good. */
export function nextRegistryStep(
  registered: ReadonlyMap<NodeId, Registered>,
  seen: readonly SeenNode[],
  departed: ReadonlySet<string>,
): RegistryStep | undefined {
  for (const { id, name, member, isHeard, isSteady } of seen) {
    if (!isHeard || departed.has(member)) continue;
    const entry = registered.get(id);
    const node = { id, name, member };
    if (entry === undefined) return { step: "register", node, revision: 0n };
    // Another host with this id: certain only when no twin is about to take it back.
    if (entry.member !== member && isSteady) {
      return { step: "register", node, revision: entry.revision };
    }
  }
  for (const { revision, ...node } of registered.values()) {
    if (departed.has(node.member)) return { step: "strike", node, revision };
  }
  return undefined;
}

/** The one commit of a step, with the number of the configuration as it was just read. */
export function registryCommit(
  { step, node, revision }: RegistryStep,
  version: Entry | undefined,
): Transaction {
  const key = NODES_PREFIX + node.id;
  return {
    conditions: [
      { key, revision },
      { key: CONFIG_VERSION_KEY, revision: version?.revision ?? 0n },
    ],
    writes: [
      step === "register" ? { type: "put", key, value: encodeNode(node) } : { type: "remove", key },
      { type: "put", key: CONFIG_VERSION_KEY, value: bytesOf(`${versionIn(version) + 1}`) },
    ],
  };
}

/** The first commit of a store: its name, number 1, and the node that made it. */
export function firstCommit(name: string, node: RegisteredNode): Transaction {
  return {
    conditions: [{ key: CLUSTER_NAME_KEY, revision: 0n }],
    writes: [
      { type: "put", key: CLUSTER_NAME_KEY, value: bytesOf(name) },
      { type: "put", key: CONFIG_VERSION_KEY, value: bytesOf("1") },
      { type: "put", key: NODES_PREFIX + node.id, value: encodeNode(node) },
    ],
  };
}

/** The number of the configuration; 0 where none is written. */
export function versionIn(entry: Pick<Entry, "value"> | undefined): number {
  const number = Number(new TextDecoder().decode(entry?.value));
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}

/** The nodes of a registry, by id; an entry that is none is left out. */
export function registeredNodes(entries: readonly Entry[]): Map<NodeId, Registered> {
  const nodes = new Map<NodeId, Registered>();
  for (const { key, value, revision } of entries) {
    const node = decodeNode(value);
    if (node && key === NODES_PREFIX + node.id) nodes.set(node.id, { ...node, revision });
  }
  return nodes;
}

function encodeNode({ name, member }: RegisteredNode): Uint8Array {
  return bytesOf(JSON.stringify({ version: 1, name, member }));
}

/** Undefined for anything else than what `encodeNode` writes. */
export function decodeNode(bytes: Uint8Array): RegisteredNode | undefined {
  if (bytes.length > MAX_BYTES) return undefined;
  const fields = jsonOf(bytes);
  const { version, name, member } = fields ?? {};
  if (version !== 1 || typeof name !== "string" || typeof member !== "string") return undefined;
  if (!NAME.test(name) || !MEMBER.test(member)) return undefined;
  const id = Number.parseInt(member, 10);
  return id <= MAX_NODE_ID ? { id, name, member } : undefined;
}

function jsonOf(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
