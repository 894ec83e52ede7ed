/** Answers as a healthy node gives them, for tests to change in one place. */
import type { AddressCheck } from "./address-schemas.ts";
import type { ContainerRow, Containers } from "./container-schema.ts";
import type { DoctorReport } from "./doctor-schema.ts";
import type { Status } from "./status-schema.ts";
import { BUILD } from "./version.ts";

const UNKNOWN = {
  encrypted: false,
  backend: null,
  peer: null,
  via: null,
  rttMs: null,
  mtu: null,
  error: null,
  retryAt: null,
} as const;

/** Node 1 of an example cluster: host2 connected, host9 not resolvable, node 3 never met, itself a target. */
export function exampleStatus(): Status {
  const host1 = { id: 1, name: "host1" };
  const host2 = { id: 2, name: "host2" };
  const address = "192.168.48.12:6783";
  const quarter = { addresses: 131072, percent: 25, active: null };
  return {
    cluster: { name: "hansa", subnet: "10.32.0.0/12", encryption: "wireguard" },
    node: {
      ...host1,
      engineId: "8f2d4c1e-6f6b-4a52-9d59-0d2f0e6b7a11",
      address: "192.168.48.11",
      version: BUILD,
    },
    targets: ["host1", "host2", "host9"],
    peers: [
      {
        ...host1,
        address: "192.168.48.11:6783",
        state: "alive",
        version: BUILD,
        connections: [{ address, direction: "outbound", state: "established", peer: host2 }],
      },
      {
        ...host2,
        address,
        state: "alive",
        version: BUILD,
        connections: [
          {
            address: "192.168.48.11:41022",
            direction: "inbound",
            state: "established",
            peer: host1,
          },
        ],
      },
      {
        id: 12,
        name: "a-longer-name",
        address: "192.168.48.22:6783",
        state: "dead",
        version: BUILD,
        connections: [],
      },
    ],
    connections: [
      {
        ...UNKNOWN,
        address,
        direction: "outbound",
        state: "established",
        encrypted: true,
        backend: "wireguard",
        peer: host2,
        rttMs: 0.42,
        mtu: 1420,
      },
      {
        ...UNKNOWN,
        address: "192.168.48.13:45678",
        direction: "inbound",
        state: "pending",
        encrypted: true,
        backend: "relay",
        peer: { id: 13, name: "host13" },
      },
      {
        ...UNKNOWN,
        address: "host9:6783",
        direction: "outbound",
        state: "retrying",
        error: "host9 does not resolve",
        retryAt: "2026-01-02T03:04:08.000Z",
      },
      {
        ...UNKNOWN,
        address: "192.168.48.11:6783",
        direction: "outbound",
        state: "failed",
        error: "cannot connect to ourself",
      },
    ],
    links: [
      {
        ...{ link: 0, own: "192.168.48.11", peer: host2, address: "192.168.48.12", priority: 1 },
        ...{ state: "down", rttMs: 0.42, inUse: false },
      },
      {
        ...{ link: 1, own: "192.168.49.11", peer: host2, address: "192.168.49.12", priority: 1 },
        ...{ state: "up", rttMs: 0.37, inUse: true },
      },
      {
        ...{ link: 0, own: "192.168.48.11", peer: { id: 13, name: "host13" } },
        ...{ address: "192.168.48.13", priority: 1, state: "unknown", rttMs: null, inUse: true },
      },
    ],
    dns: {
      domain: "hansa",
      address: "10.32.0.1",
      ttl: 1,
      ready: true,
      entries: [
        { hostname: "1.node.hansa", address: "10.32.0.1", containerId: null, node: host1 },
        {
          hostname: "a-rather-long-name.hansa",
          address: "10.42.0.17",
          containerId: "0123456789ab",
          node: host2,
        },
        { hostname: "web.hansa", address: "10.40.0.2", containerId: "fedcba987654", node: host1 },
      ],
    },
    ipam: {
      subnet: "10.32.0.0/12",
      range: "10.40.0.0/13",
      ready: true,
      entries: [
        { ...host1, ...quarter, active: 2, reachable: true },
        { ...host2, ...quarter, reachable: true },
        { id: 3, name: null, ...quarter, reachable: false },
        { id: 12, name: "a-longer-name", ...quarter, reachable: false },
      ],
    },
    warnings: [],
  };
}

