/**
 * What a backend has to say to the desired state: who gets a tunnel, what the device is told, and which packets may reach it.
 *
 * Everything else (routes, MTU, sysctls, Docker's rules) is the same for all backends and asks only for the device's name. The two plans
 * are `wireguardPlan` and `vxlanPlan`; `BACKENDS` in desired-overlay.ts lists them.
 */
import { type Cidr, rangeToCidrs } from "../values/cidr.ts";
import type { OverlayInput, OverlayPeer, TunnelConfig } from "./overlay-config.ts";
import { rangesByOwner } from "./routes-plan.ts";

export interface BackendPlan {
  /**
   * What tells the peer's tunnel from any other's; of two peers with one mark the lower id has the tunnel. Undefined: none can be made, for
   * what gossip says of the peer is malformed or incomplete.
   */
  mark(peer: OverlayPeer, input: OverlayInput): string | undefined;
  /** True where the device is told the next hop, being a link with many ends; false where it knows whose each address is. */
  readonly needsNextHop: boolean;
  tunnel(input: OverlayInput, peers: readonly OverlayPeer[]): TunnelConfig;
  firewall(input: OverlayInput, peers: readonly OverlayPeer[]): TunnelFirewall;
  fastPath(input: OverlayInput, peers: readonly OverlayPeer[]): TunnelFastPath;
}

/** What the table of the fast path asks of TCP between containers of two hosts, as nft lists it. */
export interface TunnelFastPath {
  /** Named sets and maps, each the lines of its block. */
  readonly sets: readonly (readonly [title: string, lines: readonly string[]])[];
  /** Of a packet of a container of ours: whether it is for a peer, and the next hop to which it goes. */
  readonly toTunnel: string;
  /** Of a packet for a container of ours: whether its source is its sender's. */
  readonly fromTunnel: string;
}

/** Rules as nft lists them, for chains of our table. */
export interface TunnelFirewall {
  /** Named sets, each the lines of its block. */
  readonly sets: readonly (readonly [name: string, lines: readonly string[]])[];
  /** What came out of the tunnel and is addressed to the subnet: whether its source is its sender's. */
  readonly fromTunnel: readonly string[];
  /** UDP to the tunnel's port, from anywhere but our devices and by containers to outside of the subnet. */
  readonly datagram: readonly string[];
  /** What the host itself sends. */
  readonly output: readonly string[];
  /** What this host passes on, neither to the bridge nor to the tunnel. */
  readonly forward: readonly string[];
}

/** What each peer may send from and is sent: its node address and its ranges, as the fewest blocks, ascending. */
export function ownedBlocks(
  input: OverlayInput,
  peers: readonly OverlayPeer[],
): ReadonlyMap<OverlayPeer, readonly Cidr[]> {
  const ranges = rangesByOwner(input.segments, input.subnet);
  return new Map(
    peers.map((peer) => {
      const node = { start: peer.address, end: peer.address + 1 };
      const blocks = [node, ...(ranges.get(peer.id) ?? [])].flatMap(rangeToCidrs);
      return [peer, blocks.toSorted((a, b) => a.base - b.base)];
    }),
  );
}

/** The peers that get a tunnel, by id: those with a mark that no lower id has, and not ourselves. */
export function tunnelPeers(plan: BackendPlan, input: OverlayInput): OverlayPeer[] {
  const ids = new Set([input.self.id]);
  const marks = new Set<string>();
  return input.peers
    .toSorted((a, b) => a.id - b.id)
    .filter((peer) => {
      const mark = plan.mark(peer, input);
      if (mark === undefined || ids.has(peer.id) || marks.has(mark)) return false;
      ids.add(peer.id);
      marks.add(mark);
      return true;
    });
}
