/**
 * What an owner may write into a ring. Invariant: each write covers only what the writer owns (a take-over
 * excepted), raises the version of every token it touches, and says in `end` how far the token now reaches.
 *
 * Each function returns the new ring and the records written: the caller persists them before anybody hears.
 */
import type { Range } from "../values/cidr.ts";
import type { NodeId } from "../values/node-id.ts";
import { endOf, merge, type Ring, type RingRecord } from "./ring.ts";

/** A take-over raises versions by so much that it wins over whatever the vanished owner still wrote. */
export const TAKE_OVER_STEP = 100;

export interface RingWrite {
  readonly ring: Ring;
  /** Ascending; empty when there was nothing to write. */
  readonly written: readonly RingRecord[];
}

/** The records of `owner` at version 0 become version 1, where nobody has written anything inside them. */
export function exerciseBirth(ring: Ring, owner: NodeId): RingWrite {
  const written = ring.records.filter(
    (record, index) =>
      record.owner === owner && record.version === 0 && endOf(ring, index) === record.end,
  );
  return apply(
    ring,
    written.map((record) => ({ ...record, version: 1 })),
  );
}

/**
 * Gives the parts of `ranges` (a range set) that `from` owns and has born to `to`. A token is split at most
 * twice: what stays before the range, the range, what stays after it.
 */
export function grant(ring: Ring, from: NodeId, ranges: readonly Range[], to: NodeId): RingWrite {
  const written: RingRecord[] = [];
  let next = 0;
  for (const [index, record] of ring.records.entries()) {
    const recordEnd = endOf(ring, index);
    while (next < ranges.length && (ranges[next]?.end ?? 0) <= record.start) next++;
    if (record.owner !== from || record.version === 0) continue;
    let cursor = record.start;
    const pieces: { start: number; end: number; owner: NodeId }[] = [];
    for (let k = next; k < ranges.length; k++) {
      const range = ranges[k];
      if (!range || range.start >= recordEnd) break;
      const start = Math.max(range.start, record.start);
      const end = Math.min(range.end, recordEnd);
      if (start > cursor) pieces.push({ start: cursor, end: start, owner: from });
      pieces.push({ start, end, owner: to });
      cursor = end;
    }
    if (pieces.length === 0) continue;
    if (cursor < recordEnd) pieces.push({ start: cursor, end: recordEnd, owner: from });
    written.push(...shareOut(record, pieces, to));
  }
  return apply(ring, written);
}

/** Numbers the pieces of one record, and shares its hint: what is given is free, the rest is ours. */
function shareOut(
  record: RingRecord,
  pieces: readonly { start: number; end: number; owner: NodeId }[],
  to: NodeId,
): RingRecord[] {
  let given = 0;
  for (const piece of pieces) if (piece.owner === to) given += piece.end - piece.start;
  let kept = Math.max(0, record.free - given);
  return pieces.map((piece) => {
    const size = piece.end - piece.start;
    const free = piece.owner === to ? size : Math.min(size, kept);
    if (piece.owner !== to) kept -= free;
    return { ...piece, free, version: piece.start === record.start ? record.version + 1 : 1 };
  });
}

/**
 * All of `from`, born or not, becomes `to`'s. Only for an owner that vanished: where it still lives, both use
 * the same addresses until they meet; then the higher version wins and the loser reports a conflict.
 */
export function takeOver(ring: Ring, from: NodeId, to: NodeId): RingWrite {
  const written: RingRecord[] = [];
  for (const [index, record] of ring.records.entries()) {
    if (record.owner !== from) continue;
    const end = endOf(ring, index);
    const version = record.version + TAKE_OVER_STEP;
    written.push({ start: record.start, end, owner: to, version, free: end - record.start });
  }
  return apply(ring, written);
}

/** Spreads the owner's count of free addresses over its records, first to last; writes only what differs. */
export function refreshFree(ring: Ring, owner: NodeId, free: number): RingWrite {
  let left = free;
  const written: RingRecord[] = [];
  for (const [index, record] of ring.records.entries()) {
    if (record.owner !== owner || record.version === 0) continue;
    const end = endOf(ring, index);
    const share = Math.min(left, end - record.start);
    left -= share;
    if (share === record.free) continue;
    written.push({ ...record, end, free: share, version: record.version + 1 });
  }
  return apply(ring, written);
}

function apply(ring: Ring, written: readonly RingRecord[]): RingWrite {
  return { ring: merge(ring, written).ring, written };
}
