/**
 * node.json: what `launch` was told. Its presence is what makes a host a launched node.
 *
 * Invariant: what is read back is complete and in range, or refused as STATE_DAMAGED naming the field; it holds no secret.
 */
import { isIP } from "node:net";
import { HansaError } from "../errors.ts";
import { atomicWrite, readJson } from "../host/files.ts";
import { isClusterName } from "../identity/roots.ts";
import { DEFAULT_API_PORT } from "../values/api-port.ts";
import { parseCidr } from "../values/cidr.ts";
import { isDnsName } from "../values/dns-name.ts";
import { parseTarget } from "../values/endpoint.ts";
import { MAX_NODE_ID, type NodeId } from "../values/node-id.ts";
import { arePlain, isNodeLink, MAX_LINKS, type NodeLink, plainLinks } from "../values/node-link.ts";

export type Encryption = "wireguard" | "none";

/** What carries packets between the hosts of a cluster with that encryption. */
export function backendOf(encryption: Encryption): "wireguard" | "vxlan" {
  return encryption === "none" ? "vxlan" : "wireguard";
}

export interface Ports {
  /** TCP and UDP. */
  readonly gossip: number;
  /** UDP; TCP of the same number is the relay's. */
  readonly overlay: number;
  /** TCP: the API for other machines. */
  readonly api: number;
  /** The store's, where they are not the usual ones: see `storePorts`. */
  readonly raft?: number;
  readonly store?: number;
}

export const DEFAULT_PORTS: Ports = { gossip: 6783, overlay: 6784, api: DEFAULT_API_PORT };
export const DEFAULT_CLUSTER = "hansa";

/** Of a file whose links have numbers or priorities of their own. */
const NEWEST_FORMAT = 2;

export interface NodeFile {
  /** Of this record, not of the file. */
  readonly version: 1;
  readonly id: NodeId;
  readonly name: string;
  readonly cluster: string;
  /** CIDR text. */
  readonly subnet: string;
  /** As the user gave them, each once, in the order given. */
  readonly targets: readonly string[];
  /** Own addresses to announce, at most 8, by number; empty: one, found by the daemon. */
  readonly links: readonly NodeLink[];
  readonly ports: Ports;
  readonly encryption: Encryption;
  /** The DNS name that the API's certificate is valid for, beside those of loopback; absent: the node's name. */
  readonly domain?: string;
  /** More addresses in that certificate, for example that of a router before the node. */
  readonly certificateAddresses?: readonly string[];
}

/** The node file at `path`, or undefined when the host was never launched. Throws STATE_DAMAGED. */
export async function loadNodeFile(path: string): Promise<NodeFile | undefined> {
  const value = await readJson(path);
  return value === undefined ? undefined : decode(path, value);
}

/** Replaces the node file: whole or not at all, on disk before it returns. Its directory must exist. */
export async function saveNodeFile(path: string, node: NodeFile): Promise<void> {
  // What addresses alone tell is written as them, so that a build that knows nothing else goes on reading it.
  const file = arePlain(node.links)
    ? { ...node, links: node.links.map(({ address }) => address) }
    : { ...node, version: NEWEST_FORMAT };
  await atomicWrite(path, `${JSON.stringify(file, null, 2)}\n`, 0o600);
}

function decode(path: string, value: unknown): NodeFile {
  const check = (field: string, good: boolean): void => {
    if (good) return;
    throw new HansaError("STATE_DAMAGED", `${path} is damaged: ${field} is missing or malformed`);
  };
  check("the file", typeof value === "object" && value !== null && !Array.isArray(value));
  const file = value as Record<string, unknown>;
  if (file["version"] !== 1 && file["version"] !== NEWEST_FORMAT) {
    throw new HansaError("STATE_DAMAGED", `${path} has a version that this hansa does not know`, {
      hint: "run the hansa version that wrote it, or a newer one",
    });
  }
  const { id, name, cluster, subnet, targets, links, ports, encryption } = file;
  const { domain, certificateAddresses } = file;
  check("id", isWhole(id, MAX_NODE_ID));
  check("name", typeof name === "string" && name.length > 0 && name.length <= 253);
  check("cluster", typeof cluster === "string" && isClusterName(cluster));
  check("subnet", typeof subnet === "string" && parseCidr(subnet) !== undefined);
  check("targets", isTexts(targets) && targets.every((each) => parseTarget(each) !== undefined));
  check("links", areLinks(links));
  check("encryption", encryption === "wireguard" || encryption === "none");
  check("domain", domain === undefined || (typeof domain === "string" && isDnsName(domain)));
  check(
    "certificateAddresses",
    certificateAddresses === undefined ||
      (isTexts(certificateAddresses) && certificateAddresses.every((each) => isIP(each) !== 0)),
  );
  check("ports", typeof ports === "object" && ports !== null);
  // Earlier builds knew two ports.
  const {
    gossip,
    overlay,
    api = DEFAULT_PORTS.api,
    raft,
    store,
  } = ports as Record<string, unknown>;
  check(
    "ports",
    [gossip, overlay, api].every((port) => isWhole(port, 65535)) &&
      [raft, store].every((port) => port === undefined || isWhole(port, 65535)),
  );
  return {
    version: 1,
    id: id as number,
    name: name as string,
    cluster: cluster as string,
    subnet: subnet as string,
    targets: targets as string[],
    links: linksFrom(links),
    ports: {
      ...{ gossip: gossip as number, overlay: overlay as number, api: api as number },
      ...(raft !== undefined && { raft: raft as number }),
      ...(store !== undefined && { store: store as number }),
    },
    encryption: encryption as Encryption,
    ...(domain !== undefined && { domain: domain as string }),
    ...(certificateAddresses !== undefined && {
      certificateAddresses: certificateAddresses as string[],
    }),
  };
}

/** Format 1 has addresses only, format 2 whole links. */
function areLinks(value: unknown): value is string[] | NodeLink[] {
  return (
    Array.isArray(value) && value.length <= MAX_LINKS && (isTexts(value) || value.every(isNodeLink))
  );
}

function linksFrom(value: unknown): readonly NodeLink[] {
  if (!areLinks(value)) return [];
  return value.every((each) => typeof each !== "string") ? value : plainLinks(value.map(String));
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max;
}

function isTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= 65535 &&
    value.every((each) => typeof each === "string" && each.length <= 300)
  );
}
