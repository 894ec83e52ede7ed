/**
 * Members and rings in, the whole desired network state of this host out.
 *
 * Pure and total: what is malformed in gossip (a key, an endpoint) costs that peer its tunnel and nobody else's.
 */
import { formatIpv4 } from "../values/ipv4.ts";
import { planDockerUser, planFirewall } from "./firewall-plan.ts";
import { overlayMtu } from "./mtu.ts";
import type { OverlayConfig, OverlayInput } from "./overlay-config.ts";
import { planRoutes } from "./routes-plan.ts";
import { planSysctls } from "./sysctl-plan.ts";
import { planPeers, tunnelPeers } from "./wireguard-plan.ts";

/** The desired state; the order of peers and segments in `input` does not matter. */
export function desiredOverlay(input: OverlayInput): OverlayConfig {
  const peers = tunnelPeers(input);
  return {
    bridge: input.bridge,
    tunnel: input.tunnel,
    mtu: overlayMtu(
      input.linkMtu,
      input.peers.flatMap((peer) => peer.endpoint?.ip ?? []),
    ),
    address: formatIpv4(input.self.address),
    wireguard: { listenPort: input.self.listenPort, peers: planPeers(input, peers) },
    routes: planRoutes(input, peers),
    sysctls: planSysctls(input),
    firewall: planFirewall(input),
    dockerUser: planDockerUser(input),
  };
}
