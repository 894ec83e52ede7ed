/** The report of `hansa ipam check`: each lease with its owner, age and reason, and what the rings lack. Pure. */
import type { AddressCheck, Lease } from "../../api/address-schemas.ts";
import { type AddressPlan, nodeAddress, RING_NAMES } from "../../ipam/address-plan.ts";
import type { AddressesView } from "../../ipam/addresses.ts";
import type { Segment } from "../../ipam/ring.ts";
import { contains, type Range } from "../../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import { LEAK_GRACE_MS, type SeenContainer, type SeenLease } from "./reconcile-plan.ts";

export interface CheckedLease extends SeenLease {
  /** Asked for by name. */
  readonly fixed: boolean;
}

export interface CheckFacts {
  readonly self: NodeId;
  readonly name: string;
  readonly plan: AddressPlan;
  readonly leases: readonly CheckedLease[];
  readonly containers: readonly SeenContainer[];
  readonly hasNetwork: boolean;
  readonly view: AddressesView;
  readonly freed: readonly Ipv4[];
  readonly wallMs: number;
  /** Owners that are heard now, ourselves not among them. */
  readonly heard: readonly NodeId[];
  readonly nameOf: (id: NodeId) => string | undefined;
}

export function addressCheck(facts: CheckFacts): AddressCheck {
  const { self, name, plan, view, freed, heard, nameOf } = facts;
  const leases = facts.leases.toSorted((a, b) => a.address - b.address);
  return {
    node: { id: self, name },
    leases: [...gatewayOf(facts), ...leases.map((lease) => leaseRow(facts, lease))],
    freed: freed.map(formatIpv4),
    holes: RING_NAMES.flatMap((ring) => holesOf(plan[ring], view.segments[ring])).map(
      ({ start, end }) => ({
        first: formatIpv4(start),
        last: formatIpv4(end - 1),
        addresses: end - start,
      }),
    ),
    unreachable: view.entries
      .filter(({ id, addresses, fixedAddresses }) => {
        return id !== self && !heard.includes(id) && addresses + fixedAddresses > 0;
      })
      .map(({ id, addresses, fixedAddresses }) => {
        return { id, name: nameOf(id) ?? null, addresses, fixedAddresses };
      }),
    conflicts: view.conflicts,
  };
}

/** What no record covers: ascending, and never more than `range`. */
export function holesOf(range: Range, segments: readonly Segment[]): Range[] {
  const holes: Range[] = [];
  let at = range.start;
  for (const { start, end } of segments.toSorted((a, b) => a.start - b.start)) {
    if (start > at) holes.push({ start: at, end: start });
    at = Math.max(at, end);
  }
  if (at < range.end) holes.push({ start: at, end: range.end });
  return holes;
}

function gatewayOf({ hasNetwork, plan, self }: CheckFacts): Lease[] {
  if (!hasNetwork) return [];
  return [
    {
      address: formatIpv4(nodeAddress(plan, self)),
      state: "held",
      reason: "gateway",
      container: null,
      since: null,
      ageSeconds: null,
      ringOwner: self,
    },
  ];
}

function leaseRow(facts: CheckFacts, { address, sinceMs, fixed }: CheckedLease): Lease {
  const { view, wallMs, self, containers } = facts;
  const holder = containers.find((container) => container.address === address);
  const ageMs = Math.max(0, wallMs - sinceMs);
  const segment = [...view.segments.dynamic, ...view.segments.fixed].find((each) =>
    contains(each, address),
  );
  const ringOwner = segment?.owner ?? null;
  const unheld = ageMs > LEAK_GRACE_MS ? "leak" : "unclaimed";
  const held = ringOwner === self ? "held" : "elsewhere";
  return {
    address: formatIpv4(address),
    state: holder ? held : unheld,
    reason: fixed ? "fixed" : "dynamic",
    container: holder ? { id: holder.id, name: holder.name } : null,
    since: new Date(sinceMs).toISOString(),
    ageSeconds: Math.floor(ageMs / 1000),
    ringOwner,
  };
}
