/**
 * What the node knows, as the document of `GET /v1/status`. Pure: all facts come in, with the time that they hold for.
 */
import type { Connection, IpamEntry, Peer, PeerConnection, Status } from "../api/status-schema.ts";
import type { AddressesView } from "../ipam/addresses.ts";
import { type ConnectionRow, mesh } from "../membership/connection-rows.ts";
import type { TargetView } from "../membership/dialer.ts";
import type { NodeFile } from "../processes/node-file.ts";
import { type Endpoint, formatEndpoint, parseTarget } from "../values/endpoint.ts";
import type { NodeId } from "../values/node-id.ts";
import type { RememberedNode } from "./membership-file.ts";
import type { Rejection } from "./rejections.ts";
import { isHeard, type Roster, type RosterNode } from "./roster.ts";
import type { TunnelView } from "./tunnel-proof.ts";

export interface StatusFacts {
  readonly node: NodeFile;
  readonly version: string;
  readonly endpoint: Endpoint;
  readonly engineId: string | undefined;
  readonly roster: Roster;
  readonly remembered: readonly RememberedNode[];
  readonly targets: readonly TargetView[];
  readonly rejections: readonly Rejection[];
  readonly rows: ReadonlyMap<string, ConnectionRow>;
  readonly addresses: AddressesView;
  readonly mtu: number;
  readonly tunnel: (id: NodeId) => TunnelView;
  readonly hasDialled: (ip: string) => boolean;
  /** Wall time of a moment of the monotonic clock. */
  readonly wallTime: (monotonicMs: number) => Date;
  readonly warnings: Status["warnings"];
}

export const AUTHENTICATION_FAILED = "authentication failed or other cluster";

export function statusOf(facts: StatusFacts): Status {
  const { node, roster, addresses } = facts;
  return {
    cluster: { name: node.cluster, subnet: node.subnet, encryption: node.encryption },
    node: {
      id: node.id,
      name: node.name,
      engineId: facts.engineId ?? null,
      address: formatEndpoint(facts.endpoint),
      version: facts.version,
    },
    targets: facts.targets.map(({ target }) => target),
    peers: peersOf(facts),
    connections: [
      ...roster.peers
        .filter(({ member }) => member.state !== "left")
        .map((peer) => peerRow(facts, peer)),
      ...facts.targets
        .filter((target) => !isListed(roster, target))
        .map((target) => targetRow(facts, target)),
      ...facts.rejections.map(rejectionRow),
    ],
    ipam: {
      subnet: addresses.subnet,
      range: addresses.range,
      ready: addresses.ready,
      entries: addresses.entries
        .filter(({ addresses: count, id }) => count > 0 || id === node.id)
        .map((entry) => entryOf(facts, entry)),
    },
    warnings: facts.warnings,
  };
}

/** A target that led to a node that has a row of its own. */
function isListed(roster: Roster, { state, member }: TargetView): boolean {
  if (state === "satisfied") return true;
  return roster.peers.some((peer) => peer.member.name === member && peer.member.state !== "left");
}

function reference({ metadata }: RosterNode): { id: number; name: string } {
  return { id: metadata.id, name: metadata.name };
}

function peerRow(facts: StatusFacts, peer: RosterNode): Connection {
  const { member, metadata } = peer;
  const tunnel = facts.tunnel(metadata.id);
  const heard = isHeard(peer);
  const established = heard && member.state === "alive" && tunnel.proved;
  const target = facts.targets.find(
    (view) => view.member === member.name && view.state !== "satisfied",
  );
  return {
    address: formatEndpoint(member.endpoint),
    direction: facts.hasDialled(member.endpoint.ip) ? "outbound" : "inbound",
    state: established ? "established" : heard ? "pending" : "retrying",
    encrypted: facts.node.encryption === "wireguard",
    backend: heard && tunnel.proved ? "wireguard" : null,
    peer: reference(peer),
    rttMs: established ? roundMs(tunnel.rttMs) : null,
    mtu: established ? facts.mtu : null,
    error: established ? null : peerProblem(peer, tunnel, target),
    retryAt:
      target?.retryAtMs === undefined ? null : facts.wallTime(target.retryAtMs).toISOString(),
  };
}

