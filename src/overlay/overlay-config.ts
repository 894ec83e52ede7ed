/**
 * What the overlay is told, and what a host's network should then look like: plain data, JSON-able, no secrets.
 *
 * Invariant: an `OverlayConfig` is a pure function of an `OverlayInput`, so two equal inputs give byte-equal configs.
 */
import type { Cidr } from "../values/cidr.ts";
import type { Endpoint } from "../values/endpoint.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";

export interface OverlayPeer {
  readonly id: NodeId;
  /** Its node address inside the overlay. */
  readonly address: Ipv4;
  /** WireGuard public key, base64 of 32 bytes. A peer with a malformed key gets no tunnel and no routes. */
  readonly publicKey: string;
  /** Where its tunnel listens; undefined while unknown, it may then still reach us. */
  readonly endpoint: Endpoint | undefined;
  /** True while gossip hears the peer and nothing comes back through its tunnel: then where it roamed to is not trusted. */
  readonly isLost?: boolean;
}

/** A part of a ring: `owner` gives out the addresses in [start, end). */
export interface Segment {
  readonly start: Ipv4;
  readonly end: number;
  readonly owner: NodeId;
}

export interface DockerFacts {
  /** As Docker's /version says it, for example "20.10.24+dfsg1". */
  readonly version: string;
  readonly firewallBackend: "iptables" | "nftables";
}

export interface OverlayInput {
  readonly self: { readonly id: NodeId; readonly address: Ipv4; readonly listenPort: number };
  readonly subnet: Cidr;
  readonly bridge: "hansa0";
  readonly tunnel: "hansa-wg";
  /** Smallest MTU of the links that carry tunnels, in bytes. */
  readonly linkMtu: number;
  /** All known peers, also those not alive: routes and tunnels stay until leave, removal or take-over. */
  readonly peers: readonly OverlayPeer[];
  /** Both rings; segments do not overlap. */
  readonly segments: readonly Segment[];
  readonly docker: DockerFacts;
}

export interface WireguardPeer {
  readonly id: NodeId;
  readonly publicKey: string;
  /** "1.2.3.4:6784" or "[2001:db8::1]:6784"; null while unknown. */
  readonly endpoint: string | null;
  /** Sorted by address; blocks of different peers never overlap. */
  readonly allowedIps: readonly string[];
  readonly keepaliveSeconds: number;
  /** Send our endpoint again, though the device follows another. Absent while the tunnel works. */
  readonly isLost?: true;
}

export interface Route {
  /** CIDR text, always with its length. */
  readonly destination: string;
  /** null: unreachable. */
  readonly device: string | null;
}

export interface Sysctl {
  /** Below /proc/sys. */
  readonly path: string;
  readonly value: number;
  /** "at-least": a higher value set by somebody else stays. */
  readonly rule: "exact" | "at-least";
  /** True where the file may be missing without harm to this host's function: it is then only reported. */
  readonly optional: boolean;
}

export interface OverlayConfig {
  readonly bridge: string;
  readonly tunnel: string;
  readonly mtu: number;
  /** Our node address, dotted: source of routes and the tunnel's own /32. */
  readonly address: string;
  readonly wireguard: { readonly listenPort: number; readonly peers: readonly WireguardPeer[] };
  readonly routes: readonly Route[];
  readonly sysctls: readonly Sysctl[];
  /** The table `inet hansa` as `nft -s list table` prints it. */
  readonly firewall: string;
  /** Rules for Docker's chain DOCKER-USER as iptables arguments after the chain's name; none where Docker has no such chain. */
  readonly dockerUser: readonly (readonly string[])[];
}

/** Keys in base64, given to the adapter apart from the config. */
export interface OverlaySecrets {
  readonly privateKey: string;
  /** Pre-shared key of each pair, by the peer's public key. */
  readonly pairKeys: Readonly<Record<string, string>>;
}
