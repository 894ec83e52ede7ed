/**
 * The host's firewall for the overlay: one nftables table of our own, and what Docker's own rules need from us.
 *
 * In nftables an accept ends only its own chain while a drop is final, so our table can only restrict, and Docker's rules
 * cannot be widened from here. Where Docker would drop tunnel traffic it is told otherwise by its own means, by version:
 *
 * | Docker | filter | what opens it for the tunnel |
 * |---|---|---|
 * | up to 27 | FORWARD policy DROP, iptables | ACCEPT both ways in DOCKER-USER |
 * | 28 on, iptables | also drops direct access to containers, in raw | gateway mode nat-unprotected; DOCKER-USER all the same, for hosts whose own rules drop in FORWARD |
 * | 29 on, nftables | table ip docker-bridges: drops in raw what is addressed to the subnet and comes from another interface than bridge, lo or a trusted one, also in nat-unprotected | trusted_host_interfaces, which dockerNetwork sets; there is no DOCKER-USER |
 *
 * The text is in the form in which nft lists it, so that the adapter compares bytes.
 */
import { formatCidr } from "../values/cidr.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import type { TunnelFirewall } from "./backend-plan.ts";
import { planNameAnswers, planNameDiversion } from "./name-diversion.ts";
import { nftBlock } from "./nft-text.ts";
import { type DockerFacts, type OverlayInput, TUNNEL_DEVICES } from "./overlay-config.ts";

/** Family and name of our table. */
export const FIREWALL_TABLE: readonly [string, string] = ["inet", "hansa"];

/** The comment that marks our rules in DOCKER-USER. */
export const DOCKER_USER_TAG = "hansa";

/** The table's whole text, as `nft -s list table inet hansa` prints it; `own` is what the backend adds. */
export function planFirewall(
  input: Pick<OverlayInput, "self" | "subnet" | "bridge" | "backend">,
  own: TunnelFirewall,
): string {
  const subnet = formatCidr(input.subnet);
  const bridge = `"${input.bridge}"`;
  const tunnel = `"${TUNNEL_DEVICES[input.backend]}"`;
  const ours = `{ "lo", ${bridge}, ${tunnel} }`;
  // One look at the interface's name decides which few rules a packet of the overlay meets: each one costs throughput.
  const chains: readonly (readonly [string, string | undefined, readonly string[]])[] = [
    [
      "prerouting",
      "type filter hook prerouting priority raw; policy accept;",
      [
        `iifname vmap { "lo" : return, ${bridge} : goto from_bridge, ${tunnel} : goto from_tunnel }`,
        // Nobody else may claim an address of the overlay, or reach one without the tunnel. DNAT comes later, so
        // published ports still carry the host's own address here.
        `ip saddr ${subnet} drop`,
        `ip daddr ${subnet} drop`,
        `udp dport ${input.self.listenPort} goto datagram`,
      ],
    ],
    [
      "from_bridge",
      undefined,
      [
        `ip saddr != ${subnet} drop`,
        // Connection tracking costs throughput and has nothing to decide inside the subnet.
        `ip daddr ${subnet} notrack`,
        `ip daddr != ${subnet} udp dport ${input.self.listenPort} goto datagram`,
      ],
    ],
    ["from_tunnel", undefined, [`ip daddr != ${subnet} drop`, ...own.fromTunnel, "notrack"]],
    ["datagram", undefined, own.datagram],
    [
      "output",
      "type filter hook output priority raw; policy accept;",
      [
        planNameAnswers(formatIpv4(input.self.address)),
        `ip saddr ${subnet} ip daddr ${subnet} notrack`,
        ...own.output,
      ],
    ],
    [
      "forward",
      "type filter hook forward priority filter; policy accept;",
      [
        `oifname vmap { ${bridge} : goto to_bridge, ${tunnel} : goto to_tunnel }`,
        `iifname ${tunnel} drop`,
        ...own.forward,
      ],
    ],
    [
      "to_tunnel",
      undefined,
      [
        `iifname != ${bridge} drop`,
        `ip daddr != ${subnet} drop`,
        // Containers started before the MTU became smaller keep their old one.
        `tcp flags syn / syn,rst tcp option maxseg size set rt mtu`,
      ],
    ],
    [
      "to_bridge",
      undefined,
      [
        `iifname { ${bridge}, ${tunnel} } accept`,
        // Published ports, which Docker has translated, and answers from outside.
        `ct status dnat accept`,
        `ct state established,related accept`,
        `drop`,
      ],
    ],
    [
      "leave",
      "type filter hook postrouting priority srcnat - 10; policy accept;",
      // While tunnel or bridge are missing, the default route must not carry overlay traffic in the clear.
      [`ip daddr ${subnet} oifname != ${ours} drop`],
    ],
    [
      "translate",
      "type nat hook postrouting priority srcnat; policy accept;",
      [`oifname != ${ours} ip saddr ${subnet} ip daddr != ${subnet} masquerade`],
    ],
  ];
  const blocks = [
    ...own.sets.map(([name, lines]) => nftBlock(`set ${name}`, lines)),
    ...chains.map(([name, hook, rules]) =>
      nftBlock(`chain ${name}`, hook === undefined ? rules : [hook, ...rules]),
    ),
    ...planNameDiversion({
      bridge: input.bridge,
      subnet,
      address: formatIpv4(input.self.address),
    }).map(([name, lines]) => nftBlock(`chain ${name}`, lines)),
  ];
  return `table ${FIREWALL_TABLE.join(" ")} {\n${blocks.join("\n")}}\n`;
}

/** The rules for DOCKER-USER, without chain and position; empty where Docker's backend has no such chain. */
export function planDockerUser(
  input: Pick<OverlayInput, "bridge" | "backend"> & { readonly docker: DockerFacts },
): string[][] {
  if (input.docker.firewallBackend === "nftables") return [];
  const accept = (from: string, to: string): string[] => [
    ...["-i", from, "-o", to],
    ...["-m", "comment", "--comment", DOCKER_USER_TAG, "-j", "ACCEPT"],
  ];
  const tunnel = TUNNEL_DEVICES[input.backend];
  return [accept(tunnel, input.bridge), accept(input.bridge, tunnel)];
}
