/**
 * What the overlay is told, and what a host's network should then look like: plain data, JSON-able, no secrets.
 *
 * Invariant: an `OverlayConfig` is a pure function of an `OverlayInput`, so two equal inputs give byte-equal configs.
 */
import type { Cidr } from "../values/cidr.ts";
import type { Endpoint } from "../values/endpoint.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";

/** How packets go between hosts: a property of the whole cluster, `wireguard` unless it was launched without encryption. */
export type Backend = "wireguard" | "vxlan";

/** The device of each backend; two names, so that what was made for one is never taken for the other's. */
export const TUNNEL_DEVICES: Readonly<Record<Backend, string>> = {
  wireguard: "hansa-wg",
  vxlan: "hansa-vx",
};

export interface OverlayPeer {
  readonly id: NodeId;
  /** Its node address inside the overlay. */
  readonly address: Ipv4;
  /** WireGuard public key, base64 of 32 bytes. Of use to WireGuard only, where a malformed one means no tunnel and no routes. */
  readonly publicKey: string;
  /** Where its tunnel listens; undefined while unknown: by WireGuard it may then still reach us, by VXLAN it has no tunnel. */
  readonly endpoint: Endpoint | undefined;
  /** Further addresses from which its datagrams may come. */
  readonly otherAddresses?: readonly string[];
  /** True while gossip hears the peer and nothing comes back through its tunnel: then where it roamed to is not trusted. */
  readonly isLost?: boolean;
  /** Set while a relay carries this peer's datagrams. */
  readonly relay?: PeerRelay | undefined;
}

export interface PeerRelay {
  /** The UDP port on 127.0.0.1 that stands for the peer. */
  readonly port: number;
  /** Public key with which the peer asks whether it reaches us directly: answered, and good for nothing else. */
  readonly askerKey: string;
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
  readonly self: {
    readonly id: NodeId;
    readonly address: Ipv4;
    readonly listenPort: number;
    /** Our announced address between the hosts, the only one under which peers let VXLAN in. */
    readonly underlay: string;
    /** Peers let in several addresses of ours, and the way decides which one we send from. */
    readonly hasSeveralLinks?: true;
  };
  readonly backend: Backend;
  readonly subnet: Cidr;
  readonly bridge: "hansa0";
  /** Smallest MTU of the links that carry tunnels, in bytes. */
  readonly linkMtu: number;
  /** VXLAN only: inner checksums are not left to what is below the device. */
  readonly softwareChecksums?: boolean;
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
  /** The same of the peer's links that are not used now; absent where it has none. */
  readonly otherEndpoints?: readonly string[];
  /** Sorted by address; blocks of different peers never overlap. */
  readonly allowedIps: readonly string[];
  readonly keepaliveSeconds: number;
  /** Send our endpoint again, though the device follows another. Absent while the tunnel works. */
  readonly isLost?: true;
}

/** WireGuard's side of the desired state. */
export interface WireguardTunnel {
  readonly kind: "wireguard";
  readonly device: string;
  readonly listenPort: number;
  readonly peers: readonly WireguardPeer[];
}

export interface VxlanPeer {
  readonly id: NodeId;
  /** Its node address, dotted: the next hop of its routes. */
  readonly address: string;
  /** Of its VXLAN device; follows from the id. */
  readonly mac: string;
  /** Where its device listens: an address of the family of our own, and a port. */
  readonly ip: string;
  readonly port: number;
}

/** VXLAN's side: one device, and for each peer a permanent neighbour and a permanent forwarding entry. Nothing is learned or flooded. */
export interface VxlanTunnel {
  readonly kind: "vxlan";
  readonly device: string;
  readonly vni: number;
  readonly port: number;
  readonly mac: string;
  /** Source of the outer packets. */
  readonly local: string;
  /** "software": this host computes inner checksums itself, because something below the device gets them wrong. */
  readonly checksums: "offloaded" | "software";
  readonly peers: readonly VxlanPeer[];
}

export type TunnelConfig = WireguardTunnel | VxlanTunnel;

export interface Route {
  /** CIDR text, always with its length. */
  readonly destination: string;
  /** null: unreachable. */
  readonly device: string | null;
  /** The next hop on the device, dotted; absent where the device itself knows whose each address is. */
  readonly via?: string;
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
  readonly tunnel: TunnelConfig;
  readonly mtu: number;
  /** Our node address, dotted: source of routes and the tunnel's own /32. */
  readonly address: string;
  readonly routes: readonly Route[];
  readonly sysctls: readonly Sysctl[];
  /** The table `inet hansa` as `nft -s list table` prints it. */
  readonly firewall: string;
  /** The table `netdev hansa` as nft prints it: a shorter way for established TCP, which a host may do without. */
  readonly fastPath: string;
  /** Rules for Docker's chain DOCKER-USER as iptables arguments after the chain's name; none where Docker has no such chain. */
  readonly dockerUser: readonly (readonly string[])[];
}

/** Keys in base64, given to the adapter apart from the config; VXLAN has no use for them. */
export interface OverlaySecrets {
  readonly privateKey: string;
  /** Pre-shared key of each pair, by the peer's public key. */
  readonly pairKeys: Readonly<Record<string, string>>;
}
