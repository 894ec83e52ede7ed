/**
 * A ring: who owns which address of one range, as a sorted list of records.
 *
 * Invariant: for each token (a record's `start`) only the owner of the newest version writes the next one,
 * and a record's `end` was written by an owner that knew every token up to there. So whoever holds the newest
 * record of a token owns all of [start, end) even when it knows nothing else of the ring, and records may be
 * merged one at a time, in any order, twice, or in part.
 *
 * Merging is a join per token: higher version wins; birth records (version 0) so lose to any other. Tokens are
 * never removed. Therefore merge is commutative, associative and idempotent.
 */
import type { Range } from "../values/cidr.ts";
import { contains } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { MAX_NODE_ID, type NodeId, SEED_IDS } from "../values/node-id.ts";
import { rangeSet } from "./range-set.ts";
import type { RingEntry } from "./step.ts";

/** A ring entry whose `end` is known: the owner owns at most [start, end). */
export interface RingRecord extends RingEntry {
  readonly end: number;
}

export interface Ring {
  readonly range: Range;
  /** Sorted by `start`, one for each token. */
  readonly records: readonly RingRecord[];
}

/** A stretch of addresses of one owner; neighbours have different owners. */
export interface Segment extends Range {
  readonly owner: NodeId;
}

/** Owners stop splitting a ring of this many records. */
export const SPLIT_LIMIT = 65_536;

/** A ring never holds more records than this: room for what others split before they heard of the limit. */
export const MAX_RING_RECORDS = 2 * SPLIT_LIMIT;

export const MAX_RING_VERSION = 2 ** 32 - 1;

/** Each seed's equal quarter at version 0. Every node computes the same. */
export function birthRing(range: Range): Ring {
  const size = (range.end - range.start) / SEED_IDS.length;
  const records = SEED_IDS.map((owner, index) => ({
    start: range.start + index * size,
    end: range.start + (index + 1) * size,
    owner,
    version: 0,
    free: size,
  }));
  return { range, records };
}

/** The ring's broken invariant in words, or undefined. For tests and for what is read from disk. */
export function checkRing(ring: Ring): string | undefined {
  const { range, records } = ring;
  if (records.length > MAX_RING_RECORDS) return `${records.length} records`;
  if (records[0]?.start !== range.start) return "the first record does not start the range";
  for (const [index, record] of records.entries()) {
    if (!toRecord(range, record)) return `record ${index} is out of bounds`;
    const next = records[index + 1];
    if (next && next.start <= record.start) return `record ${index + 1} is not in order`;
  }
  return undefined;
}

/** `entry` as a record of this range, or undefined when a number in it is out of bounds. */
export function toRecord(range: Range, entry: RingEntry): RingRecord | undefined {
  const { start, owner, version, free } = entry;
  const end = entry.end ?? range.end;
  const sane =
    [start, end, owner, version, free].every(Number.isInteger) &&
    contains(range, start) &&
    end > start &&
    end <= range.end &&
    owner >= 1 &&
    owner <= MAX_NODE_ID &&
    version >= 0 &&
    version <= MAX_RING_VERSION &&
    free >= 0;
  if (!sane) return undefined;
  return { start, end, owner, version, free: Math.min(free, end - start) };
}

