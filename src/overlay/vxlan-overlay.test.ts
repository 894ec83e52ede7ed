/** Two real hosts with VXLAN between them, and an outsider who is their switch: what holds on the kernel itself. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LabHost } from "./lab/lab-host.ts";
import {
  assertArrival,
  assertFragmentsOrdinary,
  assertTimeExceeded,
  withTable,
} from "./lab/single-segment.ts";
import {
  cabledHosts,
  configOf,
  failsToPing,
  pings,
  received,
  ruleset,
  set,
  state,
  transfer,
  UNDERLAY_MTU,
  until,
} from "./lab/two-hosts.ts";

const VXLAN = { backend: "vxlan" } as const;
const MTU = 1450;
const MAC_OF_B = "02:68:61:6e:00:02";

let switchHost: LabHost;
let a: LabHost;
let b: LabHost;

before(async () => {
  [switchHost, a, b] = await cabledHosts();
  await Promise.all([set(a, configOf("a", VXLAN)), set(b, configOf("b", VXLAN))]);
  await a.makeContainer("c1", "10.40.0.5/12", "10.32.0.1", MTU);
  await a.makeContainer("c2", "10.40.0.6/12", "10.32.0.1", UNDERLAY_MTU);
  await b.makeContainer("c1", "10.44.0.5/12", "10.32.0.2", MTU);
});

after(async () => {
  for (const host of [a, b, switchHost]) await host?.[Symbol.asyncDispose]();
});

/** All that `set` decides for VXLAN, as the host's own tools print it, without counters. */
async function snapshot(host: LabHost): Promise<string> {
  const link = await host.must("ip", "-details", "link", "show", "dev", "hansa-vx");
  const parts = [
    // A device made anew has another number.
    numberless(link),
    await host.must("ip", "-oneline", "-4", "address", "show", "dev", "hansa-vx").then(numberless),
    await host.must("ip", "neighbour", "show", "dev", "hansa-vx", "nud", "permanent"),
    (await host.must("bridge", "fdb", "show", "dev", "hansa-vx")).split("\n").sort().join("\n"),
    await host.must("ip", "-4", "route", "show", "table", "all"),
    await ruleset(host),
  ];
  return parts.join("\n");
}

function numberless(lines: string): string {
  return lines.replace(/^\d+: /gm, "");
}

/** Counts what arrives in b's container, whatever its source. */
const arrived = () => received(b, "c1");

test("containers of two hosts, and the hosts, reach one another", async () => {
  await pings(a, "c1", "10.44.0.5");
  await pings(b, "c1", "10.40.0.5");
  await pings(a, "c1", "10.32.0.2");
  await a.must("ping", "-c1", "-W3", "10.32.0.2");
  await a.must("ping", "-c1", "-W3", "10.44.0.5");
});

test("64 MiB by TCP arrive, also from a container with too large an MTU, both ways", async () => {
  for (const container of ["c1", "c2"]) {
    const { bytes, from } = await transfer(a, container, b, "c1", "10.44.0.5", 64 << 20);
    assert.equal(bytes, 64 << 20);
    assert.equal(from, container === "c1" ? "10.40.0.5" : "10.40.0.6");
  }
  assert.equal((await transfer(b, "c1", a, "c1", "10.40.0.5", 64 << 20)).bytes, 64 << 20);
});

test("full-size packets pass unfragmented; larger ones are told the size", async () => {
  await pings(a, "c1", "10.44.0.5", "-M", "do", "-s", `${MTU - 28}`);
  await pings(a, "c1", "10.44.0.5", "-s", "8000");
  const size = ["-M", "do", "-s", `${UNDERLAY_MTU - 28}`];
  const tooLarge = await a.inside("c2", "ping", "-c1", "-W3", ...size, "10.44.0.5");
  assert.match(tooLarge.stdout, new RegExp(`Frag needed and DF set \\(mtu = ${MTU}\\)`));
});

