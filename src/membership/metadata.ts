/**
 * What each Hansa node says of itself in its member's metadata: a versioned binary record of at most 512 bytes.
 *
 * Layout of version 1: magic 0x48 ("H"), version, then the fields in the order of `encodeMetadata`. Later fields are appended, so a decoder ignores
 * trailing bytes. Anything that does not begin so, or breaks a bound, is a foreign member's.
 */
import { type Cidr, cidrRange } from "../values/cidr.ts";
import { bytesToIp, ipToBytes } from "../values/ip-bytes.ts";
import { MAX_NODE_ID, type NodeId } from "../values/node-id.ts";
import { isNodeLink, MAX_LINKS, type NodeLink, plainLinks } from "../values/node-link.ts";
import { MAX_META_BYTES } from "./acceptable.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { isKeyFingerprint } from "./member-name.ts";

export const MAX_HOST_NAME_BYTES = 63;
const MAX_ENGINE_ID_BYTES = 64;
const MAX_VERSION_BYTES = 32;
const MAX_STORE_ID_BYTES = 36;
const KEY_BYTES = 32;

/** What a node means that does not tell its port: part of the format, whatever the default is. */
const UNTOLD_API_PORT = 1443;
const DEFAULT_RAFT_PORT = 9212;
const MAGIC = 0x48;
const FORMAT = 1;
const ROLES = ["peer"] as const;
const ENCRYPTIONS = ["wireguard", "none"] as const;

export type Encryption = (typeof ENCRYPTIONS)[number];

export interface NodeMetadata {
  readonly id: NodeId;
  /** The host name, at most 63 bytes. */
  readonly name: string;
  /** 8 hex digits, as in the member's name. */
  readonly keyFingerprint: string;
  /** How often this id was bound anew; the lower one wins between twins. 32 bits. */
  readonly binding: number;
  /** Random for each start of the daemon, 32 bits: a change means a new life. */
  readonly boot: number;
  /** The Docker Engine's id; at most 64 bytes, may be empty. */
  readonly engineId: string;
  readonly role: (typeof ROLES)[number];
  /** At most 8, by number. */
  readonly links: readonly NodeLink[];
  readonly ports: { readonly gossip: number; readonly overlay: number; readonly api: number };
  /** 32 bytes. */
  readonly wireguardKey: Uint8Array;
  /** The program's version, at most 32 bytes. */
  readonly version: string;
  /** The configuration store that the node holds to; `id` at most 36 bytes, `generation` 32 bits. */
  readonly store: { readonly id: string; readonly generation: number } | undefined;
  readonly encryption: Encryption;
  readonly subnet: Cidr;
  /** Where the node's part of the store serves the others, or would, at its address inside of the overlay. */
  readonly raftPort: number;
}

/** Throws RangeError when a field breaks its bound; the result is never above 512 bytes. */
export function encodeMetadata(node: NodeMetadata): Uint8Array {
  refuseUnless(node.id >= 1 && node.id <= MAX_NODE_ID, "id");
  refuseUnless(isKeyFingerprint(node.keyFingerprint), "key fingerprint");
  refuseUnless(node.links.length <= MAX_LINKS, "links");
  const { gossip, overlay, api } = node.ports;
  refuseUnless([gossip, overlay, api, node.raftPort].every(isPort), "ports");
  refuseUnless(node.wireguardKey.length === KEY_BYTES, "WireGuard key");
  refuseUnless(isBlock(node.subnet), "subnet");
  const writer = new ByteWriter()
    .u8(MAGIC)
    .u8(FORMAT)
    .u16(node.id)
    .text(node.name, MAX_HOST_NAME_BYTES)
    .u32(Number.parseInt(node.keyFingerprint, 16))
    .u32(node.binding)
    .u32(node.boot)
    .text(node.engineId, MAX_ENGINE_ID_BYTES)
    .u8(ROLES.indexOf(node.role))
    .u8(node.links.length);
  for (const link of node.links) {
    const bytes = ipToBytes(link.address);
    refuseUnless(bytes !== undefined && isNodeLink(link), `link "${link.address}"`);
    writer.u8(bytes.length).raw(bytes);
  }
  writer
    .u16(gossip)
    .u16(overlay)
    .raw(node.wireguardKey)
    .text(node.version, MAX_VERSION_BYTES)
    .text(node.store?.id ?? "", MAX_STORE_ID_BYTES)
    .u32(node.store?.generation ?? 0)
    .u8(ENCRYPTIONS.indexOf(node.encryption))
    .u32(node.subnet.base)
    .u8(node.subnet.prefix)
    .u16(api)
    .u16(node.raftPort);
  for (const { number, priority } of node.links) writer.u8(number).u8(priority);
  return writer.finish();
}

