/**
 * Kernel settings that the overlay stands on. Each line says what breaks without it.
 *
 * rp_filter is the larger of conf.all and the interface's own, so 2 (loose) on the interface is loose whatever `all` says.
 */
import { type OverlayInput, type Sysctl, TUNNEL_DEVICES } from "./overlay-config.ts";

/** The settings for this host; paths below /proc/sys. */
export function planSysctls(input: Pick<OverlayInput, "bridge" | "backend">): Sysctl[] {
  const exact = (path: string, value: number): Sysctl => ({
    path,
    value,
    rule: "exact",
    optional: false,
  });
  const raised = (path: string, value: number): Sysctl => ({
    path,
    value,
    rule: "at-least",
    optional: true,
  });
  return [
    exact("net/ipv4/ip_forward", 1),
    // Containers see the whole subnet on-link; the host answers their ARP for what lies behind the tunnel.
    exact(`net/ipv4/conf/${input.bridge}/proxy_arp`, 1),
    // The default of 80 lets that answer wait up to 0.8 s at random: first packets take 100 to 1400 ms.
    exact(`net/ipv4/neigh/${input.bridge}/proxy_delay`, 0),
    exact(`net/ipv4/conf/${input.bridge}/rp_filter`, 2),
    exact(`net/ipv4/conf/${TUNNEL_DEVICES[input.backend]}/rp_filter`, 2),
    // A frame may carry IPv6, which the firewall's rules about senders do not see; WireGuard takes nothing but the peers' IPv4 addresses.
    ...(input.backend === "vxlan"
      ? [exact(`net/ipv6/conf/${TUNNEL_DEVICES.vxlan}/disable_ipv6`, 1)]
      : []),
    // One neighbour entry per (container, remote address), and all namespaces of a machine share one table: the default
    // 1024 overflows and drops packets. The files exist in the machine's first network namespace only.
    raised("net/ipv4/neigh/default/gc_thresh3", 65536),
    raised("net/ipv4/neigh/default/gc_thresh2", 49152),
    raised("net/ipv4/neigh/default/gc_thresh1", 8192),
  ];
}
