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
import { formatCidr } from "../values/cidr.ts";
import { formatIpv4, parseIpv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { type BackendPlan, ownedBlocks, type TunnelFirewall } from "./backend-plan.ts";
import {
  type OverlayInput,
  type OverlayPeer,
  TUNNEL_DEVICES,
  type VxlanPeer,
} from "./overlay-config.ts";

/** One network only; the number of its port, so that a capture shows whose it is. */
const VNI = 6784;

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
    local: input.self.underlay,
    checksums: input.softwareChecksums ? "software" : "offloaded",
    peers: peers.flatMap(vxlanPeer),
  }),
  firewall: vxlanFirewall,
};

function vxlanPeer({ id, address, endpoint }: OverlayPeer): VxlanPeer[] {
  if (endpoint === undefined) return [];
  const { ip, port } = endpoint;
  return [{ id, address: formatIpv4(address), mac: vxlanMac(id), ip, port }];
}

function vxlanFirewall(input: OverlayInput, peers: readonly OverlayPeer[]): TunnelFirewall {
  const [ip, type] = isIP(input.self.underlay) === 6 ? ["ip6", "ipv6_addr"] : ["ip", "ipv4_addr"];
  const places = peers.flatMap(({ endpoint }) => endpoint ?? []);
  const hosts = [...new Set(places.map((place) => place.ip))].toSorted(byAddress);
  const ends = [...new Set(places.map((place) => `${place.ip} . ${place.port}`))].toSorted();
  const senders = [...ownedBlocks(input, peers)].flatMap(([{ id }, blocks]) =>
    blocks.map((block) => `${vxlanMac(id)} . ${formatCidr(block).replace(/\/32$/, "")}`),
  );
  return {
    sets: [
      ["hosts", setLines(`type ${type}`, hosts, ip === "ip" ? 2 : 1)],
      ["ends", setLines(`type ${type} . inet_service`, ends, 1)],
      ["senders", ["type ether_addr . ipv4_addr", "flags interval", ...elements(senders, 1)]],
    ],
    fromTunnel: ["ether saddr . ip saddr != @senders drop"],
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

/** The order in which nft lists IPv4 addresses. */
function byAddress(a: string, b: string): number {
  return (parseIpv4(a) ?? 0) - (parseIpv4(b) ?? 0) || (a < b ? -1 : 1);
}

function setLines(type: string, values: readonly string[], perLine: number): string[] {
  return [type, ...elements(values, perLine)];
}

/** As nft wraps them: `perLine` in a line, the next ones below the first. */
function elements(values: readonly string[], perLine: number): string[] {
  if (values.length === 0) return [];
  const lines: string[] = [];
  for (let at = 0; at < values.length; at += perLine) {
    lines.push(values.slice(at, at + perLine).join(", "));
  }
  return [`elements = { ${lines.join(",\n\t\t\t     ")} }`];
}
