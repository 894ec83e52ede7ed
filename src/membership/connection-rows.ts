/**
 * Each node's row of connections, as it is gossiped, and the true mesh that follows from all rows.
 *
 * A row belongs to one member and carries a version that only it raises: the higher one wins. An edge is established only when both ends
 * say so, so a one-sided belief is never shown as a connection.
 */
import { MAX_NODE_ID, type NodeId } from "../values/node-id.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { formatMemberName, isKeyFingerprint, parseMemberName } from "./member-name.ts";

/** Connections in one row at most; the encoder keeps the first. */
export const MAX_CONNECTIONS = 1024;
const FORMAT = 1;
const HEADER_BYTES = 17;
const CONNECTION_BYTES = 11;
const VIA_BYTES = 4;
const STATES = ["established", "pending"] as const;
const BACKENDS = ["none", "wireguard", "vxlan", "relay"] as const;
const MAX_RTT_MS = 65535 / 10;

export interface RowConnection {
  readonly peer: NodeId;
  readonly keyFingerprint: string;
  readonly state: (typeof STATES)[number];
  /** Round trip, kept to a tenth of a millisecond up to 6.5 s; undefined before one was measured. */
  readonly rttMs: number | undefined;
  /** 0 while unknown. */
  readonly mtu: number;
  readonly backend: (typeof BACKENDS)[number];
  /** The member that a relayed connection goes through; undefined when none does. */
  readonly via?: NodeId;
}

export interface ConnectionRow {
  /** The member's name of whoever wrote the row. */
  readonly owner: string;
  /** The daemon's boot number: a new life may begin again with a low version. */
  readonly boot: number;
  readonly version: number;
  readonly connections: readonly RowConnection[];
}

/** An edge of the mesh, named once, `from` being the lower name in the order of text. */
export interface MeshEdge {
  readonly from: string;
  readonly to: string;
  readonly state: "established" | "pending";
  /** The larger of both ends' measures. */
  readonly rttMs: number | undefined;
  /** The smaller of both ends' known ones; 0 when neither knows. */
  readonly mtu: number;
  readonly backend: RowConnection["backend"];
  /** As either end says; undefined when no member is between. */
  readonly via: NodeId | undefined;
}

/**
 * 17 bytes and 11 for each connection, then 2 and 4 for each that goes through a member; what does not fit into `maxBytes` is left out at the end. Throws RangeError for an owner or peer
 * that is not a Hansa member.
 */
export function encodeRow(row: ConnectionRow, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  const owner = parseMemberName(row.owner);
  if (owner === undefined) throw new RangeError(`"${row.owner}" has no connection row`);
  const connections = fitting(row.connections, maxBytes);
  const writer = new ByteWriter()
    .u8(FORMAT)
    .u16(owner.id)
    .u32(Number.parseInt(owner.keyFingerprint, 16))
    .u32(row.boot)
    .u32(row.version)
    .u16(connections.length);
  for (const { peer, keyFingerprint, state, rttMs, mtu, backend } of connections) {
    if (peer < 1 || peer > MAX_NODE_ID || !isKeyFingerprint(keyFingerprint)) {
      throw new RangeError(`a connection to id ${peer} cannot be announced`);
    }
    writer
      .u16(peer)
      .u32(Number.parseInt(keyFingerprint, 16))
      .u8(STATES.indexOf(state) * 16 + BACKENDS.indexOf(backend))
      // 0 stands for "not measured".
      .u16(rttMs === undefined ? 0 : Math.max(1, Math.round(Math.min(rttMs, MAX_RTT_MS) * 10)))
      .u16(Math.min(mtu, 65535));
  }
  const relayed = [...connections.entries()].filter(([, { via }]) => via !== undefined);
  writer.u16(relayed.length);
  for (const [index, { via }] of relayed) writer.u16(index).u16(via ?? 0);
  return writer.finish();
}

/** As many of the first connections as `maxBytes` holds. */
function fitting(connections: readonly RowConnection[], maxBytes: number): RowConnection[] {
  const taken: RowConnection[] = [];
  let bytes = HEADER_BYTES + 2;
  for (const connection of connections.slice(0, MAX_CONNECTIONS)) {
    bytes += CONNECTION_BYTES + (connection.via === undefined ? 0 : VIA_BYTES);
    if (bytes > maxBytes) break;
    taken.push(connection);
  }
  return taken;
}