test("with checksums computed by the host itself, transfers arrive as well", async () => {
  const software = { ...VXLAN, softwareChecksums: true };
  await set(a, configOf("a", software));
  assert.deepEqual((await set(a, configOf("a", software))).changed, []);
  assert.match(await a.must("ethtool", "-k", "hansa-vx"), /tx-checksum-ip-generic: off/);
  assert.equal((await transfer(a, "c1", b, "c1", "10.44.0.5", 8 << 20)).bytes, 8 << 20);
  await set(a, configOf("a", VXLAN));
  assert.match(await a.must("ethtool", "-k", "hansa-vx"), /tx-checksum-ip-generic: on/);
});

test("a second equal set changes nothing, in this process and after a restart of the daemon", async () => {
  const before = await snapshot(a);
  for (let round = 0; round < 2; round += 1) {
    assert.deepEqual((await set(a, configOf("a", VXLAN))).changed, []);
    await a.ask({ op: "restart-daemon" });
  }
  assert.equal(await snapshot(a), before);
});

test("what others changed, or deleted altogether, is repaired by the next set", async () => {
  const good = await snapshot(a);
  const harms: readonly (readonly string[])[] = [
    ["ip", "link", "delete", "dev", "hansa-vx"],
    ["ip", "link", "set", "dev", "hansa-vx", "down"],
    ["ip", "link", "set", "dev", "hansa-vx", "address", "02:00:00:00:00:09"],
    ["ip", "link", "set", "dev", "hansa-vx", "mtu", "1300"],
    ["ip", "link", "set", "dev", "hansa-vx", "type", "vxlan", "id", "6784", "learning"],
    ["ip", "link", "set", "dev", "hansa-vx", "type", "vxlan", "id", "6784", "local", "10.9.0.77"],
    ["ip", "neighbour", "delete", "10.32.0.2", "dev", "hansa-vx"],
    ["ip", "neighbour", "add", "10.32.0.9", "lladdr", MAC_OF_B, "dev", "hansa-vx"],
    ["bridge", "fdb", "delete", MAC_OF_B, "dev", "hansa-vx", "dst", "10.9.0.2"],
    ["bridge", "fdb", "replace", MAC_OF_B, "dev", "hansa-vx", "dst", "10.9.0.254"],
    ["bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "hansa-vx", "dst", "10.9.0.254"],
    ["ip", "route", "delete", "10.44.0.0/15"],
    ["ip", "route", "replace", "10.44.0.0/15", "dev", "hansa-vx", "proto", "219"],
    ["nft", "delete", "table", "inet", "hansa"],
    ["nft", "flush", "set", "inet", "hansa", "hosts"],
    ["nft", "delete", "table", "netdev", "hansa"],
    ["nft", "flush", "set", "netdev", "hansa", "senders"],
  ];
  for (const harm of harms) {
    await a.must(...harm);
    await set(a, configOf("a", VXLAN));
    assert.equal(await snapshot(a), good, harm.join(" "));
  }
  // Something else has the name.
  await a.must("ip", "link", "delete", "dev", "hansa-vx");
  await a.must("ip", "link", "add", "dev", "hansa-vx", "type", "bridge");
  await set(a, configOf("a", VXLAN));
  assert.equal(await snapshot(a), good);
  await pings(a, "c1", "10.44.0.5");
});

test("TCP takes the fast path once the host's rules let its connection through", async () => {
  const arrives = async (kind: "SYN" | "ACK", expected: boolean): Promise<void> => {
    await assertArrival([a, b], { kind, source: "10.40.0.5", to: "10.44.0.5" }, expected);
  };
  const rule = "type filter hook forward priority 0; ip protocol tcp ip daddr 10.44.0.5 drop;";
  await arrives("SYN", true);
  await arrives("ACK", true);
  await withTable(a, undefined, ["ip theirs", `chain c { ${rule} }`], async () => {
    await arrives("SYN", false);
    await arrives("ACK", true);
    await a.must("nft", "delete table netdev hansa");
    await arrives("SYN", false);
    await arrives("ACK", false);
  });
  assert.deepEqual((await set(a, configOf("a", VXLAN))).changed, ["fast path"]);
});

test("TCP without a hop left is answered by the host where it ended", async () => {
  for (const ttl of [1, 2]) {
    const change = `ip ttl set ${ttl}`;
    await assertTimeExceeded(a, { kind: "ACK", source: "10.40.0.5", to: "10.44.0.5", change });
  }
});

test("fragments of TCP take the ordinary way on both hosts", async () => {
  await assertFragmentsOrdinary(a, b, "hansa-vx");
});

test("a set that fails behind the firewall leaves no fast path of an earlier one", async () => {
  const good = await snapshot(a);
  const config = configOf("a", VXLAN);
  const narrower = config.fastPath.replaceAll("10.44.0.0/15", "10.44.0.0/16");
  assert.notEqual(narrower, config.fastPath);
  // The kernel refuses the device such an MTU.
  await assert.rejects(set(a, { ...config, fastPath: narrower, mtu: 100_000 }));
  assert.notEqual((await a.run("nft", "list", "table", "netdev", "hansa")).status, 0);
  assert.ok((await set(a, config)).changed.includes("fast path"));
  assert.equal(await snapshot(a), good);
});

test("what is forged or from strangers does not arrive", async () => {
  const forged = async (what: string, send: () => Promise<unknown>) => {
    const before = await arrived();
    await send();
    assert.equal(await arrived(), before, `${what} arrived`);
  };
  // A stranger with the right network number, MAC and inner source, but an address of its own.
  await switchHost.must(
    ...["ip", "link", "add", "dev", "evil", "address", "02:68:61:6e:00:01", "type", "vxlan"],
    ...["id", "6784", "dstport", "6784", "remote", "10.9.0.2"],
  );
  await switchHost.must("ip", "address", "add", "10.40.0.5/32", "dev", "evil");
  await switchHost.must("ip", "link", "set", "evil", "up");
  const lladdr = ["lladdr", MAC_OF_B, "dev", "evil", "nud", "permanent"];
  await switchHost.must("ip", "neighbour", "add", "10.44.0.5", ...lladdr);
  await switchHost.must("ip", "route", "add", "10.44.0.5/32", "dev", "evil", "src", "10.40.0.5");
  await forged("a stranger's packet", () => failsToPing(switchHost, "10.44.0.5"));
  // Under the address of a peer it gets in: without encryption, that is what is trusted. So the packets before were well-formed.
  await switchHost.must("ip", "address", "add", "10.9.0.1/32", "dev", "lo");
  const asPeer = ["type", "vxlan", "id", "6784", "local", "10.9.0.1"];
  await switchHost.must("ip", "link", "set", "dev", "evil", ...asPeer);
  const before = await arrived();
  await failsToPing(switchHost, "10.44.0.5");
  assert.notEqual(await arrived(), before);
  await switchHost.must("ip", "link", "delete", "evil");
  await switchHost.must("ip", "address", "delete", "10.9.0.1/32", "dev", "lo");
  for (const [source, target] of [
    ["10.44.0.77", "10.44.0.5"],
    ["10.32.0.2", "10.44.0.5"],
    ["10.42.0.1", "10.44.0.5"],
    ["192.0.2.1", "10.44.0.5"],
  ] as const) {
    await a.must("ip", "-n", "c1", "address", "add", `${source}/32`, "dev", "lo");
    await forged(`a container's packet from ${source}`, () =>
      a.inside("c1", "ping", "-c1", "-W0.5", "-I", source, target),
    );
    await assertArrival([a, b], { kind: "ACK", source, to: target }, false);
    await a.must("ip", "-n", "c1", "address", "delete", `${source}/32`, "dev", "lo");
  }
});

test("a container cannot inject VXLAN of its own, from our network or another of the host's", async () => {
  await a.must("ip", "link", "add", "docker9", "type", "bridge");
  await a.must("ip", "address", "add", "172.29.0.1/24", "dev", "docker9");
  await a.must("ip", "link", "set", "docker9", "up");
  await a.must("nft", "add", "table", "ip", "docker-like");
  const hook = "{ type nat hook postrouting priority srcnat; }";
  await a.must("nft", "add", "chain", "ip", "docker-like", "post", hook);
  const masquerade = ["ip", "saddr", "172.29.0.0/24", "oifname", "eth0", "masquerade"];
  await a.must("nft", "add", "rule", "ip", "docker-like", "post", ...masquerade);
  await a.must("ip", "netns", "add", "c9");
  const peer = ["peer", "name", "eth0", "netns", "c9"];
  await a.must("ip", "link", "add", "v-c9", "type", "veth", ...peer);
  await a.must("ip", "link", "set", "v-c9", "master", "docker9", "up");
  for (const words of [
    ["link", "set", "lo", "up"],
    ["address", "add", "172.29.0.5/24", "dev", "eth0"],
    ["link", "set", "eth0", "up"],
    ["route", "add", "default", "via", "172.29.0.1"],
  ]) {
    await a.must("ip", "-n", "c9", ...words);
  }
  const counted = async (): Promise<number> => {
    const { stdout } = await b.run("cat", "/proc/net/snmp");
    return (
      Number(/^Udp: (\d+) /m.exec(stdout)?.[1] ?? 0) +
      Number(/^Udp: \d+ (\d+)/m.exec(stdout)?.[1] ?? 0)
    );
  };
  for (const container of ["c1", "c9", "c9 unprotected"]) {
    const [name = "", isControl] = container.split(" ");
    const vx = ["vx0", "address", "02:68:61:6e:00:01", "type", "vxlan", "id", "6784"];
    const end = ["dstport", "6784", "remote", "10.9.0.2"];
    await a.must("ip", "-n", name, "link", "add", "dev", ...vx, ...end);
    await a.must("ip", "-n", name, "address", "add", "10.40.0.99/32", "dev", "vx0");
    await a.must("ip", "-n", name, "link", "set", "vx0", "up");
    const lladdr = ["lladdr", MAC_OF_B, "dev", "vx0", "nud", "permanent"];
    await a.must("ip", "-n", name, "neighbour", "add", "10.44.0.5", ...lladdr);
    await a.must("ip", "-n", name, "route", "add", "10.44.0.5/32", "dev", "vx0");
    for (const source of ["its own address", "10.9.0.1", "10.9.0.2"]) {
      if (source.startsWith("10")) {
        await a.must("ip", "-n", name, "address", "add", `${source}/32`, "dev", "lo");
        const from = ["type", "vxlan", "id", "6784", "local", source];
        await a.must("ip", "-n", name, "link", "set", "dev", "vx0", ...from);
      }
      if (isControl) await a.must("nft", "delete", "table", "inet", "hansa");
      const before = [await arrived(), await counted()];
      await a.inside(name, "ping", "-c1", "-W0.4", "-I", "10.40.0.99", "10.44.0.5");
      const now = [await arrived(), await counted()];
      if (!isControl) assert.deepEqual(now, before, `${container}, ${source}`);
      // Under its own address, that is the host's after masquerading; the kernel itself stops the others as martians.
      else if (!source.startsWith("10")) assert.notDeepEqual(now, before, container);
      if (isControl) await set(a, configOf("a", VXLAN));
    }
    await a.must("ip", "-n", name, "link", "delete", "vx0");
    for (const source of ["10.9.0.1", "10.9.0.2"]) {
      await a.must("ip", "-n", name, "address", "delete", `${source}/32`, "dev", "lo");
    }
  }
  await a.must("nft", "delete", "table", "ip", "docker-like");
});

test("nothing but IPv4 comes out of the tunnel", async () => {
  await a.must("sysctl", "-qw", "net.ipv6.conf.hansa-vx.disable_ipv6=0");
  await a.must("ip", "address", "add", "fd00:9::1/128", "dev", "lo");
  await b.must("ip", "address", "add", "fd00:9::2/128", "dev", "lo");
  const lladdr = ["lladdr", MAC_OF_B, "dev", "hansa-vx", "nud", "permanent"];
  await a.must("ip", "neighbour", "add", "fd00:9::2", ...lladdr);
  await a.must("ip", "route", "add", "fd00:9::2/128", "dev", "hansa-vx", "src", "fd00:9::1");
  const asked = async (): Promise<string | undefined> =>
    /^Icmp6InEchos\s+(\d+)/m.exec(await b.must("cat", "/proc/net/snmp6"))?.[1];
  const before = await asked();
  await a.run("ping", "-6", "-c1", "-W0.5", "-I", "fd00:9::1", "fd00:9::2");
  assert.equal(await asked(), before);
  await b.must("sysctl", "-qw", "net.ipv6.conf.hansa-vx.disable_ipv6=0");
  await a.run("ping", "-6", "-c1", "-W0.5", "-I", "fd00:9::1", "fd00:9::2");
  assert.notEqual(await asked(), before, "the question was well-formed");
  await a.must("ip", "address", "delete", "fd00:9::1/128", "dev", "lo");
  await b.must("ip", "address", "delete", "fd00:9::2/128", "dev", "lo");
  await set(a, configOf("a", VXLAN));
  const { changed } = await set(b, configOf("b", VXLAN));
  assert.deepEqual(changed, ["net/ipv6/conf/hansa-vx/disable_ipv6 = 1"]);
});

test("a host whose address changes sends from the new one, without a new device", async () => {
  const number = (text: string) => Number(/^(\d+):/.exec(text)?.[1]);
  const before = number(await b.must("ip", "link", "show", "dev", "hansa-vx"));
  await b.must("ip", "address", "add", "10.9.0.22/24", "dev", "eth0");
  await set(b, configOf("b", { ...VXLAN, ownIp: "10.9.0.22" }));
  assert.notEqual((await a.inside("c1", "ping", "-c1", "-W0.5", "10.44.0.5")).status, 0);
  await set(a, configOf("a", { ...VXLAN, peerIp: "10.9.0.22" }));
  await pings(a, "c1", "10.44.0.5");
  assert.equal(number(await b.must("ip", "link", "show", "dev", "hansa-vx")), before);
  await set(b, configOf("b", VXLAN));
  await set(a, configOf("a", VXLAN));
  await pings(a, "c1", "10.44.0.5");
});

test("over an IPv6 underlay large transfers arrive too", async () => {
  for (const [host, number] of [
    [a, 1],
    [b, 2],
  ] as const) {
    await host.must("ip", "address", "add", `2001:db8::${number}/64`, "dev", "eth0", "nodad");
  }
  const of = (own: 1 | 2, other: 1 | 2) =>
    ({ ...VXLAN, ownIp: `2001:db8::${own}`, peerIp: `2001:db8::${other}` }) as const;
  await Promise.all([set(a, configOf("a", of(1, 2))), set(b, configOf("b", of(2, 1)))]);
  assert.deepEqual((await set(a, configOf("a", of(1, 2)))).changed, []);
  await until(
    "a way",
    async () => (await a.inside("c1", "ping", "-c1", "-W1", "10.44.0.5")).status === 0,
  );
  // The container still has the larger MTU of IPv4.
  assert.equal((await transfer(a, "c1", b, "c1", "10.44.0.5", 64 << 20)).bytes, 64 << 20);
  await Promise.all([set(a, configOf("a", VXLAN)), set(b, configOf("b", VXLAN))]);
});

test("cleanUp leaves the rule set byte for byte as it was", async () => {
  await using host = await LabHost.start("clean");
  await host.makeBridge("10.32.0.1/12");
  const before = await state(host);
  await set(host, configOf("a", VXLAN));
  assert.notEqual(await state(host), before);
  await host.ask({ op: "restart-daemon" });
  await host.ask({ op: "clean-up" });
  assert.equal(await state(host), before);
});