/** One error and one warning. */
export function exampleReport(): DoctorReport {
  return {
    node: { id: 1, name: "host1" },
    facts: [
      { name: "docker", value: "20.10.24" },
      { name: "mtu", value: "1500 on eth0, 1440 in the tunnel" },
    ],
    checks: [
      { name: "paths to the peers", skipped: null },
      { name: "the clock is kept", skipped: "nobody can tell" },
    ],
    findings: [
      {
        code: "DOCTOR_PORT_BLOCKED",
        severity: "error",
        evidence: "6783/udp is blocked from host1 to host2: none of 8 datagrams arrived",
        mend: "open 6783/udp on host2",
      },
      {
        code: "DOCTOR_CLOCK_SKEW",
        severity: "warning",
        evidence: "the clock of node 2 (host2) is 40.0 s ahead of this one's (± 0.2 ms)",
        mend: "apt-get install systemd-timesyncd",
      },
    ],
  };
}

/** Of node 1: its gateway, a container, a leak, and node 3 that was never met. */
export function exampleCheck(): AddressCheck {
  const since = "2026-01-02T03:00:00.000Z";
  const lease = { since, ageSeconds: 245, ringOwner: 1 };
  return {
    node: { id: 1, name: "host1" },
    leases: [
      {
        address: "10.32.0.1",
        state: "held",
        reason: "gateway",
        container: null,
        since: null,
        ageSeconds: null,
        ringOwner: 1,
      },
      {
        ...lease,
        address: "10.33.0.5",
        state: "held",
        reason: "fixed",
        container: { id: "0123456789ab", name: "web" },
      },
      { ...lease, address: "10.40.0.2", state: "leak", reason: "dynamic", container: null },
    ],
    freed: [],
    holes: [],
    unreachable: [{ id: 3, name: null, addresses: 131072, fixedAddresses: 114688 }],
    conflicts: 0,
  };
}

/** A service of a compose project on host1, a container by itself on host2, which is not in reach, and nothing known of host3. */
export function exampleContainers(): Containers {
  const row: ContainerRow = {
    node: { id: 1, name: "host1" },
    id: "ab".repeat(32),
    group: "shop",
    name: "web",
    dockerName: "shop-web-1",
    image: "nginx:1.27",
    addresses: ["10.40.0.1"],
    ports: [
      { port: 80, protocol: "tcp", hostPort: 8080, hostAddress: null },
      { port: 443, protocol: "tcp", hostPort: null, hostAddress: null },
      { port: 53, protocol: "udp", hostPort: 53, hostAddress: "127.0.0.1" },
    ],
    dependsOn: ["shop.cache", "shop.db"],
    imageState: { state: "pulled", percent: null, error: null },
    engine: "docker",
    engineState: "running",
    state: "running",
    stateSince: "2025-12-31T23:57:50.000Z",
    exitCode: null,
    error: null,
  };
  return {
    nodes: [
      { id: 1, name: "host1", reachable: true, asOf: "2026-01-01T00:00:00.000Z", problem: null },
      {
        ...{ id: 2, name: "host2", reachable: false, asOf: "2025-12-31T23:59:25.000Z" },
        problem: { code: "NODE_UNREACHABLE", message: "node 2 (host2) cannot be asked" },
      },
      { id: 3, name: "host3", reachable: false, asOf: null, problem: null },
    ],
    containers: [
      row,
      {
        ...row,
        ...{ node: { id: 2, name: "host2" }, id: "cd".repeat(32), group: null, name: "lone" },
        ...{ dockerName: "lone", image: "busybox:latest", addresses: [], ports: [], dependsOn: [] },
        imageState: { state: "pulling", percent: 45.4, error: null },
        ...{ engineState: "exited", state: "failed", exitCode: 1 },
        stateSince: "2025-12-31T20:00:00.000Z",
      },
    ],
  };
}
