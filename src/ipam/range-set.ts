/**
 * Sets of addresses as sorted lists of half-open ranges. Invariant: what these functions return is sorted,
 * disjoint, without empty ranges, and neighbours that touch are one range.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";

/** The set that holds exactly the addresses of `ranges`, which may come in any order and overlap. */
export function rangeSet(ranges: readonly Range[]): Range[] {
  const sorted = ranges.filter((range) => range.start < range.end);
  sorted.sort((a, b) => a.start - b.start);
  const set: Range[] = [];
  for (const range of sorted) {
    const last = set.at(-1);
    if (last && range.start <= last.end) {
      set[set.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else {
      set.push({ start: range.start, end: range.end });
    }
  }
  return set;
}

/** The addresses of set `a` that are not in set `b`; O(a + b). */
export function subtractRanges(a: readonly Range[], b: readonly Range[]): Range[] {
  const left: Range[] = [];
  let j = 0;
  for (const range of a) {
    let start = range.start;
    while (j < b.length && (b[j]?.end ?? 0) <= start) j++;
    for (let k = j; k < b.length; k++) {
      const hole = b[k];
      if (!hole || hole.start >= range.end) break;
      if (hole.start > start) left.push({ start, end: hole.start });
      start = Math.max(start, hole.end);
    }
    if (start < range.end) left.push({ start, end: range.end });
  }
  return left;
}

/** The addresses that are in both sets; O(a + b). */
export function intersectRanges(a: readonly Range[], b: readonly Range[]): Range[] {
  const both: Range[] = [];
  let i = 0;
  let j = 0;
  for (let x = a[i], y = b[j]; x && y; x = a[i], y = b[j]) {
    const start = Math.max(x.start, y.start);
    const end = Math.min(x.end, y.end);
    if (start < end) both.push({ start, end });
    if (x.end < y.end) i++;
    else j++;
  }
  return both;
}

/** The index of the range of the set that holds `address`, or -1; O(log n). */
export function indexOfAddress(set: readonly Range[], address: Ipv4): number {
  let low = 0;
  let high = set.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = set[middle];
    if (!range) return -1;
    if (address < range.start) high = middle - 1;
    else if (address >= range.end) low = middle + 1;
    else return middle;
  }
  return -1;
}

/** How many addresses the set holds. */
export function countAddresses(set: readonly Range[]): number {
  let count = 0;
  for (const range of set) count += range.end - range.start;
  return count;
}
