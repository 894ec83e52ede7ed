/**
 * Ring entries as bytes, for gossip, and as JSON, for the disk. Invariant: decoding never throws and never
 * yields an entry outside the plan's rings; what it refuses, it refuses whole.
 *
 * Bytes: version (1), subnet base (u32, big endian), prefix (u8), count, then for each entry in ascending order of
 * start: start less the end of the previous start (from the subnet's base), size (end - start), owner, version,
 * free. All but the first three are LEB128. An entry takes 7 to 20 bytes.
 */
import { type Cidr, formatCidr } from "../values/cidr.ts";
import type { NodeId } from "../values/node-id.ts";
import { type AddressPlan, ringOf } from "./address-plan.ts";
import { checkRing, MAX_RING_RECORDS, type Ring, type RingRecord, toRecord } from "./ring.ts";
import type { RingEntry } from "./step.ts";

export const RING_FORMAT = 1;

/** Both rings at their largest. */
const MAX_ENTRIES = 2 * MAX_RING_RECORDS;
const HEADER_BYTES = 6;
/** The largest count that a varint may say: 2^35 fits five bytes of seven bits. */
const VARINT_BYTES = 5;

export type DecodedEntries =
  | { readonly ok: true; readonly entries: readonly RingRecord[] }
  /** "subnet": the sender's cluster has another subnet (`subnet` says which): nothing of it may be merged. */
  | { readonly ok: false; readonly reason: "subnet"; readonly subnet: string }
  | { readonly ok: false; readonly reason: "format" | "malformed" };

/** Entries of both rings as bytes; those outside the plan are left out. */
export function encodeEntries(plan: AddressPlan, entries: readonly RingEntry[]): Uint8Array {
  const records: RingRecord[] = [];
  for (const entry of entries) {
    const name = ringOf(plan, entry.start);
    const record = name && toRecord(plan[name], entry);
    if (record) records.push(record);
  }
  records.sort((a, b) => a.start - b.start);
  const { base, prefix } = plan.subnet;
  const bytes = [RING_FORMAT, (base >>> 24) & 255, (base >>> 16) & 255, (base >>> 8) & 255];
  bytes.push(base & 255, prefix);
  pushVarint(bytes, records.length);
  let previous = plan.range.start;
  for (const { start, end, owner, version, free } of records) {
    for (const value of [start - previous, end - start, owner, version, free]) {
      pushVarint(bytes, value);
    }
    previous = start;
  }
  return Uint8Array.from(bytes);
}

/** The entries that `bytes` hold, or why not. Repeated starts are allowed: merging sorts them out. */
export function decodeEntries(plan: AddressPlan, bytes: Uint8Array): DecodedEntries {
  const malformed: DecodedEntries = { ok: false, reason: "malformed" };
  if (bytes.length === 0) return malformed;
  if (bytes[0] !== RING_FORMAT) return { ok: false, reason: "format" };
  if (bytes.length <= HEADER_BYTES) return malformed;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const subnet: Cidr = { base: view.getUint32(1), prefix: view.getUint8(5) };
  if (subnet.base !== plan.subnet.base || subnet.prefix !== plan.subnet.prefix) {
    return { ok: false, reason: "subnet", subnet: formatCidr(subnet) };
  }
  const reader = new VarintReader(bytes, HEADER_BYTES);
  const count = reader.next();
  // Each entry takes five bytes at least, so a short message cannot make us reserve much.
  if (count > MAX_ENTRIES || count * 5 > bytes.length) return malformed;
  const entries: RingRecord[] = [];
  let start = plan.range.start;
  for (let i = 0; i < count; i++) {
    start += reader.next();
    const end = start + reader.next();
    const entry = { start, end, owner: reader.next(), version: reader.next(), free: reader.next() };
    const name = ringOf(plan, start);
    const record = name && toRecord(plan[name], entry);
    if (!record || reader.broken) return malformed;
    entries.push(record);
  }
  return reader.atEnd ? { ok: true, entries } : malformed;
}

/** [start, end, owner, version, free]. */
export type PersistedRecord = readonly [number, number, NodeId, number, number];

/** Both rings as plain JSON. `format` is 1. */
export interface PersistedRings {
  readonly format: 1;
  readonly subnet: string;
  readonly self: NodeId;
  readonly dynamic: readonly PersistedRecord[];
  readonly fixed: readonly PersistedRecord[];
  /** A twin had the node's id when this was written: it gives nothing before it heard that this is over. */
  readonly fenced?: true;
}

/** A ring as rows for `PersistedRings`. */
export function ringToRows(ring: Ring): PersistedRecord[] {
  return ring.records.map(({ start, end, owner, version, free }) => {
    return [start, end, owner, version, free] as const;
  });
}

/** What of persisted rings differs from birth. Once they are on disk, all of it may be told in a push/pull. */
export function entriesOf(rings: PersistedRings): RingRecord[] {
  const rows = [...rings.fixed, ...rings.dynamic].filter(([, , , version]) => version > 0);
  return rows.map(([start, end, owner, version, free]) => ({ start, end, owner, version, free }));
}

/**
 * The rings that parsed JSON holds for this plan, or undefined when damaged, of another format or subnet.
 * The caller compares `self`.
 */
export function parsePersistedRings(plan: AddressPlan, value: unknown): PersistedRings | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { format, subnet, self, dynamic, fixed, fenced } = value as Readonly<
    Record<string, unknown>
  >;
  if (format !== 1 || subnet !== formatCidr(plan.subnet) || typeof self !== "number") {
    return undefined;
  }
  if (!isRows(dynamic) || !isRows(fixed)) return undefined;
  if (checkRing(rowsToRing(plan.dynamic, dynamic)) !== undefined) return undefined;
  if (checkRing(rowsToRing(plan.fixed, fixed)) !== undefined) return undefined;
  const rings = { format, subnet, self, dynamic, fixed } as const;
  return fenced === true ? { ...rings, fenced } : rings;
}

/** The ring of persisted rows; `checkRing` says whether it is one. */
export function rowsToRing(range: Ring["range"], rows: readonly PersistedRecord[]): Ring {
  const records = rows.map(([start, end, owner, version, free]) => {
    return { start, end, owner, version, free };
  });
  return { range, records };
}

function isRows(value: unknown): value is PersistedRecord[] {
  if (!Array.isArray(value) || value.length > MAX_RING_RECORDS) return false;
  return value.every(
    (row) => Array.isArray(row) && row.length === 5 && row.every(Number.isInteger),
  );
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

/** Reads varints; past the end or over-long ones make it `broken`, and then it yields zeros. */
class VarintReader {
  readonly #bytes: Uint8Array;
  #at: number;
  broken = false;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get atEnd(): boolean {
    return !this.broken && this.#at === this.#bytes.length;
  }

  next(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_BYTES && !this.broken; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    this.broken = true;
    return 0;
  }
}
