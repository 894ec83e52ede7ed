/** Builds the inspection document from the status and the few facts that only the rings have. Pure. */
import { cidrRange, parseCidr } from "../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../values/ipv4.ts";
import type { Inspection } from "./inspection-schema.ts";
import type { Connection, Status } from "./status-schema.ts";

export interface InspectionFacts {
  /** Gossip's port. */
  readonly port: number;
  /** The overlay's tunnel interface. */
  readonly interface: string;
  /** The dynamic ring in ascending order, each entry reaching to the next one's start, the last to the range's end. */
  readonly ring: readonly {
    readonly start: Ipv4;
    readonly owner: number;
    readonly version: number;
  }[];
}

/** The inspection of a node whose status is `status`. Names of nodes are their ids, nick names their names. */
export function inspectionOf(status: Status, facts: InspectionFacts): Inspection {
  return {
    Ready: status.ipam.ready,
    Version: status.node.version,
    VersionCheck: null,
    Router: router(status, facts),
    IPAM: ipam(status, facts),
    DNS: dns(status.dns),
    Hansa: status,
  };
}

function router(status: Status, facts: InspectionFacts): Inspection["Router"] {
  const established = status.connections.flatMap((row) =>
    row.state === "established" && row.peer ? [row.peer] : [],
  );
  return {
    Protocol: "memberlist",
    ProtocolMinVersion: 2,
    ProtocolMaxVersion: 5,
    Encryption: status.cluster.encryption !== "none",
    PeerDiscovery: true,
    Name: `${status.node.id}`,
    NickName: status.node.name,
    Port: facts.port,
    Peers: status.peers.map((peer) => ({
      Name: `${peer.id}`,
      NickName: peer.name,
      UID: peer.id,
      ShortID: peer.id,
      Version: 0,
      Connections: peer.connections.map((row) => ({
        Name: row.peer ? `${row.peer.id}` : "",
        NickName: row.peer?.name ?? "",
        Address: row.address,
        Outbound: row.direction === "outbound",
        Established: row.state === "established",
      })),
    })),
    UnicastRoutes: established.map(({ id }) => ({ Dest: `${id}`, Via: `${id}` })),
    BroadcastRoutes: [{ Source: `${status.node.id}`, Via: established.map(({ id }) => `${id}`) }],
    Connections: status.connections.map((row) => ({
      Address: row.address,
      Outbound: row.direction === "outbound",
      State: row.state,
      Info: infoOf(row),
      Attrs: { mtu: row.mtu, rttMs: row.rttMs, backend: row.backend },
    })),
    TerminationCount: 0,
    Targets: status.targets,
    OverlayDiagnostics: null,
    TrustedSubnets: [],
    Interface: facts.interface,
    CaptureStats: null,
    MACs: null,
  };
}

function infoOf(row: Connection): string {
  if (row.error !== null) return row.error;
  const encrypted = row.encrypted ? "encrypted" : "unencrypted";
  const peer = row.peer ? ` ${row.peer.id}(${row.peer.name})` : "";
  return `${encrypted} ${row.backend ?? ""}${peer}`.trimEnd();
}

function dns({ domain, address, ttl, entries }: Status["dns"]): Inspection["DNS"] {
  return {
    Domain: `${domain}.`,
    Upstream: [],
    Address: `${address}:53`,
    TTL: ttl,
    Entries: entries.map((entry) => ({
      Hostname: `${entry.hostname}.`,
      Origin: `${entry.node.id}`,
      ContainerID: entry.containerId ?? "",
      Address: entry.address,
      Version: 0,
      Tombstone: 0,
    })),
  };
}

function ipam(status: Status, facts: InspectionFacts): Inspection["IPAM"] {
  const block = parseCidr(status.ipam.range);
  const range = block ? cidrRange(block) : { start: 0, end: 0 };
  return {
    Paxos: null,
    Range: block ? `[${formatIpv4(range.start)}-${formatIpv4(range.end % 2 ** 32)})` : "",
    RangeNumIPs: range.end - range.start,
    ActiveIPs: status.ipam.entries.find(({ id }) => id === status.node.id)?.active ?? 0,
    DefaultSubnet: status.ipam.subnet,
    Entries: facts.ring.map((entry, index) => {
      const known = status.ipam.entries.find(({ id }) => id === entry.owner);
      return {
        Token: formatIpv4(entry.start),
        Size: (facts.ring[index + 1]?.start ?? range.end) - entry.start,
        Peer: `${entry.owner}`,
        Nickname: known?.name ?? "",
        IsKnownPeer: known?.reachable ?? false,
        Version: entry.version,
      };
    }),
    PendingClaims: null,
    PendingAllocates: null,
  };
}
