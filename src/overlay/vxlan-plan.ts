/**
 * VXLAN for clusters without encryption: one device a host, a link on which every peer is a known neighbour.
 *
 * Routes name the peer's node address as the next hop; its MAC follows from its id; the forwarding entry says at which host
 * that MAC lives. So nothing is learned, flooded or asked, and a host holds two entries a peer, however many containers there are. What was
 * measured against other constructions: docs/internals/overlay.md.
 *
 * Whoever can put a datagram on the port could inject packets, so the firewall does what keys do for WireGuard: datagrams come from
 * known peers' addresses only, none of the host's bridges may send or pass them on in a peer's name, and a frame carries only
 * addresses that are its sender's (the MAC says who).
 */
import { isIP } from "node:net";
import { formatIpv4, parseIpv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import {
  type BackendPlan,
  ownedBlocks,
  type TunnelFastPath,
  type TunnelFirewall,
} from "./backend-plan.ts";
import { nftElement, nftSet } from "./nft-text.ts";
import {
  type OverlayInput,
  type OverlayPeer,
  TUNNEL_DEVICES,
  type VxlanPeer,
} from "./overlay-config.ts";

/** One network only; the number of its port, so that a capture shows whose it is. */
const VNI = 6784;
/** What the set of senders is asked of a frame. */
const SENDER = "ether saddr . ip saddr";

/** The MAC of the VXLAN device of the node `id`: locally administered, "han", the id. */
export function vxlanMac(id: NodeId): string {
  const bytes = [0x02, 0x68, 0x61, 0x6e, id >>> 8, id & 255];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

export const vxlanPlan: BackendPlan = {
  // A device has one outer family, that of our own address.
  mark({ endpoint, id }, { self }) {
    if (endpoint === undefined || isIP(endpoint.ip) !== isIP(self.underlay)) return undefined;
    if (!Number.isInteger(endpoint.port) || endpoint.port < 1 || endpoint.port > 65535) {
      return undefined;
    }
    return `${id}`;
  },
  needsNextHop: true,
  tunnel: (input, peers) => ({
    kind: "vxlan",
    device: TUNNEL_DEVICES.vxlan,
    vni: VNI,
    port: input.self.listenPort,
    mac: vxlanMac(input.self.id),
    local: localOf(input),
    checksums: input.softwareChecksums ? "software" : "offloaded",
    peers: peers.flatMap(vxlanPeer),
  }),
  firewall: vxlanFirewall,
  fastPath: vxlanFastPath,
};

/** The route decides on a host with several addresses; a device without any speaks IPv4. */
function localOf({ self }: OverlayInput): string {
  return self.hasSeveralLinks && isIP(self.underlay) === 4 ? "" : self.underlay;
}

function vxlanPeer({ id, address, endpoint }: OverlayPeer): VxlanPeer[] {
  if (endpoint === undefined) return [];
  const { ip, port } = endpoint;
  return [{ id, address: formatIpv4(address), mac: vxlanMac(id), ip, port }];
}

function vxlanFirewall(input: OverlayInput, peers: readonly OverlayPeer[]): TunnelFirewall {
  const [ip, type] = isIP(input.self.underlay) === 6 ? ["ip6", "ipv6_addr"] : ["ip", "ipv4_addr"];
  const family = isIP(input.self.underlay);
  const places = peers.flatMap(({ endpoint, otherAddresses = [] }) => {
    if (endpoint === undefined) return [];
    const others = otherAddresses.filter((address) => isIP(address) === family);
    return [endpoint.ip, ...others].map((address) => ({ ip: address, port: endpoint.port }));
  });
  const hosts = [...new Set(places.map((place) => place.ip))].toSorted(byAddress);
  const ends = [...new Set(places.map((place) => `${place.ip} . ${place.port}`))].toSorted();
  return {
    sets: [
      ["hosts", nftSet([`type ${type}`], hosts, ip === "ip" ? 2 : 1)],
      ["ends", nftSet([`type ${type} . inet_service`], ends, 1)],
      ["senders", sendersSet(input, peers)],
    ],
    fromTunnel: [`${SENDER} != @senders drop`],
    datagram: [
      // A container of any network of this host that claims a peer's address: the way back to a peer is another.
      `meta iifkind "bridge" fib saddr . iif oif missing drop`,
      `${ip} saddr @hosts notrack return`,
      "fib daddr type local drop",
    ],
    output: [`${ip} daddr . udp dport @ends notrack`],
    // What this host forwards leaves under its own address where it masquerades, and would be taken for its own.
    forward: [`${ip} daddr . udp dport @ends ${ip} saddr != @hosts drop`],
  };
}

/** The same judgement as the firewall's; the next hop is the owner's node address, as in the routes. */
function vxlanFastPath(input: OverlayInput, peers: readonly OverlayPeer[]): TunnelFastPath {
  const hops = [...ownedBlocks(input, peers)]
    .flatMap(([{ address }, blocks]) => blocks.map((block) => ({ block, address })))
    .toSorted((a, b) => a.block.base - b.block.base)
    .map(({ block, address }) => `${nftElement(block)} : ${formatIpv4(address)}`);
  return {
    sets: [
      ["map hops", nftSet(["type ipv4_addr : ipv4_addr", "flags interval"], hops, 2)],
      ["set senders", sendersSet(input, peers)],
    ],
    toTunnel: "fwd ip to ip daddr map @hops",
    fromTunnel: `${SENDER} @senders`,
  };
}

/** Which addresses each peer's frames may carry. */
function sendersSet(input: OverlayInput, peers: readonly OverlayPeer[]): readonly string[] {
  const senders = [...ownedBlocks(input, peers)].flatMap(([{ id }, blocks]) =>
    blocks.map((block) => `${vxlanMac(id)} . ${nftElement(block)}`),
  );
  return nftSet(["type ether_addr . ipv4_addr", "flags interval"], senders, 1);
}

/** The order in which nft lists IPv4 addresses. */
function byAddress(a: string, b: string): number {
  return (parseIpv4(a) ?? 0) - (parseIpv4(b) ?? 0) || (a < b ? -1 : 1);
}
