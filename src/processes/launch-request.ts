/** What a launch asks for, checked against itself and against what an earlier launch fixed. Pure. */
import { isIP } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import { HansaError } from "../errors.ts";
import { isClusterName } from "../identity/roots.ts";
import { addressPlan, DEFAULT_SUBNET } from "../ipam/address-plan.ts";
import { isDnsName } from "../values/dns-name.ts";
import { parseTarget } from "../values/endpoint.ts";
import { MAX_NODE_ID } from "../values/node-id.ts";
import { formatNodeLinks, isNodeLink, MAX_LINKS, type NodeLink } from "../values/node-link.ts";
import type { LaunchOptions, NodeRequest } from "./launch.ts";
import { DEFAULT_CLUSTER, DEFAULT_PORTS, type NodeFile } from "./node-file.ts";
import { storePorts } from "./store-process.ts";

/** Node names are shown, gossiped and served as DNS names. */
const NODE_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;

/**
 * The node that a first launch with these options makes. Throws USAGE or an IPAM code naming the parameter.
 *
 * When no name is given it is `hostName`, with what a node name may not contain replaced by hyphens.
 */
export function requestedNode(options: NodeRequest, hostName: string): NodeFile {
  const { id, targets, links = [], encryption = "wireguard" } = options;
  const { domain, certificateAddresses = [] } = options;
  const name = options.name ?? nodeName(hostName, id);
  const cluster = options.cluster ?? DEFAULT_CLUSTER;
  const subnet = options.subnet ?? DEFAULT_SUBNET;
  const ports = { ...DEFAULT_PORTS, ...options.ports };
  if (!isPositive(id, MAX_NODE_ID)) {
    bad("id", `number [1-${MAX_NODE_ID}]`, String(id));
  }
  if (!isClusterName(cluster)) bad("cluster", "letters, digits, dots and hyphens", cluster);
  if (!NODE_NAME.test(name)) bad("name", "a host name of at most 63 characters", name);
  requireRoom(subnet, id);
  for (const target of targets) {
    if (parseTarget(target) === undefined) bad("HOST", "HOST[:PORT]", target);
  }
  if (links.length > MAX_LINKS) bad("links", `at most ${MAX_LINKS}`, String(links.length));
  for (const { number, address, priority } of links) {
    if (!isNodeLink({ number, address, priority })) bad("link", "an address of this host", address);
  }
  const addresses = new Set(links.map(({ address }) => address));
  const numbers = new Set(links.map(({ number }) => number));
  if (Math.min(addresses.size, numbers.size) < links.length)
    bad("links", "each number and address once", formatNodeLinks(links));
  if (domain !== undefined && !isDnsName(domain)) bad("domain", "a DNS name", domain);
  for (const address of certificateAddresses) {
    if (isIP(address) === 0) bad("address", "an IP address", address);
  }
  for (const [which, port] of Object.entries(ports)) {
    if (!isPositive(port, 65535)) bad(`${which} port`, "number [1-65535]", String(port));
  }
  if (ports.gossip === ports.overlay)
    bad("overlay port", "another than gossip's", String(ports.overlay));
  if (ports.api === ports.gossip || ports.api === ports.overlay)
    bad("api port", "another than gossip's and the overlay's", String(ports.api));
  const { raft, store } = storePorts(ports);
  const others = [ports.gossip, ports.overlay, ports.api];
  if (others.includes(raft)) bad("raft port", "another than the others", String(raft));
  if ([...others, raft].includes(store))
    bad("store port", "another than the others", String(store));
  return {
    version: 1,
    id,
    name,
    cluster,
    subnet,
    targets: [...new Set(targets)],
    links: links.toSorted((a, b) => a.number - b.number),
    ports,
    encryption,
    ...(domain !== undefined && { domain }),
    ...(certificateAddresses.length > 0 && { certificateAddresses }),
  };
}

/** Throws IPAM_SUBNET_INVALID when the subnet cannot be one, IPAM_ID_OUTSIDE_SUBNET when it has no address for the id. */
function requireRoom(subnet: string, id: number): void {
  const { maxNodeId } = addressPlan(subnet);
  if (id <= maxNodeId) return;
  const text = `the subnet ${subnet} has node addresses for ids up to ${maxNodeId}, not for ${id}`;
  throw new HansaError("IPAM_ID_OUTSIDE_SUBNET", text);
}

/** Throws USAGE when one of `links` is not an address of this host: others would dial somebody else. */
export function requireOwnLinks(
  links: readonly NodeLink[],
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>,
): void {
  const own = Object.values(interfaces).flatMap(
    (list) => list?.map(({ address }) => address) ?? [],
  );
  const strange = links.find(({ address }) => !own.includes(address));
  if (strange === undefined) return;
  const text = `invalid argument: link${strange.number}, ${strange.address} is no address of this host`;
  throw new HansaError("USAGE", text, {
    hint: `this host has ${own.filter((ip) => ip !== "127.0.0.1" && ip !== "::1").join(", ")}`,
  });
}

/** Throws LAUNCH_DIFFERS or TOKEN_DIFFERS when what is given differs from what an earlier launch stored, links apart: hosts move. The token is checked elsewhere. */
export function refuseOtherLaunch(options: LaunchOptions, stored: NodeFile): void {
  if (options.id !== stored.id) {
    const text = `invalid argument: id, required: ${stored.id} (existing), received: ${options.id}`;
    throw new HansaError("LAUNCH_DIFFERS", text, {
      hint: "a host keeps its id; to start over, run hansa reset",
    });
  }
  if (options.cluster !== undefined && options.cluster !== stored.cluster) {
    const text = `the node was launched before into the cluster ${stored.cluster}, not ${options.cluster}`;
    throw new HansaError("TOKEN_DIFFERS", text);
  }
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ["subnet", options.subnet, stored.subnet],
    ["name", options.name, stored.name],
    ["domain", options.domain, stored.domain],
    ["gossip port", options.ports?.gossip, stored.ports.gossip],
    ["overlay port", options.ports?.overlay, stored.ports.overlay],
    ["api port", options.ports?.api, stored.ports.api],
    ["raft port", options.ports?.raft, storePorts(stored.ports).raft],
    ["store port", options.ports?.store, storePorts(stored.ports).store],
  ];
  for (const [what, given, existing] of pairs) {
    if (given === undefined || given === existing) continue;
    const text = `invalid argument: ${what}, required: ${existing || "none"} (existing), received: ${given}`;
    throw new HansaError("LAUNCH_DIFFERS", text);
  }
  if (options.encryption !== undefined && options.encryption !== stored.encryption) {
    const [given, existing] = [options.encryption, stored.encryption].map((encryption) =>
      encryption === "none" ? "without encryption" : "with encryption",
    );
    throw new HansaError(
      "LAUNCH_DIFFERS",
      `the node was launched before ${existing}, not ${given}: that is decided at the first launch, for the whole cluster`,
    );
  }
}

/** Hosts may be named otherwise than DNS allows; that is no reason to refuse them. */
function nodeName(hostName: string, id: number): string {
  const name = hostName
    .replace(/[^A-Za-z0-9.-]+/g, "-")
    .slice(0, 63)
    .replace(/^[.-]+|[.-]+$/g, "");
  return name === "" ? `node-${id}` : name;
}

/** The limits of the address plan (docs/internals/ipam.md): /8 to /20, its first sixteenth holds one address for each id. */

function isPositive(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

function bad(what: string, required: string, received: string): never {
  const text = `invalid argument: ${what}, required: ${required}, received: ${received.slice(0, 100)}`;
  throw new HansaError("USAGE", text);
}
