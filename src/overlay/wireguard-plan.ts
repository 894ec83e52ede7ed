/**
 * What the tunnel should be (peers and whose addresses each may use), and the change that takes a device there.
 *
 * Invariant: an endpoint is sent only when it is new to the device or our own knowledge of it changed. WireGuard follows a
 * peer that moved by itself ("roaming"); sending the old endpoint again would cut a working tunnel.
 */
import { formatCidr } from "../values/cidr.ts";
import { formatEndpoint } from "../values/endpoint.ts";
import type { NodeId } from "../values/node-id.ts";
import { type BackendPlan, ownedBlocks } from "./backend-plan.ts";
import { nftElement, nftSet } from "./nft-text.ts";
import {
  type OverlayInput,
  type OverlayPeer,
  type OverlaySecrets,
  type PeerRelay,
  TUNNEL_DEVICES,
  type WireguardPeer,
  type WireguardTunnel,
} from "./overlay-config.ts";

/** Keeps the ways through NAT and stateful firewalls open; 32 bytes a peer each time. */
const KEEPALIVE_SECONDS = 25;

/** WireGuard gives up a session after this; without a handshake for so long the tunnel does not work or is idle. */
const SESSION_MS = 180_000;

/** A peer as the device has it. */
export interface DevicePeer {
  readonly presharedKey: string;
  readonly endpoint: string | null;
  readonly allowedIps: readonly string[];
  readonly keepaliveSeconds: number;
  /** Wall clock of the last handshake in milliseconds since 1970; undefined: never. */
  readonly handshakeAt: number | undefined;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** A device as it is; keys in base64, empty when not set. */
export interface DeviceState {
  readonly privateKey: string;
  readonly listenPort: number;
  readonly peers: ReadonlyMap<string, DevicePeer>;
}

export interface DeviceChangePeer {
  readonly publicKey: string;
  readonly presharedKey: string;
  /** undefined: leave the device's own. */
  readonly endpoint: string | undefined;
  readonly allowedIps: readonly string[];
  readonly keepaliveSeconds: number;
  /** False: listed only because some devices want the whole picture. */
  readonly changed: boolean;
}

/** The whole wanted state, with what differs marked. */
export interface DeviceChange {
  readonly privateKey: string;
  readonly listenPort: number;
  readonly interfaceChanged: boolean;
  readonly peers: readonly DeviceChangePeer[];
  readonly remove: readonly string[];
}

/** True for base64 of exactly 32 bytes, the one spelling that WireGuard's tools print. */
export function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text);
}

/** Two peers with one key would be one peer to WireGuard, and the later would take the earlier's addresses: so the key is the mark. */
export const wireguardPlan: BackendPlan = {
  mark: ({ publicKey }) => (isKey(publicKey) ? publicKey : undefined),
  needsNextHop: false,
  tunnel: (input, peers) => ({
    kind: "wireguard",
    device: TUNNEL_DEVICES.wireguard,
    listenPort: input.self.listenPort,
    peers: planPeers(input, peers),
  }),
  // Who may send, and whose address it is inside the subnet, keys and allowed IPs decide.
  firewall: ({ self: { listenPort }, subnet }) => ({
    sets: [],
    fromTunnel: [`ip saddr != ${formatCidr(subnet)} drop`],
    datagram: ["fib daddr type local notrack"],
    output: [`udp sport ${listenPort} notrack`],
    forward: [],
  }),
  fastPath: (input, peers) => {
    const theirs = [...ownedBlocks(input, peers).values()]
      .flat()
      .toSorted((a, b) => a.base - b.base)
      .map(nftElement);
    return {
      sets: [["set theirs", nftSet(["type ipv4_addr", "flags interval"], theirs, 2)]],
      toTunnel: "ip daddr @theirs fwd ip to ip daddr",
      fromTunnel: "ip saddr @theirs",
    };
  },
};

/** Peers with what each may send from. */
function planPeers(input: OverlayInput, peers: readonly OverlayPeer[]): WireguardPeer[] {
  return [...ownedBlocks(input, peers)].flatMap(([peer, blocks]) => {
    const carrier: WireguardPeer = {
      id: peer.id,
      publicKey: peer.publicKey,
      endpoint: endpointText(peer),
      allowedIps: blocks.map(formatCidr),
      keepaliveSeconds: KEEPALIVE_SECONDS,
      ...otherEndpoints(peer),
      ...(peer.isLost && { isLost: true as const }),
    };
    return peer.relay ? [carrier, askerOf(peer.id, peer.relay)] : [carrier];
  });
}

