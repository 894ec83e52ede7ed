/** One ill for each row: the code, and what is printed of it in golden/findings.golden. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { doctorSchema } from "../api/doctor-schema.ts";
import { HansaError } from "../errors.ts";
import { parseCidr } from "../values/cidr.ts";
import { examine } from "./examine.ts";
import { healthyFacts, healthyNode, healthyPeer } from "./example-facts.ts";
import type { Facts, PeerFacts } from "./facts.ts";
import { FINDINGS } from "./finding-table.ts";

const withPeer = (different: Partial<PeerFacts>): Facts =>
  healthyFacts({}, { peers: [healthyPeer(different)] });

const block = (text: string) => parseCidr(text) ?? { base: 0, prefix: 0 };
const NOTHING = { udp: [], tunnel: [], tcp: false };
const { arrivedHere: ALL } = healthyPeer();
const silent = {
  ...{ arrivedHere: NOTHING, arrivedThere: undefined, tcpFromThere: undefined },
  ...{ tunnelProved: false, clock: undefined, brokenThere: undefined },
  traffic: { here: { rx: 0, tx: 900 }, there: undefined },
} as const;
const TUNNEL_OFF = { tunnelProved: false } as const;
const upTo = (size: number): number[] => ALL.udp.filter((each) => each <= size);

const REFUSED =
  "connection refused at 192.168.48.13:6783/tcp: no node runs there, or a firewall refuses (open 6783/tcp and udp)";

/** A title, the ill facts, and the codes that they give. */
const ILLS: readonly (readonly [string, Facts, readonly string[]])[] = [
  ["not root", healthyFacts({ isRoot: false }), ["DOCTOR_NOT_ROOT"]],
  [
    "not root beside a node that runs: what only root may see is no ill",
    healthyFacts(
      {
        ...{ isRoot: false, launched: undefined },
        docker: { kind: "away", error: new HansaError("DOCKER_UNREACHABLE", "permission denied") },
        takenPorts: [{ port: 1443, protocol: "tcp", sentence: "port 1443/tcp is held" }],
      },
      null,
    ),
    ["DOCTOR_NOT_ROOT"],
  ],
  [
    "Docker is down",
    healthyFacts({
      docker: { kind: "away", error: new HansaError("DOCKER_UNREACHABLE", "Docker is away") },
    }),
    ["DOCKER_UNREACHABLE"],
  ],
  [
    "a program is missing",
    healthyFacts({ missingTools: new HansaError("TOOL_MISSING", "the program nft is missing") }),
    ["TOOL_MISSING"],
  ],
  ["no tunnel device", healthyFacts({ hasTun: false }), ["DOCTOR_TUN_MISSING"]],
  [
    "nftables does not work",
    healthyFacts({ nftComplaint: "Operation not supported" }),
    ["DOCTOR_NFTABLES_UNUSABLE"],
  ],
  [
    "a port is taken before the launch",
    healthyFacts(
      {
        launched: undefined,
        takenPorts: [
          { port: 6783, protocol: "udp", sentence: "port 6783/udp is held by socat (pid 7)" },
        ],
      },
      null,
    ),
    ["PORT_TAKEN"],
  ],
  [
    "Debian's own etcd has the store's port",
    healthyFacts({
      storeStrangers: [
        { host: "127.0.0.1", port: 2379, by: "etcd (pid 7), the service etcd.service" },
      ],
    }),
    ["DOCTOR_STORE_PORT_TAKEN"],
  ],
  [
    "a route is in the way before the launch",
    healthyFacts(
      {
        launched: undefined,
        usedBlocks: [{ block: block("10.0.0.0/8"), what: "the route 10.0.0.0/8 of device eth0" }],
      },
      null,
    ),
    ["SUBNET_COLLISION"],
  ],
  [
    "a route and a network came after the launch",
    healthyFacts({
      usedBlocks: [
        { block: block("10.40.0.0/24"), what: "the route 10.40.0.0/24 of device eth0" },
        { block: block("10.33.0.0/16"), what: "the network web (10.33.0.0/16) of Docker" },
      ],
    }),
    ["SUBNET_COLLISION", "SUBNET_COLLISION"],
  ],
  ["the daemon is down", healthyFacts({}, null), ["NODE_NOT_RUNNING"]],
  ["stopped on purpose", healthyFacts({ isStopped: true }, null), ["NODE_NOT_RUNNING"]],
  [
    "the plugin is down",
    healthyFacts({
      processes: [{ name: "ipam-plugin", isRunning: false, by: "/run/hansa/ipam-plugin.pid" }],
    }),
    ["DOCTOR_PROCESS_DOWN"],
  ],
  [
    "no spec file",
    healthyFacts({
      pluginSpec: { path: "/etc/docker/plugins/hansa.spec", expected: "unix:///x", found: null },
    }),
    ["DOCTOR_PLUGIN_SPEC"],
  ],
  [
    "another spec file",
    healthyFacts({
      pluginSpec: { path: "/etc/docker/plugins/hansa.spec", expected: "unix:///x", found: "tcp\n" },
    }),
    ["DOCTOR_PLUGIN_SPEC"],
  ],
  [
    "rules in DOCKER-USER are missing",
    healthyFacts({}, { dockerUser: { wanted: 2, found: 1 } }),
    ["DOCTOR_DOCKER_USER_MISSING"],
  ],
  [
    "DOCKER-USER is missing",
    healthyFacts({}, { dockerUser: { wanted: 2, found: undefined } }),
    ["DOCTOR_DOCKER_USER_MISSING"],
  ],
  ["no forwarding", healthyFacts({ ipForward: 0 }), ["DOCTOR_FORWARDING_OFF"]],
  ["a small table", healthyFacts({ gcThresh3: 1024 }), ["DOCTOR_NEIGHBOUR_TABLE_SMALL"]],
  [
    "an old wireguard-go",
    healthyFacts({ wireguardGo: "wireguard-go v0.0.20220316\n" }),
    ["DOCTOR_WIREGUARD_GO_OLD"],
  ],
  [
    "a nearly full disk",
    healthyFacts({
      disk: {
        path: "/var/lib/hansa",
        freeBytes: 100e6,
        totalBytes: 1e9,
        freeInodes: 10,
        totalInodes: 9e4,
      },
    }),
    ["DOCTOR_DISK_LOW", "DOCTOR_DISK_LOW"],
  ],
  [
    "a full disk",
    healthyFacts({
      disk: {
        path: "/var/lib/hansa",
        freeBytes: 0,
        totalBytes: 1e9,
        freeInodes: 0,
        totalInodes: 0,
      },
    }),
    ["DOCTOR_DISK_LOW"],
  ],
  ["a slow disk", healthyFacts({ fsyncMs: [400, 1300, 850] }), ["DOCTOR_FSYNC_SLOW"]],
  [
    "nothing keeps the clock",
    healthyFacts({ clock: { isOurs: true, isSynchronised: false, by: "timedatectl" } }),
    ["DOCTOR_CLOCK_UNSYNCED"],
  ],
  ["a clock behind", withPeer({ clock: { skewMs: -40_000, rttMs: 4 } }), ["DOCTOR_CLOCK_SKEW"]],
  [
    "a peer that is gone",
    withPeer({ ...silent, isHeard: false, tcpFromHere: "192.168.48.12:6783/tcp does not answer" }),
    ["DOCTOR_PEER_UNREACHABLE"],
  ],
  [
    "a node that reaches nobody: another token, a wrong name, nobody there",
    healthyFacts(
      {},
      {
        ...{ peers: [], links: [] },
        targets: [
          {
            ...{ target: "host2", cause: "authentication" },
            why: "authentication failed or other cluster",
          },
          { target: "host9", cause: "name", why: "the name host9 cannot be resolved" },
          { target: "host3", cause: "path", why: REFUSED },
        ],
      },
    ),
    ["DOCTOR_TARGET_UNREACHED", "DOCTOR_TARGET_UNREACHED", "DOCTOR_TARGET_UNREACHED"],
  ],
  [
    "a target of many that nobody is at",
    healthyFacts({}, { targets: [{ target: "host3", cause: "path", why: REFUSED }] }),
    ["DOCTOR_TARGET_UNREACHED"],
  ],
  [
    "a node that is gone for good: nothing of what follows from that",
    healthyFacts(
      {},
      {
        isDeparted: true,
        warnings: [{ code: "NODE_DEPARTED", message: "this node has left the cluster", hint: "" }],
        peers: [healthyPeer(silent)],
        targets: [{ target: "host3", cause: "path", why: REFUSED }],
      },
    ),
    ["NODE_DEPARTED"],
  ],
  ["an older peer", withPeer({ ...silent, version: "0.0.9" }), ["DOCTOR_PEER_SILENT"]],
  [
    "TCP closed there, and back",
    withPeer({
      tcpFromHere: "192.168.48.12:6783/tcp does not answer",
      tcpFromThere: "192.168.48.11:6783/tcp refuses",
      arrivedHere: { ...ALL, tcp: false },
      arrivedThere: { ...ALL, tcp: false },
    }),
    ["DOCTOR_PORT_BLOCKED", "DOCTOR_PORT_BLOCKED"],
  ],
  ["UDP closed there", withPeer({ arrivedThere: { ...ALL, udp: [] } }), ["DOCTOR_PORT_BLOCKED"]],
  ["UDP closed back", withPeer({ arrivedHere: { ...ALL, udp: [] } }), ["DOCTOR_PORT_BLOCKED"]],
  [
    "the tunnel's port closed there, its session still alive",
    withPeer({
      ...TUNNEL_OFF,
      arrivedThere: { ...ALL, tunnel: [] },
      traffic: { here: { rx: 9000, tx: 9900 }, there: { rx: 0, tx: 9000 } },
    }),
    ["DOCTOR_PORT_BLOCKED"],
  ],
  [
    "the tunnel's port closed back, no session",
    withPeer({
      ...TUNNEL_OFF,
      arrivedHere: { ...ALL, tunnel: [] },
      arrivedThere: { ...ALL, tunnel: [] },
      traffic: { here: { rx: 0, tx: 148 }, there: { rx: 148, tx: 240 } },
    }),
    ["DOCTOR_PORT_BLOCKED"],
  ],
  [
    "a tunnel that nothing explains",
    withPeer({
      ...TUNNEL_OFF,
      arrivedHere: { ...ALL, tunnel: [] },
      arrivedThere: { ...ALL, tunnel: [] },
    }),
    ["DOCTOR_TUNNEL_DEAD"],
  ],
  [
    "a small path: one finding, though both ways and the tunnel suffer",
    withPeer({
      ...TUNNEL_OFF,
      arrivedHere: { ...ALL, udp: upTo(1400), tunnel: [500] },
      arrivedThere: { ...ALL, udp: upTo(1400), tunnel: [500] },
    }),
    ["DOCTOR_PATH_MTU"],
  ],
  ["a path that the kernel knows", withPeer({ kernelMtuHere: 1400 }), ["DOCTOR_PATH_MTU"]],
  [
    "a tunnel that takes small packets only",
    withPeer({
      ...TUNNEL_OFF,
      arrivedHere: { ...ALL, tunnel: [500] },
      arrivedThere: { ...ALL, tunnel: [500] },
    }),
    ["DOCTOR_TUNNEL_MTU"],
  ],
  [
    "the relay's port closed there",
    withPeer({ relayFromHere: "192.168.48.12:6784 does not answer" }),
    ["DOCTOR_PORT_BLOCKED"],
  ],
  [
    "the API's port closed there",
    withPeer({ apiFromHere: "192.168.48.12:1443 does not answer" }),
    ["DOCTOR_PORT_BLOCKED"],
  ],
  ["a relayed tunnel", withPeer({ isRelayed: true }), ["DOCTOR_RELAYED"]],
  ["broken checksums", withPeer({ brokenThere: 7 }), ["DOCTOR_CHECKSUM_OFFLOAD"]],
  [
    "a leaked lease; the one that has just begun is none",
    healthyFacts(
      {},
      {
        unheldLeases: [
          { address: "10.40.0.7", ageMs: 45_000 },
          { address: "10.40.0.8", ageMs: 800 },
        ],
      },
    ),
    ["DOCTOR_LEASE_LEAKED"],
  ],
  [
    "one of two links is down",
    healthyFacts(
      {},
      {
        links: healthyNode().links.map((link) => ({
          ...link,
          state: link.link === 1 ? ("down" as const) : ("up" as const),
        })),
      },
    ),
    ["DOCTOR_LINK_DOWN"],
  ],
  [
    "an owner out of reach",
    healthyFacts(
      {},
      { owners: [{ id: 2, name: "host2", addresses: 131_072, percent: 25, reachable: false }] },
    ),
    ["DOCTOR_OWNER_UNREACHABLE"],
  ],
  [
    "a warning of the node's own",
    healthyFacts(
      {},
      { warnings: [{ code: "NODE_TWIN", message: "a second node has the id 1", hint: "" }] },
    ),
    ["NODE_TWIN"],
  ],
];