/** The node behind a member's metadata, or undefined for a foreign member. Never throws. */
export function decodeMetadata(bytes: Uint8Array): NodeMetadata | undefined {
  if (bytes.length > MAX_META_BYTES) return undefined;
  const reader = new ByteReader(bytes);
  reader.demand(reader.u8() === MAGIC);
  // Higher versions only append: what version 1 has stays where it is.
  reader.demand(reader.u8() >= FORMAT);
  const id = reader.u16();
  const name = reader.text(MAX_HOST_NAME_BYTES);
  const keyFingerprint = reader.u32().toString(16).padStart(8, "0");
  const binding = reader.u32();
  const boot = reader.u32();
  const engineId = reader.text(MAX_ENGINE_ID_BYTES);
  const role = ROLES[reader.u8()];
  const addresses = readAddresses(reader);
  const gossip = reader.u16();
  const overlay = reader.u16();
  const wireguardKey = reader.raw(KEY_BYTES);
  const version = reader.text(MAX_VERSION_BYTES);
  const storeId = reader.text(MAX_STORE_ID_BYTES);
  const generation = reader.u32();
  const encryption = ENCRYPTIONS[reader.u8()];
  const subnet = { base: reader.u32(), prefix: reader.u8() };
  // Builds before it served no other machines.
  const api = reader.remaining > 0 ? reader.u16() : UNTOLD_API_PORT;
  // Builds before it had no store.
  const raftPort = reader.remaining > 0 ? reader.u16() : DEFAULT_RAFT_PORT;
  // Builds before it numbered links as they came, and knew no priorities.
  const links = reader.remaining > 0 ? readLinks(reader, addresses) : plainLinks(addresses);
  const ports = { gossip, overlay, api };
  reader.demand(id >= 1 && [gossip, overlay, api, raftPort].every(isPort) && isBlock(subnet));
  if (reader.hasFailed || role === undefined || encryption === undefined) return undefined;
  const store = storeId === "" ? undefined : { id: storeId, generation };
  return {
    id,
    name,
    keyFingerprint,
    binding,
    boot,
    engineId,
    role,
    links,
    ports,
    wireguardKey,
    version,
    store,
    encryption,
    subnet,
    raftPort,
  };
}

function readAddresses(reader: ByteReader): string[] {
  const count = reader.u8();
  reader.demand(count <= MAX_LINKS);
  const links: string[] = [];
  for (let index = 0; index < count && !reader.hasFailed; index++) {
    const link = bytesToIp(reader.raw(reader.u8()));
    reader.demand(link !== undefined);
    if (link !== undefined) links.push(link);
  }
  return links;
}

/** Number and priority of each address. A number twice is nobody's link: which of both a peer is to use could not be told. */
function readLinks(reader: ByteReader, addresses: readonly string[]): NodeLink[] {
  const links = addresses.map((address) => ({
    ...{ number: reader.u8(), address, priority: reader.u8() },
  }));
  reader.demand(links.every(({ number }) => number < MAX_LINKS));
  reader.demand(new Set(links.map(({ number }) => number)).size === links.length);
  return links.sort((a, b) => a.number - b.number);
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

function isBlock(cidr: Cidr): boolean {
  if (cidr.prefix > 32 || cidr.base < 0) return false;
  const { start, end } = cidrRange(cidr);
  return start % (end - start) === 0 && end <= 2 ** 32;
}

function refuseUnless(condition: boolean, what: string): asserts condition {
  if (!condition) throw new RangeError(`this ${what} cannot be announced`);
}
