/**
 * What this node says of itself to everybody: its metadata, and the address under which the others reach it.
 *
 * Each change says whether there is something new to announce; announcing it is the caller's. Reads the host's interfaces.
 */
import { networkInterfaces } from "node:os";
import type { Identity, IdentityKeys } from "../../identity/identity.ts";
import { encodeMetadata, type NodeMetadata } from "../../membership/metadata.ts";
import { bindingAfter } from "../../membership/twins.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import { storePorts } from "../../processes/store-process.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import { parseIpv4 } from "../../values/ipv4.ts";
import { type NodeLink, plainLinks } from "../../values/node-link.ts";
import { announcedAddress, overlayBlock } from "../host-facts/underlay.ts";

export interface AnnouncementOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly keys: IdentityKeys;
  readonly version: string;
  /** The number of this life of the daemon. */
  readonly boot: number;
  /** The store in which this node has a vote: said from the first moment, because a voter that names none is taken for one that lost its data. */
  readonly store: NodeMetadata["store"];
}

export class Announcement {
  readonly #node: NodeFile;
  #metadata: NodeMetadata;

  constructor({ node, identity, keys, version, boot, store }: AnnouncementOptions) {
    this.#node = node;
    this.#metadata = {
      id: node.id,
      name: node.name,
      keyFingerprint: keys.fingerprint,
      binding: identity.binding,
      boot,
      engineId: "",
      role: "peer",
      links: announcedLinks(node),
      ports: node.ports,
      wireguardKey: Buffer.from(keys.wireguard.publicKey, "base64"),
      version,
      store,
      encryption: node.encryption,
      subnet: overlayBlock(node.subnet),
      raftPort: storePorts(node.ports).raft,
    };
  }

  get binding(): number {
    return this.#metadata.binding;
  }

  /** Our links, as announced. */
  get links(): readonly NodeLink[] {
    return this.#metadata.links;
  }

  /** Where others reach our gossip; loopback on a host that never had an address. */
  get endpoint(): Endpoint {
    const [first] = this.#metadata.links;
    return { ip: first?.address ?? "127.0.0.1", port: this.#node.ports.gossip };
  }

  /** The metadata as gossip carries it. */
  encoded(): Uint8Array {
    return encodeMetadata(this.#metadata);
  }

  /** Our Docker's id as it is known now. */
  setEngineId(engineId: string): boolean {
    if (engineId === this.#metadata.engineId) return false;
    this.#metadata = { ...this.#metadata, engineId };
    return true;
  }

  /** The store in which this node has a vote. */
  setStore(store: NodeMetadata["store"]): boolean {
    const known = this.#metadata.store;
    if (known?.id === store?.id && known?.generation === store?.generation) return false;
    this.#metadata = { ...this.#metadata, store };
    return true;
  }

  /** Takes the host's addresses as they are now. */
  followAddresses(): boolean {
    const links = announcedLinks(this.#node);
    // An interface that is down for a while has no address; announcing none would put loopback in its place.
    if (links.length === 0 || sameLinks(links, this.#metadata.links)) return false;
    this.#metadata = { ...this.#metadata, links };
    return true;
  }

  /** A newcomer that finds its id taken, among `nodes`, steps behind the one who has it. */
  stepBehind(nodes: readonly NodeMetadata[]): boolean {
    const binding = bindingAfter(this.#metadata, nodes);
    if (binding === this.#metadata.binding) return false;
    this.#metadata = { ...this.#metadata, binding };
    return true;
  }
}

/** Those that launch named, else the one of the host's own that is nearest to the targets; none on a host without any. */
function announcedLinks({ links, targets, subnet }: NodeFile): readonly NodeLink[] {
  if (links.length > 0) return links;
  const near = targets.filter((target) => parseIpv4(target) !== undefined);
  const found = announcedAddress(networkInterfaces(), near, overlayBlock(subnet));
  return found === undefined ? [] : plainLinks([found]);
}

function sameLinks(a: readonly NodeLink[], b: readonly NodeLink[]): boolean {
  return a.length === b.length && a.every(({ address }, index) => address === b[index]?.address);
}
