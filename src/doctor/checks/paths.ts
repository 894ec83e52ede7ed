/**
 * The paths to each peer, both ways: ports, sizes, tunnel.
 *
 * One cause gives one finding: of a peer that is out of reach nothing else is said, and a tunnel is only called dead where neither a blocked port
 * nor lost large packets explain it.
 */
import type { NodeFacts, PeerFacts } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import { peersCheck } from "./check.ts";

/** Each of these is an end of a path. */
interface End {
  readonly name: string;
  readonly ip: string;
}

export const paths = peersCheck("paths to the peers", (node) =>
  node.peers.length === 0
    ? { skipped: "there are no peers" }
    : node.peers.flatMap((peer) => pathFindings(node, peer)),
);

function pathFindings(node: NodeFacts, peer: PeerFacts): Finding[] {
  const here: End = { name: node.name, ip: node.ip };
  const there: End = { name: peer.name, ip: peer.ip };
  const label = `node ${peer.id} (${peer.name}, ${peer.ip})`;
  const port = peer.ports.gossip;
  const { arrivedHere, arrivedThere } = peer;
  const isSilent =
    arrivedThere === undefined &&
    !arrivedHere.tcp &&
    arrivedHere.udp.length + arrivedHere.tunnel.length === 0;
  if (isSilent && (peer.tcpFromHere === null || peer.isHeard)) {
    const evidence = `${label} of version ${peer.version} answered none of ${sentCount(peer)} questions by UDP, TCP and tunnel, though gossip hears it`;
    return [finding("DOCTOR_PEER_SILENT", evidence)];
  }
  if (isSilent) {
    const evidence = `nothing came back from ${label}: ${port}/tcp: ${peer.tcpFromHere}; ${port}/udp: none of ${sentCount(peer)} datagrams was answered`;
    return [finding("DOCTOR_PEER_UNREACHABLE", evidence)];
  }
  const udpOut = arrivedThere === undefined || arrivedThere.udp.length > 0;
  // Without its report a silent way back cannot be told from a way there that ends its questions.
  const udpBack = arrivedHere.udp.length > 0 || arrivedThere === undefined;
  const none = `none of ${peer.sent.udp.length} datagrams arrived`;
  const { tcpFromHere, tcpFromThere } = peer;
  const large = [
    ...(udpOut ? largeFindings(node, here, there, peer, arrivedThere?.udp) : []),
    ...(udpBack ? largeFindings(node, there, here, peer, arrivedHere.udp) : []),
  ];
  return [
    ...(tcpFromHere === null ? [] : [blocked(here, there, `${port}/tcp`, tcpFromHere)]),
    ...(tcpFromThere ? [blocked(there, here, `${node.ports.gossip}/tcp`, tcpFromThere)] : []),
    ...(udpOut ? [] : [blocked(here, there, `${port}/udp`, none)]),
    ...(udpBack ? [] : [blocked(there, here, `${node.ports.gossip}/udp`, none)]),
    // Both ways of one path are mended by one step.
    ...large.slice(0, 1),
    ...tunnelFindings(node, peer, large.length > 0),
    ...relayPortFindings(here, there, peer, node.ports.overlay),
    ...apiPortFindings(here, there, peer),
  ];
}

/** Nodes ask each other through the tunnel then; who is outside of it cannot. */
function apiPortFindings(here: End, there: End, { apiFromHere, tcpFromHere, ports }: PeerFacts) {
  if (apiFromHere === null || tcpFromHere !== null) return [];
  const why = `${apiFromHere}; nodes then ask ${there.name} through the tunnel only, and contexts of other machines may not reach it`;
  return [{ ...blocked(here, there, `${ports.api}/tcp`, why), severity: "warning" as const }];
}

/** A port that only relays need is worth a warning, unless gossip's own is closed to TCP as well. */
function relayPortFindings(here: End, there: End, peer: PeerFacts, ownPort: number): Finding[] {
  const { relayFromHere, relayFromThere, tcpFromHere, tcpFromThere } = peer;
  const warning = (from: End, to: End, port: number, why: string): Finding => {
    const reason = `${why}; without it no relay helps where ${port}/udp is closed`;
    return { ...blocked(from, to, `${port}/tcp`, reason), severity: "warning" };
  };
  return [
    ...(relayFromHere && tcpFromHere === null
      ? [warning(here, there, peer.ports.overlay, relayFromHere)]
      : []),
    ...(relayFromThere && tcpFromThere === null
      ? [warning(there, here, ownPort, relayFromThere)]
      : []),
  ];
}

function blocked(from: End, to: End, what: string, why: string): Finding {
  const evidence = `${what} is blocked from ${from.name} (${from.ip}) to ${to.name} (${to.ip}): ${why}`;
  const mend = `open ${what} on ${to.name} for ${from.ip}, and in whatever firewall lies between`;
  return finding("DOCTOR_PORT_BLOCKED", evidence, { mend });
}

