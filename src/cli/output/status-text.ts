/** The sections of `hansa status` for people. Pure: the same status at the same time is the same text. */
import type {
  Connection,
  ConnectionState,
  IpamEntry,
  LinkState,
  Peer,
  PeerConnection,
  PeerState,
  Status,
} from "../../api/status-schema.ts";
import { alignColumns } from "./align-columns.ts";
import type { Colour, Paint } from "./paint.ts";

export interface View {
  readonly paint: Paint;
  /** Retries are told relative to it. */
  readonly nowMs: number;
}

const CONNECTION_COLOURS: Readonly<Record<ConnectionState, Colour>> = {
  established: "green",
  pending: "yellow",
  connecting: "yellow",
  retrying: "yellow",
  failed: "red",
};

const LINK_COLOURS: Readonly<Record<LinkState, Colour>> = {
  up: "green",
  down: "red",
  unknown: "dim",
};

const PEER_COLOURS: Readonly<Record<PeerState, Colour>> = {
  alive: "green",
  suspect: "yellow",
  dead: "red",
  left: "dim",
  foreign: "dim",
  twin: "red",
};

/** Widths below which columns do not shrink, so that tables of different nodes line up. */
const ADDRESS = 21;
const STATE = 11;
const NAME = 24;

/** In capitals, and not by colour alone: it must be seen in logs too. */
const UNENCRYPTED =
  "UNENCRYPTED (vxlan): the network between the hosts can read containers' traffic";

export function nodeText({ cluster, node }: Status): string {
  return alignColumns([
    ["cluster", cluster.name],
    ["subnet", cluster.subnet],
    ["encryption", cluster.encryption === "none" ? UNENCRYPTED : cluster.encryption],
    ["node", label(node)],
    ["address", node.address ?? "unknown"],
    ["engine", node.engineId ?? "unknown: Docker does not answer"],
    ["version", node.version],
  ]);
}

export function targetsText({ targets }: Status): string {
  return targets.join("\n");
}

export function connectionsText({ connections }: Status, view: View): string {
  const shown = connections.filter(({ error }) => error === null);
  const backends = shown.map((row) => backendText(row).length);
  const peers = shown.map(({ peer }) => label(peer).length);
  const widths = [11, Math.max(9, ...backends), Math.max(0, ...peers)];
  const rows = connections.map((row) => [
    arrow(row),
    row.address,
    view.paint(CONNECTION_COLOURS[row.state], row.state),
    row.error === null || row.state === "established" ? goodInfo(row, widths) : badInfo(row, view),
  ]);
  return alignColumns(rows, { least: [2, ADDRESS, STATE], gap: " " });
}

/** True where this node has a choice of links to any peer. */
export function hasSeveralLinks({ links }: Status): boolean {
  return links.some(({ link, peer }) =>
    links.some((other) => other.peer.id === peer.id && other.link !== link),
  );
}

export function linksText({ links }: Status, { paint }: View): string {
  const rows = links.map((row) => [
    `link${row.link}`,
    row.own,
    "->",
    row.address,
    label(row.peer),
    `priority=${row.priority}`,
    paint(LINK_COLOURS[row.state], row.state),
    [
      ...(row.rttMs === null ? [] : [`rtt=${duration(row.rttMs)}`]),
      ...(row.inUse ? ["in use"] : []),
    ].join(" "),
  ]);
  return alignColumns(rows, { least: [5, 15, 2, 15], gap: " " });
}

export function peersText({ peers }: Status, { paint }: View): string {
  const rows = peers.flatMap((peer) => peer.connections);
  const widths = {
    least: [
      Math.max(5, ...rows.map((row) => arrow(row).length + 3)),
      Math.max(ADDRESS, ...rows.map(({ address }) => address.length)),
      Math.max(NAME, ...rows.map(({ peer }) => label(peer).length)),
    ],
    gap: " ",
  };
  // Worth a column only while an upgrade goes through the cluster.
  const versions = new Set(peers.flatMap(({ version }) => version ?? []));
  const heads = alignColumns(
    peers.map((peer) => [
      ...peerHead(peer, paint),
      ...(versions.size > 1 ? [peer.version ?? "-"] : []),
    ]),
    { least: [NAME, ADDRESS] },
  );
  const lines = heads.split("\n");
  return peers
    .map((peer, index) => {
      const own = peer.connections.map((row) => connectionCells(row, paint));
      return own.length === 0 ? lines[index] : `${lines[index]}\n${alignColumns(own, widths)}`;
    })
    .join("\n");
}

