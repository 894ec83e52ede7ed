/**
 * What the lease book writes down. Invariant: a book is its snapshot plus the records after it, replayed in
 * order; a record says what was decided, so replaying needs no clock and no choice.
 */
import { isDeepStrictEqual } from "node:util";
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { subnetProblem } from "./address-plan.ts";

/** What the ring lets this host give, as the daemon last said. */
export interface Space {
  /** False until ring space is ours to use; nothing is given then. */
  readonly ready: boolean;
  /** "10.32.0.0/12". */
  readonly subnet: string;
  /** The node's own address, which is the bridge's. */
  readonly gateway: Ipv4;
  readonly ranges: readonly Range[];
  /** Held by containers of other nodes without right: not to be given. None where it is absent. */
  readonly avoid?: readonly Range[];
}

export type LeaseRecord =
  | { readonly type: "space"; readonly space: Space }
  | {
      readonly type: "leased";
      readonly address: Ipv4;
      readonly atMs: number;
      /** The address was asked for by name (`--ip`). */
      readonly fixed: boolean;
    }
  | { readonly type: "released"; readonly address: Ipv4; readonly atMs: number }
  | { readonly type: "ceded"; readonly ranges: readonly Range[] };

/** The whole of a book as plain JSON. `format` is 1. */
export interface LeaseSnapshot {
  readonly format: 1;
  readonly space: Space | null;
  /** [address, since (ms), fixed], ascending by address. */
  readonly leases: readonly (readonly [Ipv4, number, boolean])[];
  /** [address, when (ms)], in order of release. */
  readonly released: readonly (readonly [Ipv4, number])[];
}

const MAX_LIST = 2 ** 20;

/** The snapshot that parsed JSON holds, or undefined when anything in it is not as it was written. */
export function parseLeaseSnapshot(value: unknown): LeaseSnapshot | undefined {
  if (!isObject(value) || value["format"] !== 1) return undefined;
  const { space, leases, released } = value;
  if (space !== null && !isSpace(space)) return undefined;
  if (!isList(leases) || !leases.every(isLeaseRow)) return undefined;
  if (!isList(released) || !released.every(isReleasedRow)) return undefined;
  return { format: 1, space, leases, released };
}

/** The record that one line of parsed JSON holds, or undefined when it is none. */
export function parseLeaseRecord(value: unknown): LeaseRecord | undefined {
  if (!isObject(value)) return undefined;
  const { type, space, address, atMs, fixed, ranges } = value;
  if (type === "space") return isSpace(space) ? { type, space } : undefined;
  if (type === "ceded") return isRanges(ranges) ? { type, ranges } : undefined;
  if (!isAddress(address) || !isTime(atMs)) return undefined;
  if (type === "released") return { type, address, atMs };
  if (type === "leased" && typeof fixed === "boolean") return { type, address, atMs, fixed };
  return undefined;
}

export function sameSpace(a: Space | undefined, b: Space | undefined): boolean {
  return isDeepStrictEqual(a, b);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= MAX_LIST;
}

function isAddress(value: unknown): value is Ipv4 {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isRange(value: unknown): value is Range {
  if (!isObject(value)) return false;
  const { start, end } = value;
  return isAddress(start) && Number.isInteger(end) && Number(end) > start && Number(end) <= 2 ** 32;
}

function isRanges(value: unknown): value is readonly Range[] {
  return isList(value) && value.every(isRange);
}

function isSpace(value: unknown): value is Space {
  if (!isObject(value)) return false;
  const { ready, subnet, gateway, ranges, avoid } = value;
  return (
    typeof ready === "boolean" &&
    typeof subnet === "string" &&
    subnetProblem(subnet) === undefined &&
    isAddress(gateway) &&
    isRanges(ranges) &&
    (avoid === undefined || isRanges(avoid))
  );
}

function isLeaseRow(value: unknown): value is readonly [Ipv4, number, boolean] {
  return isList(value) && isAddress(value[0]) && isTime(value[1]) && typeof value[2] === "boolean";
}

function isReleasedRow(value: unknown): value is readonly [Ipv4, number] {
  return isList(value) && isAddress(value[0]) && isTime(value[1]);
}
