/**
 * What the overlay is told, out of what the node's parts know. Pure.
 *
 * Invariant: every node that is remembered has a tunnel, heard or not, unless another host runs with our very key and keeps it.
 */
import { type AddressPlan, nodeAddress } from "../../ipam/address-plan.ts";
import type { AddressesView } from "../../ipam/addresses.ts";
import type { DockerFacts, OverlayInput, PeerRelay } from "../../overlay/overlay-config.ts";
import { backendOf, type NodeFile } from "../../processes/node-file.ts";
import type { NodeId } from "../../values/node-id.ts";
import { overlayBlock } from "../host-facts/underlay.ts";
import type { RememberedNode } from "../membership/membership-file.ts";

/** The bridge of the network `hansa` on every host. */
export const BRIDGE = "hansa0";

export interface OverlayFacts {
  readonly node: Pick<NodeFile, "id" | "subnet" | "encryption" | "ports">;
  readonly plan: AddressPlan;
  readonly docker: DockerFacts;
  /** Our announced address between the hosts. */
  readonly underlay: string;
  /** In bytes. */
  readonly linkMtu: number;
  readonly segments: AddressesView["segments"];
  readonly remembered: readonly RememberedNode[];
  /** We have several addresses: what we send comes from the one that the way takes. */
  readonly hasSeveralLinks: boolean;
  /** All addresses at which a peer may be reached by us. */
  readonly linksOf: (peer: NodeId) => readonly string[];
  /** Another host runs with our very key, and ours has yielded. */
  readonly hasYielded: boolean;
  readonly softwareChecksums: boolean;
  readonly isLost: (peer: NodeId) => boolean;
  /** The relay that carries a peer's datagrams, while one does. */
  readonly relay: (peer: NodeId, wireguardKey: string) => PeerRelay | undefined;
}

export function overlayInput(facts: OverlayFacts): OverlayInput {
  const { node, plan, docker, underlay, linkMtu, segments, softwareChecksums } = facts;
  return {
    self: {
      id: node.id,
      address: nodeAddress(plan, node.id),
      listenPort: node.ports.overlay,
      underlay,
      ...(facts.hasSeveralLinks && { hasSeveralLinks: true as const }),
    },
    backend: backendOf(node.encryption),
    subnet: overlayBlock(node.subnet),
    bridge: BRIDGE,
    linkMtu,
    // Another host runs with our very key: our tunnel would take its sessions from it.
    peers: (facts.hasYielded ? [] : facts.remembered).map((peer) => {
      const { id, wireguardKey, endpoint, linkAddress = endpoint.ip } = peer;
      const others = facts.linksOf(id).filter((ip) => ip !== linkAddress);
      return {
        id,
        address: nodeAddress(plan, id),
        publicKey: wireguardKey,
        endpoint: { ip: linkAddress, port: endpoint.port },
        ...(others.length > 0 && { otherAddresses: others }),
        isLost: facts.isLost(id),
        relay: facts.relay(id, wireguardKey),
      };
    }),
    segments: [...segments.fixed, ...segments.dynamic],
    softwareChecksums,
    docker,
  };
}
