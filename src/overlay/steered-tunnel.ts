/** A tunnel as it is set, with its peers where they are now. Pure. */
import type { NodeId } from "../values/node-id.ts";
import type { OverlayConfig } from "./overlay-config.ts";

type Tunnel = OverlayConfig["tunnel"];

/**
 * `known` with the places that `wanted` has for `moved`; peers that `known` lacks are left out, for their routes and rules do not stand yet.
 * Where WireGuard roamed to on its own is not kept for them.
 */
export function steeredTunnel(known: Tunnel, wanted: Tunnel, moved: ReadonlySet<NodeId>): Tunnel {
  if (known.kind === "wireguard" && wanted.kind === "wireguard") {
    const peers = known.peers.map((peer) => {
      const now = wanted.peers.find(({ publicKey }) => publicKey === peer.publicKey);
      if (!now || !moved.has(peer.id)) return peer;
      const { endpoint, otherEndpoints = [] } = now;
      return { ...peer, endpoint, otherEndpoints, isLost: true as const };
    });
    return { ...known, peers };
  }
  if (known.kind === "vxlan" && wanted.kind === "vxlan") {
    const peers = known.peers.map((peer) => {
      const now = wanted.peers.find(({ id }) => id === peer.id);
      return now && moved.has(peer.id) ? { ...peer, ip: now.ip, port: now.port } : peer;
    });
    return { ...known, peers };
  }
  return known;
}