/** A peer that may ask and has no addresses: WireGuard answers its handshake, and drops whatever else it sends. */
function askerOf(id: NodeId, { askerKey }: PeerRelay): WireguardPeer {
  return { id, publicKey: askerKey, endpoint: null, allowedIps: [], keepaliveSeconds: 0 };
}

function otherEndpoints(peer: OverlayPeer): Pick<WireguardPeer, "otherEndpoints"> {
  const { endpoint, otherAddresses = [], relay } = peer;
  if (endpoint === undefined || relay !== undefined || otherAddresses.length === 0) return {};
  return { otherEndpoints: otherAddresses.map((ip) => formatEndpoint({ ...endpoint, ip })) };
}

/** null unless it is an address literal and a port: it goes into line-based protocols as it is. */
function endpointText({ endpoint, relay }: OverlayPeer): string | null {
  if (relay !== undefined) return formatEndpoint({ ip: "127.0.0.1", port: relay.port });
  if (endpoint === undefined || !/^[0-9A-Fa-f:.]{2,45}$/.test(endpoint.ip)) return null;
  if (!Number.isInteger(endpoint.port) || endpoint.port < 1 || endpoint.port > 65535) return null;
  return formatEndpoint(endpoint);
}

/**
 * The change that makes `state` what `wanted` says, or undefined when nothing differs.
 *
 * `sent` is the endpoint last sent for each public key by this process. A peer found with an endpoint that we did not send keeps
 * it while its tunnel works (a handshake within 180 s of `wallMs`, and not lost), as after a restart of the daemon, unless it is that of a link of the peer's
 * that is not used. Peers without a pair key
 * in `secrets` are treated as absent, since a tunnel without one would be weaker than promised.
 */
export function planDevice(
  wanted: WireguardTunnel,
  secrets: OverlaySecrets,
  state: DeviceState,
  sent: ReadonlyMap<string, string>,
  wallMs: number,
): DeviceChange | undefined {
  const peers: DeviceChangePeer[] = [];
  for (const peer of wanted.peers) {
    const presharedKey = secrets.pairKeys[peer.publicKey];
    if (presharedKey === undefined) continue;
    const found = state.peers.get(peer.publicKey);
    const endpoint = endpointToSend(peer, found, sent.get(peer.publicKey), wallMs);
    const changed =
      found === undefined ||
      endpoint !== undefined ||
      found.presharedKey !== presharedKey ||
      found.keepaliveSeconds !== peer.keepaliveSeconds ||
      !sameSet(found.allowedIps, peer.allowedIps);
    const { publicKey, allowedIps, keepaliveSeconds } = peer;
    peers.push({ publicKey, presharedKey, endpoint, allowedIps, keepaliveSeconds, changed });
  }
  const wantedKeys = new Set(peers.map((peer) => peer.publicKey));
  const remove = [...state.peers.keys()].filter((key) => !wantedKeys.has(key));
  const privateKey = clamp(secrets.privateKey);
  const interfaceChanged =
    state.privateKey !== privateKey || state.listenPort !== wanted.listenPort;
  if (!interfaceChanged && remove.length === 0 && !peers.some((peer) => peer.changed)) {
    return undefined;
  }
  const { listenPort } = wanted;
  return { privateKey, listenPort, interfaceChanged, peers, remove };
}

/**
 * The form of a Curve25519 private key in which WireGuard keeps and shows it (RFC 7748, section 5). Any 32 bytes are a key, but
 * one set in another form would look changed each time, and setting it again ends all sessions.
 */
function clamp(key: string): string {
  const bytes = Buffer.from(key, "base64");
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  return bytes.toString("base64");
}

function endpointToSend(
  peer: WireguardPeer,
  found: DevicePeer | undefined,
  sent: string | undefined,
  wallMs: number,
): string | undefined {
  if (peer.endpoint === null || found?.endpoint === peer.endpoint) return undefined;
  if (found === undefined || found.endpoint === null) return peer.endpoint;
  if (peer.isLost) return peer.endpoint;
  // It did not roam: what it sent before it left that link came after we had left it.
  if (peer.otherEndpoints?.includes(found.endpoint)) return peer.endpoint;
  // Nobody roams to or from a relay: packets still under way when the path changed have led the device astray.
  if (isLocal(found.endpoint) !== isLocal(peer.endpoint)) return peer.endpoint;
  const works = found.handshakeAt !== undefined && wallMs - found.handshakeAt < SESSION_MS;
  const known = sent === undefined || sent === peer.endpoint;
  return works && known ? undefined : peer.endpoint;
}

function isLocal(endpoint: string): boolean {
  return endpoint.startsWith("127.");
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  const set = new Set(a);
  return b.every((each) => set.has(each));
}
