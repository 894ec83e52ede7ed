/** Address blocks: CIDR text, half-open ranges, and the fewest CIDR blocks that cover a range. */
import { formatIpv4, type Ipv4, parseIpv4 } from "./ipv4.ts";

/** A half-open range of addresses [start, end); `end` may be 2^32. Empty when start >= end. */
export interface Range {
  readonly start: Ipv4;
  readonly end: number;
}

/** A CIDR block; `base` has its host bits zero. */
export interface Cidr {
  readonly base: Ipv4;
  readonly prefix: number;
}

/** The block that `text` ("10.32.0.0/12") spells, or undefined when malformed or with host bits set. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, length, ...rest] = text.split("/");
  if (address === undefined || length === undefined || rest.length > 0) return undefined;
  const base = parseIpv4(address);
  if (base === undefined || !/^(0|[1-9]\d?)$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > 32 || base % 2 ** (32 - prefix) !== 0) return undefined;
  return { base, prefix };
}

/** "10.32.0.0/12". */
export function formatCidr(cidr: Cidr): string {
  return `${formatIpv4(cidr.base)}/${cidr.prefix}`;
}

/** The addresses of a block as a half-open range. */
export function cidrRange(cidr: Cidr): Range {
  return { start: cidr.base, end: cidr.base + 2 ** (32 - cidr.prefix) };
}

export function contains(range: Range, address: Ipv4): boolean {
  return address >= range.start && address < range.end;
}

export function overlaps(a: Range, b: Range): boolean {
  return a.start < b.end && b.start < a.end;
}

/** The fewest CIDR blocks that together are exactly `range`, in ascending order; at most 62. */
export function rangeToCidrs(range: Range): Cidr[] {
  const blocks: Cidr[] = [];
  let start = range.start;
  while (start < range.end) {
    let size = 2 ** 32;
    while (start % size !== 0 || start + size > range.end) size /= 2;
    blocks.push({ base: start, prefix: 32 - Math.log2(size) });
    start += size;
  }
  return blocks;
}
