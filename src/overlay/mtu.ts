/**
 * The size of the largest packet inside the overlay.
 *
 * overlay MTU = underlay MTU − (outer IP header + UDP header 8 + WireGuard header 16 + authentication tag 16):
 * 60 bytes over IPv4, 80 over IPv6. WireGuard pads payloads to 16 bytes but never beyond the interface's MTU, so that
 * a full packet costs exactly this.
 */

const OVERHEAD_IPV4 = 20 + 8 + 16 + 16;
const OVERHEAD_IPV6 = 40 + 8 + 16 + 16;

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
export function overlayMtu(linkMtu: number, endpoints: readonly string[]): number {
  const overhead = endpoints.some((ip) => ip.includes(":")) ? OVERHEAD_IPV6 : OVERHEAD_IPV4;
  return Math.min(MAX_MTU, Math.max(MIN_MTU, Math.floor(linkMtu) - overhead));
}
