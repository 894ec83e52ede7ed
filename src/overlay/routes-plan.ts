/**
 * Which way each address of the subnet goes: our own ranges to the bridge, peers' ranges and node addresses into
 * the tunnel, everything else nowhere.
 *
 * Docker gives the bridge the whole subnet on-link. Two unreachable routes for its halves, one bit longer, take that over, and
 * every real route is at least as long as they are. So longest-prefix match gives each address exactly one decision,
 * and what nobody holds fails at once instead of waiting for an ARP answer that never comes.
 */
import { type Cidr, cidrRange, formatCidr, type Range, rangeToCidrs } from "../values/cidr.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import {
  type OverlayInput,
  type OverlayPeer,
  type Route,
  type Segment,
  TUNNEL_DEVICES,
} from "./overlay-config.ts";

/** Ranges by owner, clipped to the subnet, neighbours joined, ascending. O(n log n). */
export function rangesByOwner(
  segments: readonly Segment[],
  subnet: Cidr,
): ReadonlyMap<NodeId, readonly Range[]> {
  const bounds = cidrRange(subnet);
  const result = new Map<NodeId, Range[]>();
  for (const segment of segments.toSorted((a, b) => a.start - b.start)) {
    const start = Math.max(segment.start, bounds.start);
    const end = Math.min(segment.end, bounds.end);
    if (start >= end) continue;
    const ranges = result.get(segment.owner) ?? [];
    result.set(segment.owner, ranges);
    const last = ranges.at(-1);
    if (last !== undefined && last.end === start) ranges[ranges.length - 1] = { ...last, end };
    else ranges.push({ start, end });
  }
  return result;
}

/** What this host gives out, as the fewest blocks, ascending. */
export function ownBlocks(input: Pick<OverlayInput, "self" | "segments" | "subnet">): Cidr[] {
  return (rangesByOwner(input.segments, input.subnet).get(input.self.id) ?? []).flatMap(
    rangeToCidrs,
  );
}

/**
 * The routes of this host, ascending by address, the longer first where two begin alike. `needsNextHop`: what goes into the tunnel goes by the
 * owner's node address.
 */
export function planRoutes(
  input: OverlayInput,
  peers: readonly OverlayPeer[],
  needsNextHop: boolean,
): Route[] {
  const routes = new Map<string, Route & { readonly cidr: Cidr }>();
  const add = (cidr: Cidr, way: Omit<Route, "destination">): void => {
    // A route as long as the kernel's own on-link route would replace it, so the whole subnet goes as two halves.
    if (cidr.prefix <= input.subnet.prefix) {
      for (const half of halves(cidr)) add(half, way);
      return;
    }
    const destination = formatCidr(cidr);
    if (!routes.has(destination)) routes.set(destination, { cidr, destination, ...way });
  };
  const ranges = rangesByOwner(input.segments, input.subnet);
  const device = TUNNEL_DEVICES[input.backend];
  for (const peer of peers) add({ base: peer.address, prefix: 32 }, { device });
  for (const peer of peers) {
    const way = needsNextHop ? { device, via: formatIpv4(peer.address) } : { device };
    for (const range of ranges.get(peer.id) ?? []) {
      for (const cidr of rangeToCidrs(range)) add(cidr, way);
    }
  }
  for (const range of ranges.get(input.self.id) ?? []) {
    for (const cidr of rangeToCidrs(range)) add(cidr, { device: input.bridge });
  }
  for (const half of halves(input.subnet)) add(half, { device: null });
  return [...routes.values()]
    .toSorted((a, b) => a.cidr.base - b.cidr.base || b.cidr.prefix - a.cidr.prefix)
    .map(({ cidr: _, ...route }) => route);
}

function halves(cidr: Cidr): readonly [Cidr, Cidr] {
  const prefix = cidr.prefix + 1;
  return [
    { base: cidr.base, prefix },
    { base: cidr.base + 2 ** (32 - prefix), prefix },
  ];
}