function largeFindings(
  node: NodeFacts,
  from: End,
  to: End,
  { sent, kernelMtuHere }: PeerFacts,
  arrived: readonly number[] | undefined,
): Finding[] {
  if (arrived === undefined || arrived.length === 0) return [];
  const largestSent = Math.max(...sent.udp);
  const largest = Math.min(Math.max(...arrived), kernelMtuHere ?? Number.POSITIVE_INFINITY);
  if (largest >= largestSent) return [];
  const lost = sent.udp.filter((size) => size > largest).sort((a, b) => a - b);
  const evidence =
    Math.max(...arrived) >= largestSent
      ? `the kernel knows that the path from ${from.name} to ${to.name} (${to.ip}) takes at most ${largest} bytes, less than the ${largestSent} of the interface`
      : `datagrams of ${lost.join(", ")} bytes from ${from.name} to ${to.name} (${to.ip}) are lost, of ${largest} they arrive`;
  const device = node.linkName ?? "INTERFACE";
  const mend = `mend the path's MTU, or on both hosts: ip link set dev ${device} mtu ${largest} (the tunnel follows)`;
  return [finding("DOCTOR_PATH_MTU", evidence, { mend })];
}

function tunnelFindings(node: NodeFacts, peer: PeerFacts, isPathSmall: boolean): Finding[] {
  const { arrivedHere, arrivedThere, sent } = peer;
  const label = `node ${peer.id} (${peer.name})`;
  const full = Math.max(...sent.tunnel);
  const out = arrivedThere?.tunnel ?? [];
  const back = arrivedHere.tunnel;
  if (peer.isRelayed) {
    const evidence = `a relay carries the tunnel to ${label}, because ${peer.ports.overlay}/udp does not pass between ${node.name} (${node.ip}) and ${peer.name} (${peer.ip})`;
    const mend = `open ${peer.ports.overlay}/udp on ${node.name} and on ${peer.name}, and in whatever firewall lies between; the tunnel returns to the direct path by itself`;
    return [finding("DOCTOR_RELAYED", evidence, { mend })];
  }
  if (out.length > 0 && back.length > 0) {
    if (isPathSmall || (out.includes(full) && back.includes(full))) return [];
    const evidence = `through the tunnel to ${label} packets of ${Math.min(...sent.tunnel)} bytes pass, of ${full} bytes they do not`;
    return [finding("DOCTOR_TUNNEL_MTU", evidence)];
  }
  // It worked when we began, and a report may be missing: the next run tells.
  if (peer.tunnelProved) return [];
  const closed = closedWays(node, peer);
  if (closed.length > 0) return closed;
  const { here } = peer.traffic;
  const counts = here
    ? `sent ${here.tx} bytes and received ${here.rx}`
    : "has no counters for that peer";
  const evidence = `no packet passed the tunnel to ${label}; meanwhile it ${counts}`;
  return [finding("DOCTOR_TUNNEL_DEAD", evidence)];
}

/** Which way of the tunnel's own datagrams is closed, by what passed it or else by the counters of both ends. */
function closedWays(node: NodeFacts, peer: PeerFacts): Finding[] {
  const { arrivedHere, arrivedThere, traffic } = peer;
  const { here, there } = traffic;
  const isOut = (arrivedThere?.tunnel.length ?? 0) > 0;
  const isBack = arrivedHere.tunnel.length > 0;
  const outClosed = !isOut && (isBack || (there?.rx === 0 && (here?.tx ?? 0) > 0));
  const backClosed = !isBack && (isOut || (here?.rx === 0 && (there?.tx ?? 0) > 0));
  const why = (sent: number | undefined, got: number | undefined): string =>
    sent === undefined || got === undefined
      ? "nothing arrived through the tunnel"
      : `the tunnel sent ${sent} bytes, ${got} arrived`;
  const what = (port: number): string => `${port}/udp`;
  const self = { name: node.name, ip: node.ip };
  return [
    ...(outClosed ? [blocked(self, peer, what(peer.ports.overlay), why(here?.tx, there?.rx))] : []),
    ...(backClosed
      ? [blocked(peer, self, what(node.ports.overlay), why(there?.tx, here?.rx))]
      : []),
  ];
}

export const checksums = peersCheck("checksums are right", ({ peers, name, linkName }) =>
  peers.flatMap(({ name: other, brokenThere, brokenHere }) => {
    const device = linkName ?? "INTERFACE";
    const broken = (count: number, to: string, from: string): Finding => {
      const evidence = `${to} counted ${count} packets with broken checksums while ${from} sent to it`;
      const mend = `on ${from}: ethtool -K ${device} tx off`;
      return finding("DOCTOR_CHECKSUM_OFFLOAD", evidence, { mend });
    };
    return [
      ...(brokenThere ? [broken(brokenThere, other, name)] : []),
      ...(brokenHere ? [broken(brokenHere, name, other)] : []),
    ];
  }),
);

function sentCount({ sent }: PeerFacts): number {
  return sent.udp.length + sent.tunnel.length + 1;
}