test("a healthy node, and a healthy host before its launch, give no finding", () => {
  const node = examine(healthyFacts());
  assert.deepEqual(node.findings, []);
  assert.deepEqual(doctorSchema.strict().parse(node), node);
  const host = examine(healthyFacts({ launched: undefined, takenPorts: [] }, null));
  assert.deepEqual(host.findings, []);
  assert.equal(host.node, null);
});

for (const [title, facts, codes] of ILLS) {
  test(`${title}: ${codes.join(", ")}, and nothing else`, () => {
    const { findings } = examine(facts);
    assert.deepEqual(
      findings.map(({ code }) => code),
      [...codes],
      JSON.stringify(findings),
    );
  });
}

test("each code of the table is given by an ill of these", () => {
  const given = new Set(ILLS.flatMap(([, , codes]) => codes));
  assert.deepEqual(
    Object.keys(FINDINGS).filter((code) => !given.has(code)),
    [],
  );
});

test("evidence and mend of each ill are as they were", () => {
  const text = ILLS.map(([title, facts]) => {
    const lines = examine(facts).findings.map(
      ({ code, severity, evidence, mend }) =>
        `  ${severity} ${code}\n    ${evidence}\n    ${mend}\n`,
    );
    return `${title}\n${lines.join("")}`;
  }).join("\n");
  const path = join(import.meta.dirname, "golden/findings.golden");
  if (process.env["UPDATE_GOLDEN"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, "utf8"));
});