/** The row, or undefined when malformed. Never throws; trailing bytes are ignored. */
export function decodeRow(bytes: Uint8Array): ConnectionRow | undefined {
  const reader = new ByteReader(bytes);
  reader.demand(reader.u8() === FORMAT);
  const [ownerId, ownerKey] = [reader.u16(), readFingerprint(reader)];
  const [boot, version, count] = [reader.u32(), reader.u32(), reader.u16()];
  reader.demand(ownerId >= 1 && count <= MAX_CONNECTIONS);
  const connections: RowConnection[] = [];
  for (let index = 0; index < count && !reader.hasFailed; index++) {
    const peer = reader.u16();
    const keyFingerprint = readFingerprint(reader);
    const kind = reader.u8();
    const [state, backend] = [STATES[kind >>> 4], BACKENDS[kind & 15]];
    const tenths = reader.u16();
    const mtu = reader.u16();
    reader.demand(peer >= 1 && state !== undefined && backend !== undefined);
    if (state === undefined || backend === undefined) return undefined;
    const rttMs = tenths === 0 ? undefined : tenths / 10;
    connections.push({ peer, keyFingerprint, state, rttMs, mtu, backend });
  }
  if (reader.hasFailed) return undefined;
  readVias(reader, connections);
  if (reader.hasFailed) return undefined;
  const owner = formatMemberName({ id: ownerId, keyFingerprint: ownerKey });
  return { owner, boot, version, connections };
}

/** Rows of versions before the relay end without these. */
function readVias(reader: ByteReader, connections: RowConnection[]): void {
  if (reader.remaining === 0) return;
  const count = reader.u16();
  reader.demand(count <= connections.length);
  for (let each = 0; each < count && !reader.hasFailed; each++) {
    const [index, via] = [reader.u16(), reader.u16()];
    const connection = connections[index];
    reader.demand(connection !== undefined && via >= 1);
    if (connection !== undefined) connections[index] = { ...connection, via };
  }
}

/**
 * Whether `next` takes the place of `current` of the same owner: a higher version of one life. Between lives versions do not compare:
 * `boot` is the one that the owner's metadata says now, and its row wins.
 */
export function supersedes(
  next: ConnectionRow,
  current: ConnectionRow | undefined,
  boot?: number,
): boolean {
  if (current === undefined) return true;
  if (next.boot === current.boot) return next.version > current.version;
  if (boot === undefined) return next.version > current.version;
  return next.boot === boot && current.boot !== boot;
}

/** Puts `row` into `rows` when it is newer; says whether it was, that is, whether to pass it on. */
export function mergeRow(
  rows: Map<string, ConnectionRow>,
  row: ConnectionRow,
  boot?: number,
): boolean {
  if (!supersedes(row, rows.get(row.owner), boot)) return false;
  rows.set(row.owner, row);
  return true;
}

/** The edges that at least one end claims, each once, sorted by names; O(connections). */
export function mesh(rows: Iterable<ConnectionRow>): MeshEdge[] {
  const claims = new Map<string, RowConnection>();
  for (const row of rows) {
    for (const connection of row.connections) {
      const to = nameOf(connection);
      if (to !== row.owner) claims.set(`${row.owner} ${to}`, connection);
    }
  }
  const edges: MeshEdge[] = [];
  for (const [key, here] of claims) {
    const [owner = "", peer = ""] = key.split(" ");
    const there = claims.get(`${peer} ${owner}`);
    // An edge that both claim is made once, by the lower name.
    if (there !== undefined && owner > peer) continue;
    const [from, to] = owner < peer ? [owner, peer] : [peer, owner];
    edges.push({ from, to, ...joined(here, there) });
  }
  return edges.sort((a, b) => compareText(a.from, b.from) || compareText(a.to, b.to));
}

function joined(
  here: RowConnection,
  there: RowConnection | undefined,
): Omit<MeshEdge, "from" | "to"> {
  const isBoth = here.state === "established" && there?.state === "established";
  const rtts = [here.rttMs, there?.rttMs].filter((rtt) => rtt !== undefined);
  const mtus = [here.mtu, there?.mtu ?? 0].filter((mtu) => mtu > 0);
  const isRelayed = there?.backend === "relay";
  const via = here.via ?? there?.via;
  return {
    state: isBoth ? "established" : "pending",
    rttMs: rtts.length === 0 ? undefined : Math.max(...rtts),
    mtu: mtus.length === 0 ? 0 : Math.min(...mtus),
    backend: isRelayed ? "relay" : here.backend,
    via,
  };
}

function readFingerprint(reader: ByteReader): string {
  return reader.u32().toString(16).padStart(8, "0");
}

function nameOf({ peer, keyFingerprint }: RowConnection): string {
  return formatMemberName({ id: peer, keyFingerprint });
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
