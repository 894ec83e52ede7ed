/**
 * The size of the largest packet inside the overlay: the underlay's less what the backend puts around it.
 *
 * | | around each packet | IPv4 | IPv6 |
 * |---|---|---|---|
 * | WireGuard | IP header, UDP header 8, WireGuard header 16, authentication tag 16 | 60 | 80 |
 * | VXLAN | IP header, UDP header 8, VXLAN header 8, Ethernet header 14 | 50 | 70 |
 *
 * WireGuard pads payloads to 16 bytes but never beyond the interface's MTU, so that a full packet costs exactly this.
 */
import type { Backend } from "./overlay-config.ts";

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const AROUND: Readonly<Record<Backend, number>> = { wireguard: 8 + 16 + 16, vxlan: 8 + 8 + 14 };

/** Every IPv4 host takes packets of this size; a smaller underlay has its outer packets fragmented instead. */
const MIN_MTU = 576;

/** wireguard-go's buffers end at 65535 bytes, headers included; loopback's 65536 would exceed them. */
const MAX_MTU = 65_000;

/**
 * MTU in bytes for tunnel, bridge and containers, 576 to 65000.
 *
 * `linkMtu` is the smallest MTU of the links that carry tunnels; `endpoints` are the peers' outer addresses. One IPv6 endpoint
 * lowers it for all: containers have one MTU, whoever they talk to.
 */
export function overlayMtu(
  backend: Backend,
  linkMtu: number,
  endpoints: readonly string[],
): number {
  const header = endpoints.some((ip) => ip.includes(":")) ? IPV6_HEADER : IPV4_HEADER;
  return Math.min(MAX_MTU, Math.max(MIN_MTU, Math.floor(linkMtu) - header - AROUND[backend]));
}