function peerProblem(peer: RosterNode, tunnel: TunnelView, target: TargetView | undefined): string {
  if (!isHeard(peer)) return target?.error ?? "not heard any more";
  if (peer.member.state === "suspect") return "does not answer, others are asked";
  if (tunnel.smallOnly)
    return "small packets pass the tunnel, full-size ones do not: check the MTU between the hosts";
  return `no answer through the tunnel yet: is ${peer.metadata.ports.overlay}/udp open?`;
}

function targetRow(facts: StatusFacts, target: TargetView): Connection {
  const { gossip } = facts.node.ports;
  const parsed = parseTarget(target.target);
  const address = parsed
    ? formatEndpoint({ ip: parsed.host, port: parsed.port || gossip })
    : target.target;
  return {
    address,
    direction: "outbound",
    state: target.state === "satisfied" ? "established" : target.state,
    encrypted: false,
    backend: null,
    peer: null,
    rttMs: null,
    mtu: null,
    error: target.error ?? null,
    retryAt: target.retryAtMs === undefined ? null : facts.wallTime(target.retryAtMs).toISOString(),
  };
}

function rejectionRow({ ip, port }: Rejection): Connection {
  return {
    address: formatEndpoint({ ip, port }),
    direction: "inbound",
    state: "failed",
    encrypted: false,
    backend: null,
    peer: null,
    rttMs: null,
    mtu: null,
    error: AUTHENTICATION_FAILED,
    retryAt: null,
  };
}

function peersOf(facts: StatusFacts): Peer[] {
  const { roster } = facts;
  const nodes = [roster.self, ...roster.peers];
  const edges = mesh(facts.rows.values());
  const byName = new Map(nodes.map((node) => [node.member.name, node]));
  const listed = nodes.map(
    (node): Peer => ({
      ...reference(node),
      address: formatEndpoint(node.member.endpoint),
      state: node === roster.self && roster.usurper ? "twin" : node.member.state,
      connections: edges.flatMap((edge): PeerConnection[] => {
        const name = node.member.name;
        const other = edge.from === name ? edge.to : edge.to === name ? edge.from : undefined;
        const there = other === undefined ? undefined : byName.get(other);
        if (!there) return [];
        return [
          {
            address: formatEndpoint(there.member.endpoint),
            direction:
              node === roster.self && !facts.hasDialled(there.member.endpoint.ip)
                ? "inbound"
                : "outbound",
            state: edge.state,
            peer: reference(there),
          },
        ];
      }),
    }),
  );
  const twins = roster.twins
    .filter((node) => node !== roster.self)
    .map(
      (node): Peer => ({
        ...reference(node),
        address: formatEndpoint(node.member.endpoint),
        state: "twin",
        connections: [],
      }),
    );
  const foreign = roster.foreign.map(
    (member): Peer => ({
      id: 0,
      name: member.name,
      address: formatEndpoint(member.endpoint),
      state: "foreign",
      connections: [],
    }),
  );
  return [...listed, ...twins, ...foreign];
}

function entryOf(facts: StatusFacts, entry: AddressesView["entries"][number]): IpamEntry {
  const { roster, node } = facts;
  const peer = roster.peers.find(({ metadata }) => metadata.id === entry.id);
  const name = entry.id === node.id ? node.name : peer?.metadata.name;
  return {
    id: entry.id,
    name: name ?? facts.remembered.find(({ id }) => id === entry.id)?.name ?? null,
    addresses: entry.addresses,
    percent: Math.round(entry.percent * 10) / 10,
    active: entry.active ?? null,
    reachable: entry.id === node.id || (peer !== undefined && isHeard(peer)),
  };
}

function roundMs(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100;
}
