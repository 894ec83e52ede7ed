/**
 * membership.json: what the daemon must not forget about the cluster. Not the targets: those are the user's and lie in node.json.
 *
 * The incarnation is written before anything that relies on it is sent, so writing is synchronous and on disk when it returns. The nodes
 * are remembered with their tunnel keys, so that a daemon that restarts in a partition keeps the tunnels of those it cannot hear.
 */
import { atomicWriteSync, readJson } from "../../host/files.ts";
import { type Departure, isDeparture } from "../../membership/departures.ts";
import { type KnownPeer, readDialerState } from "../../membership/dialer-state.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";

/** A node that was met once: enough to keep its tunnel and to name it. */
export interface RememberedNode {
  readonly id: NodeId;
  readonly name: string;
  readonly keyFingerprint: string;
  /** Base64 of 32 bytes. */
  readonly wireguardKey: string;
  /** Where its tunnel listens. */
  readonly endpoint: Endpoint;
  /** The number of the link on which it was reached last; absent where there is no choice. */
  readonly link?: number;
  /** Its address there; absent: that of the endpoint. */
  readonly linkAddress?: string;
}

export interface MembershipFile {
  readonly version: 1;
  readonly incarnation: number;
  readonly peers: readonly KnownPeer[];
  readonly nodes: readonly RememberedNode[];
  /** Members gone for good; absent from files of before there were any. */
  readonly departed: readonly Departure[];
}

export const NO_MEMBERSHIP: MembershipFile = {
  version: 1,
  incarnation: 0,
  peers: [],
  nodes: [],
  departed: [],
};

/** What `path` holds; entries that are malformed are left out. Throws STATE_DAMAGED when it is no JSON of ours. */
export async function loadMembershipFile(path: string): Promise<MembershipFile> {
  const file = await readJson(path, { parse: readFile });
  return file ?? NO_MEMBERSHIP;
}

function readFile(value: unknown): MembershipFile {
  const file = value as Partial<Record<keyof MembershipFile, unknown>>;
  const { version, incarnation, nodes, departed } = file;
  if (version !== 1 || !Number.isSafeInteger(incarnation)) throw new RangeError("membership.json");
  return {
    version: 1,
    incarnation: Number(incarnation),
    peers: readDialerState(value).peers,
    nodes: Array.isArray(nodes) ? nodes.filter(isNode) : [],
    departed: Array.isArray(departed) ? departed.filter(isDeparture) : [],
  };
}

function isNode(value: unknown): value is RememberedNode {
  const node = value as Partial<Record<keyof RememberedNode, unknown>> | null;
  if (typeof node !== "object" || node === null) return false;
  const endpoint = node.endpoint as Partial<Endpoint> | undefined;
  return (
    Number.isInteger(node.id) &&
    typeof node.name === "string" &&
    typeof node.keyFingerprint === "string" &&
    typeof node.wireguardKey === "string" &&
    (node.link === undefined || Number.isInteger(node.link)) &&
    (node.linkAddress === undefined || typeof node.linkAddress === "string") &&
    typeof endpoint?.ip === "string" &&
    Number.isInteger(endpoint.port)
  );
}

/** Replaces the file: whole or not at all, on disk when it returns; mode 0600. Throws STATE_UNWRITABLE. */
export function saveMembershipFile(path: string, file: MembershipFile): void {
  atomicWriteSync(path, `${JSON.stringify(file)}\n`, 0o600);
}
