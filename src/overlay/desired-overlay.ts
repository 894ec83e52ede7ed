/**
 * Members and rings in, the whole desired network state of this host out.
 *
 * Pure and total: what is malformed in gossip (a key, an endpoint) costs that peer its tunnel and nobody else's.
 */
import { formatIpv4 } from "../values/ipv4.ts";
import { type BackendPlan, tunnelPeers } from "./backend-plan.ts";
import { planFastPath } from "./fast-path-plan.ts";
import { planDockerUser, planFirewall } from "./firewall-plan.ts";
import { overlayMtu } from "./mtu.ts";
import type { Backend, OverlayConfig, OverlayInput } from "./overlay-config.ts";
import { planRoutes } from "./routes-plan.ts";
import { planSysctls } from "./sysctl-plan.ts";
import { vxlanPlan } from "./vxlan-plan.ts";
import { wireguardPlan } from "./wireguard-plan.ts";

const BACKENDS: Readonly<Record<Backend, BackendPlan>> = {
  wireguard: wireguardPlan,
  vxlan: vxlanPlan,
};

/** The desired state; the order of peers and segments in `input` does not matter. */
export function desiredOverlay(input: OverlayInput): OverlayConfig {
  const backend = BACKENDS[input.backend];
  const peers = tunnelPeers(backend, input);
  return {
    bridge: input.bridge,
    tunnel: backend.tunnel(input, peers),
    mtu: overlayMtu(
      input.backend,
      input.linkMtu,
      input.peers.flatMap((peer) => peer.endpoint?.ip ?? []),
    ),
    address: formatIpv4(input.self.address),
    routes: planRoutes(input, peers, backend.needsNextHop),
    sysctls: planSysctls(input),
    firewall: planFirewall(input, backend.firewall(input, peers)),
    fastPath: planFastPath(input, backend, peers),
    dockerUser: planDockerUser(input),
  };
}