/** The index of the record whose token is the last at or before `address`; -1 for none. O(log n). */
export function indexAt(ring: Ring, address: Ipv4): number {
  let low = 0;
  let high = ring.records.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if ((ring.records[middle]?.start ?? 0) <= address) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** Where the record at `index` really ends: at its own end, or at the next token when that comes first. */
export function endOf(ring: Ring, index: number): number {
  const end = ring.records[index]?.end ?? ring.range.end;
  return Math.min(end, ring.records[index + 1]?.start ?? ring.range.end);
}

/** The record that covers `address`, or undefined outside the range and where a record is not known yet. */
export function recordAt(ring: Ring, address: Ipv4): RingRecord | undefined {
  if (!contains(ring.range, address)) return undefined;
  const index = indexAt(ring, address);
  return address < endOf(ring, index) ? ring.records[index] : undefined;
}

/** The owner of `address`, born or not; undefined as for `recordAt`. O(log n). */
export function ownerOf(ring: Ring, address: Ipv4): NodeId | undefined {
  return recordAt(ring, address)?.owner;
}

/** The ring as stretches of one owner, ascending; a gap is a record that is not known yet. */
export function segments(ring: Ring): Segment[] {
  const list: Segment[] = [];
  for (const [index, { start, owner }] of ring.records.entries()) {
    const end = endOf(ring, index);
    const last = list.at(-1);
    if (last && last.owner === owner && last.end === start) {
      list[list.length - 1] = { ...last, end };
    } else {
      list.push({ start, end, owner });
    }
  }
  return list;
}

/** What `owner` may use: its records that are born (version above 0), as a range set. */
export function bornRanges(ring: Ring, owner: NodeId): Range[] {
  const ranges: Range[] = [];
  for (const [index, record] of ring.records.entries()) {
    if (record.owner !== owner || record.version === 0) continue;
    ranges.push({ start: record.start, end: endOf(ring, index) });
  }
  return rangeSet(ranges);
}

export interface MergeResult {
  readonly ring: Ring;
  /** The incoming records that won or are new. */
  readonly changed: readonly RingRecord[];
  /** Pairs of one token and version that say different things: two writers, so evidence of a conflict. */
  readonly contested: readonly { readonly won: RingRecord; readonly lost: RingRecord }[];
}

/**
 * The join of `ring` and `incoming`, which may be a part, unsorted or repeated. Entries out of bounds are
 * ignored, and so is all that would make the ring larger than its limit. O(incoming log ring) when nothing is new, else a
 * copy of the ring as well.
 */
export function merge(ring: Ring, incoming: readonly RingEntry[]): MergeResult {
  const contested: { won: RingRecord; lost: RingRecord }[] = [];
  const join = (a: RingRecord, b: RingRecord): RingRecord => {
    const won = beats(b, a) ? b : a;
    const lost = won === a ? b : a;
    if (a.version === b.version && (a.owner !== b.owner || a.end !== b.end)) {
      contested.push({ won, lost });
    }
    return won;
  };
  const news = new Map<Ipv4, RingRecord>();
  for (const entry of incoming) {
    const record = toRecord(ring.range, entry);
    if (!record) continue;
    const other = news.get(record.start);
    news.set(record.start, other ? join(other, record) : record);
  }
  const changed: RingRecord[] = [];
  const added: RingRecord[] = [];
  const replaced = new Map<number, RingRecord>();
  for (const record of news.values()) {
    const index = indexAt(ring, record.start);
    const ours = ring.records[index];
    if (ours?.start !== record.start) {
      changed.push(record);
      added.push(record);
    } else if (join(ours, record) === record) {
      changed.push(record);
      replaced.set(index, record);
    }
  }
  const tooMany = ring.records.length + added.length > MAX_RING_RECORDS;
  if (changed.length === 0 || tooMany) return { ring, changed: [], contested };
  const records = [...ring.records];
  for (const [index, record] of replaced) records[index] = record;
  if (added.length > 0) {
    records.push(...added);
    records.sort((a, b) => a.start - b.start);
  }
  return { ring: { range: ring.range, records }, changed, contested };
}

/**
 * Whether `a` wins over `b` for one token. A tie goes to who claims less, then to the lower id, then to the
 * lower hint: any total order converges; this one never makes anybody's space larger than it was written.
 */
function beats(a: RingRecord, b: RingRecord): boolean {
  if (a.version !== b.version) return a.version > b.version;
  if (a.end !== b.end) return a.end < b.end;
  if (a.owner !== b.owner) return a.owner < b.owner;
  return a.free < b.free;
}
