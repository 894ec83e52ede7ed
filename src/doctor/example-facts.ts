/** Facts of a healthy host, node and peer, for tests to make ill in one place. */
import type { Facts, HostFacts, NodeFacts, PeerFacts } from "./facts.ts";

const UDP = [500, 1280, 1300, 1400, 1420, 1450, 1492, 1500];
const TUNNEL = [500, 1440];

export function healthyHost(different: Partial<HostFacts> = {}): HostFacts {
  return {
    isRoot: true,
    launched: { id: 1, name: "host1" },
    isEncrypted: true,
    subnet: "10.32.0.0/12",
    isStopped: false,
    docker: { kind: "there", version: "20.10.24", firewall: "iptables", liveRestore: false },
    usedBlocks: [],
    missingTools: undefined,
    kernelHasWireguard: false,
    hasTun: true,
    nftComplaint: null,
    wireguardGo: "wireguard-go v0.0.20230223\n\nUserspace WireGuard daemon for linux-amd64.\n",
    takenPorts: undefined,
    storeStrangers: [],
    gcThresh3: 65_536,
    ipForward: 1,
    processes: [{ name: "daemon", isRunning: true, by: "/run/hansa/daemon.pid" }],
    pluginSpec: {
      path: "/etc/docker/plugins/hansa.spec",
      expected: "unix:///run/hansa/ipam.sock",
      found: "unix:///run/hansa/ipam.sock",
    },
    disk: {
      path: "/var/lib/hansa",
      freeBytes: 10e9,
      totalBytes: 40e9,
      freeInodes: 1e6,
      totalInodes: 2e6,
    },
    fsyncMs: [3, 1, 2],
    clock: { isOurs: true, isSynchronised: true, by: "timedatectl" },
    ...different,
  };
}

export function healthyPeer(different: Partial<PeerFacts> = {}): PeerFacts {
  return {
    ...{
      id: 2,
      name: "host2",
      ip: "192.168.48.12",
      ports: { gossip: 6783, overlay: 6784, api: 1443 },
    },
    ...{ isHeard: true, version: "0.1.0", tunnelProved: true },
    sent: { udp: UDP, tunnel: TUNNEL },
    arrivedHere: { udp: UDP, tunnel: TUNNEL, tcp: true },
    arrivedThere: { udp: UDP, tunnel: TUNNEL, tcp: true },
    tcpFromHere: null,
    tcpFromThere: null,
    relayFromHere: null,
    relayFromThere: null,
    apiFromHere: null,
    isRelayed: false,
    traffic: { here: { rx: 9000, tx: 9000 }, there: { rx: 9000, tx: 9000 } },
    brokenHere: 0,
    brokenThere: 0,
    kernelMtuHere: undefined,
    clock: { skewMs: 3, rttMs: 6 },
    ...different,
  };
}

export function healthyNode(different: Partial<NodeFacts> = {}): NodeFacts {
  return {
    ...{ id: 1, name: "host1", ip: "192.168.48.11" },
    ports: { gossip: 6783, overlay: 6784, api: 1443 },
    warnings: [],
    isDeparted: false,
    linkMtu: 1500,
    linkName: "eth0",
    tunnelMtu: 1440,
    dockerUser: { wanted: 2, found: 2 },
    unheldLeases: [],
    owners: [
      { id: 1, name: "host1", addresses: 131_072, percent: 25, reachable: true },
      { id: 4, name: null, addresses: 131_072, percent: 25, reachable: false },
    ],
    peers: [healthyPeer()],
    targets: [],
    links: [0, 1].map((link) => ({
      ...{ link, own: `192.168.${48 + link}.11`, peer: { id: 2, name: "host2" } },
      ...{ address: `192.168.${48 + link}.12`, state: "up" },
    })),
    ...different,
  };
}

/** With null no node runs. */
export function healthyFacts(
  host: Partial<HostFacts> = {},
  node: Partial<NodeFacts> | null = {},
): Facts {
  return { host: healthyHost(host), node: node === null ? undefined : healthyNode(node) };
}
