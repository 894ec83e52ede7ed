/** The fields of the control channel, written and read. Invariant: what is read is checked; throws USAGE otherwise. */
import { HansaError } from "../errors.ts";
import type { Fields } from "../host/line-channel.ts";
import type { Lease } from "../ipam/lease-book.ts";
import type { Space } from "../ipam/lease-record.ts";
import type { Cession } from "../ipam/step.ts";
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";

/** A lease as the daemon sees it. */
export interface LeaseRow extends Lease {
  readonly address: Ipv4;
}

export interface Usage {
  /** What a request for any address could get now. */
  readonly free: number;
  /** All leases. */
  readonly active: number;
}

export function encodeRanges(ranges: readonly Range[]): [Ipv4, number][] {
  return ranges.map(({ start, end }) => [start, end]);
}

export function decodeRanges(value: unknown): Range[] {
  return list(value, "ranges").map((pair) => {
    const [start, end] = list(pair, "a range");
    if (!isAddress(start) || !Number.isSafeInteger(end) || Number(end) <= start) {
      throw malformed("a range");
    }
    if (Number(end) > 2 ** 32) throw malformed("a range");
    return { start, end: Number(end) };
  });
}

export function encodeSpace(space: Space | undefined): Fields | null {
  if (!space) return null;
  const { ready, subnet, gateway, ranges, avoid } = space;
  const fields = { ready, subnet, gateway, ranges: encodeRanges(ranges) };
  return avoid === undefined ? fields : { ...fields, avoid: encodeRanges(avoid) };
}

export function decodeSpace(value: unknown): Space {
  const { ready, subnet, gateway, ranges, avoid } = object(value, "space");
  if (typeof ready !== "boolean" || typeof subnet !== "string") throw malformed("space");
  const space = { ready, subnet, gateway: decodeAddress(gateway), ranges: decodeRanges(ranges) };
  return avoid === undefined ? space : { ...space, avoid: decodeRanges(avoid) };
}

export function encodeCession(want: Cession): Fields {
  switch (want.kind) {
    case "address":
      return { ...want };
    case "ranges":
      return { kind: want.kind, ranges: encodeRanges(want.ranges) };
    case "space":
      return { kind: want.kind, within: encodeRanges(want.within) };
  }
}

export function decodeCession(value: unknown): Cession {
  const { kind, address, ranges, within } = object(value, "want");
  if (kind === "address") return { kind, address: decodeAddress(address) };
  if (kind === "ranges") return { kind, ranges: decodeRanges(ranges) };
  if (kind === "space") return { kind, within: decodeRanges(within) };
  throw malformed("want");
}

export function decodeAddress(value: unknown): Ipv4 {
  if (!isAddress(value)) throw malformed("an address");
  return value;
}

export function decodeAddresses(value: unknown): Ipv4[] {
  return list(value, "addresses").map(decodeAddress);
}

export function encodeLeases(leases: ReadonlyMap<Ipv4, Lease>): Fields[] {
  return [...leases].map(([address, { sinceMs, fixed }]) => ({ address, since: sinceMs, fixed }));
}

export function decodeLeases(value: unknown): LeaseRow[] {
  return list(value, "leases").map((row) => {
    const { address, since, fixed } = object(row, "a lease");
    return { address: decodeAddress(address), sinceMs: count(since), fixed: fixed === true };
  });
}

export function decodeUsage(fields: Fields): Usage {
  return { free: count(fields["free"]), active: count(fields["active"]) };
}

export function count(value: unknown): number {
  if (typeof value !== "number" || !(value >= 0)) throw malformed("a number");
  return value;
}

function isAddress(value: unknown): value is Ipv4 {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

function object(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null) throw malformed(what);
  return value as Fields;
}

function malformed(what: string): HansaError {
  return new HansaError("USAGE", `${what} is malformed in a message of the control channel`);
}