export function dnsText({ dns }: Status): string {
  const rows = dns.entries.map(({ hostname, address, containerId, node }) => [
    hostname,
    address,
    containerId ?? "-",
    label(node),
  ]);
  return alignColumns(rows, { least: [12, 15, 12], gap: " " });
}

export function ipamText({ ipam }: Status, { paint }: View): string {
  const count = Math.max(6, ...ipam.entries.map(({ addresses }) => `${addresses}`.length));
  const rows = ipam.entries.map((entry) => [
    label(entry),
    `${entry.addresses}`.padStart(count),
    `IPs (${entry.percent.toFixed(1).padStart(4, "0")}% of total)${ipamRemark(entry, paint)}`,
  ]);
  return alignColumns(rows, { least: [NAME], gap: " " });
}

/** "2(host2)"; only the id of a node whose name is not known, "-" when nothing is. */
export function label(node: { readonly id: number; readonly name: string | null } | null): string {
  if (node === null) return "-";
  const id = node.id === 0 ? "-" : `${node.id}`;
  return node.name === null ? id : `${id}(${node.name})`;
}

function arrow({ direction }: PeerConnection | Connection): string {
  return direction === "outbound" ? "->" : "<-";
}

function goodInfo(
  row: Connection,
  [encrypted = 0, backend = 0, peer = 0]: readonly number[],
): string {
  if (row.state === "connecting") return "";
  const attributes = [
    row.rttMs === null ? undefined : `rtt=${duration(row.rttMs)}`,
    row.mtu === null ? undefined : `mtu=${row.mtu}`,
    row.error ?? undefined,
  ].filter((text) => text !== undefined);
  const cells = [row.encrypted ? "encrypted" : "unencrypted", backendText(row), label(row.peer)];
  return alignColumns([[...cells, attributes.join(" ")]], {
    least: [encrypted, backend, peer],
    gap: " ",
  });
}

/** "wireguard", "relay tcp", "relay via host2". */
function backendText({ backend, via }: Connection): string {
  if (backend !== "relay") return backend ?? "";
  return via === null ? "relay tcp" : `relay via ${via.name}`;
}

function badInfo(row: Connection, view: View): string {
  if (row.state === "connecting" || row.state === "pending") return row.error ?? "";
  return `${row.error ?? "unreachable"}, retry: ${retryOf(row, view)}`;
}

/** An attempt without a time is under way, unless the row is given up. */
function retryOf({ state, retryAt }: Connection, view: View): string {
  if (retryAt !== null) return fromNow(Date.parse(retryAt) - view.nowMs);
  return state === "failed" ? "never" : "now";
}

function peerHead(peer: Peer, paint: Paint): string[] {
  return [label(peer), peer.address, paint(PEER_COLOURS[peer.state], peer.state)];
}

function connectionCells(row: PeerConnection, paint: Paint): string[] {
  const state = paint(CONNECTION_COLOURS[row.state], row.state);
  return [`   ${arrow(row)}`, row.address, label(row.peer), state];
}

function ipamRemark(entry: IpamEntry, paint: Paint): string {
  const active = entry.active === null ? "" : ` (${entry.active} active)`;
  return active + (entry.reachable ? "" : ` ${paint("red", "- unreachable!")}`);
}

function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)}ms`;
  return ms < 100 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}

/** "now", "in 7s", "in 3m". */
function fromNow(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds <= 0) return "now";
  return seconds < 120 ? `in ${seconds}s` : `in ${Math.round(seconds / 60)}m`;
}
