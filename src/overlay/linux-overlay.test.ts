/** Two real hosts with wireguard-go between them, and an outsider who is their switch: what holds on the kernel itself. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fairNow } from "../../test/fair-time.ts";
import { LabHost } from "./lab/lab-host.ts";
import {
  assertArrival,
  assertFragmentsOrdinary,
  assertTimeExceeded,
  withTable,
} from "./lab/single-segment.ts";
import {
  cabledHosts,
  changesDuring,
  configOf,
  endpoint,
  failsToPing,
  keys,
  listening,
  MTU,
  pings,
  received,
  secretsOf,
  set,
  snapshot,
  startTunnel,
  state,
  TRANSFER,
  transfer,
  UNDERLAY_MTU,
  until,
} from "./lab/two-hosts.ts";
import type { OverlayObservation } from "./overlay.ts";
import { planDevice } from "./wireguard-plan.ts";

let switchHost: LabHost;
let a: LabHost;
let b: LabHost;

before(async () => {
  [switchHost, a, b] = await cabledHosts();
  await Promise.all([startTunnel(a), startTunnel(b)]);
  await Promise.all([set(a, configOf("a")), set(b, configOf("b"))]);
  await a.makeContainer("c1", "10.40.0.5/12", "10.32.0.1", MTU);
  await a.makeContainer("c2", "10.40.0.6/12", "10.32.0.1", UNDERLAY_MTU);
  await b.makeContainer("c1", "10.44.0.5/12", "10.32.0.2", MTU);
});

after(async () => {
  for (const host of [a, b, switchHost]) await host?.[Symbol.asyncDispose]();
});

test("containers of two hosts, and the hosts, reach one another", async () => {
  await pings(a, "c1", "10.44.0.5");
  await pings(b, "c1", "10.40.0.5");
  await pings(a, "c1", "10.32.0.1");
  await pings(a, "c1", "10.32.0.2");
  await a.must("ping", "-c1", "-W3", "10.32.0.2");
  await a.must("ping", "-c1", "-W3", "10.44.0.5");
  await a.must("ping", "-c1", "-W3", "10.40.0.5");
});

test("the first packet does not wait for proxy ARP", async () => {
  // Else the kernel answers after a random time of up to 0.8 s.
  assert.equal(await a.must("cat", "/proc/sys/net/ipv4/neigh/hansa0/proxy_delay"), "0\n");
  await a.inside("c1", "ip", "neighbour", "flush", "dev", "eth0");
  await pings(a, "c1", "10.44.0.5");
});

test("64 MiB by TCP arrive, also from a container with too large an MTU", async () => {
  for (const container of ["c1", "c2"]) {
    const { bytes, from } = await transfer(a, container, b, "c1", "10.44.0.5", 64 << 20);
    assert.equal(bytes, 64 << 20);
    assert.equal(from, container === "c1" ? "10.40.0.5" : "10.40.0.6");
  }
});

test("full-size packets pass unfragmented; larger ones are told the size", async () => {
  const size = (mtu: number): string => String(mtu - 28);
  await pings(a, "c1", "10.44.0.5", "-M", "do", "-s", size(MTU));
  await pings(a, "c1", "10.44.0.5", "-s", "8000");
  const tooLarge = await a.inside(
    "c2",
    "ping",
    "-c1",
    "-W3",
    "-M",
    "do",
    "-s",
    size(UNDERLAY_MTU),
    "10.44.0.5",
  );
  assert.notEqual(tooLarge.status, 0);
  assert.match(tooLarge.stdout, new RegExp(`Frag needed and DF set \\(mtu = ${MTU}\\)`));
});

test("a container reaches the outside under its host's address", async () => {
  const { from } = await transfer(a, "c1", switchHost, undefined, "10.9.0.254", 1000);
  assert.equal(from, "10.9.0.1");
});

test("an outsider on the underlay reaches neither containers nor node addresses", async () => {
  await switchHost.must("ip", "route", "replace", "10.32.0.0/12", "via", "10.9.0.1");
  await Promise.all([failsToPing(switchHost, "10.40.0.5"), failsToPing(switchHost, "10.32.0.1")]);
  // With a source of the subnet it must not get answers by way of the tunnel either.
  await switchHost.must("ip", "address", "add", "10.44.0.99/32", "dev", "lo");
  await Promise.all(
    ["10.40.0.5", "10.9.0.1"].map((to) => failsToPing(switchHost, to, "-I", "10.44.0.99")),
  );
});

test("a container cannot send under an address that is not its host's", async () => {
  const cases = [
    ["10.44.0.77", "10.44.0.5", () => received(b, "c1")],
    ["10.32.0.2", "10.44.0.5", () => received(b, "c1")],
    ["192.0.2.1", "10.44.0.5", () => received(b, "c1")],
    ["192.0.2.1", "10.9.0.254", () => received(switchHost)],
  ] as const;
  for (const [forged, target, counters] of cases) {
    await a.must("ip", "-n", "c1", "address", "add", `${forged}/32`, "dev", "lo");
    const before = await counters();
    const ping = await a.inside("c1", "ping", "-c1", "-W0.5", "-I", forged, target);
    assert.notEqual(ping.status, 0);
    assert.equal(await counters(), before, `${forged} arrived at ${target}`);
    const segment = { kind: "ACK", source: forged, to: target } as const;
    if (target === "10.44.0.5") await assertArrival([a, b], segment, false);
    await a.must("ip", "-n", "c1", "address", "delete", `${forged}/32`, "dev", "lo");
  }
});

test("what nobody holds is refused at once", async () => {
  const { stdout, stderr } = await a.run("ping", "-c1", "-W3", "10.47.0.1");
  assert.match(stdout + stderr, /unreachable|no route to host/i);
  // By the route, and not by ARP, which gives up after three seconds with the same words.
  const asked = await a.run("ip", "route", "get", "10.47.0.1");
  assert.match(asked.stderr, /No route to host/);
});

test("a published port is reached from outside through its translation", async () => {
  const rules = `table ip docker-like {
    chain pre { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 10.40.0.5:7000; }
  }`;
  await a.ask({ op: "run", argv: ["nft", "-f", "-"], stdin: rules });
  const received = a.inside("c1", process.execPath, TRANSFER, "receive", "7000");
  await listening(a, "c1", 7000);
  await switchHost.must(process.execPath, TRANSFER, "send", "10.9.0.1", "8080", "5000");
  assert.equal((await received).stdout, "5000 10.9.0.254\n");
  await a.must("nft", "delete", "table", "ip", "docker-like");
});

test("a second equal set changes nothing, in this process and after a restart of the daemon", async () => {
  const before = await snapshot(a);
  const seen = await changesDuring(a, async () => {
    for (let round = 0; round < 2; round += 1) {
      assert.deepEqual((await set(a, configOf("a"))).changed, []);
      await a.ask({ op: "restart-daemon" });
    }
  });
  assert.equal(await snapshot(a), before);
  assert.deepEqual(seen, []);
});

test("TCP takes the fast path once the host's rules let its connection through", async () => {
  const rule = "type filter hook forward priority 0; ip protocol tcp ip daddr 10.44.0.5 drop;";
  await withTable(a, undefined, ["ip theirs", `chain c { ${rule} }`], async () => {
    for (const [kind, arrives] of [
      ["SYN", false],
      ["ACK", true],
    ] as const) {
      await assertArrival([a, b], { kind, source: "10.40.0.5", to: "10.44.0.5" }, arrives);
    }
  });
});

test("TCP without a hop left is answered by the host where it ended", async () => {
  for (const ttl of [1, 2]) {
    const change = `ip ttl set ${ttl}`;
    await assertTimeExceeded(a, { kind: "ACK", source: "10.40.0.5", to: "10.44.0.5", change });
  }
});

test("fragments of TCP take the ordinary way on both hosts", async () => {
  await assertFragmentsOrdinary(a, b, "hansa-wg");
});

test("what others changed is repaired by the next set", async () => {
  const good = await snapshot(a);
  await a.must("ip", "route", "delete", "10.44.0.0/15");
  await a.must("ip", "route", "add", "10.45.0.0/16", "dev", "eth0", "proto", "219");
  await a.must("ip", "address", "delete", "10.32.0.1/32", "dev", "hansa-wg");
  await a.must("nft", "delete", "table", "inet", "hansa");
  await a.must("nft", "delete", "table", "netdev", "hansa");
  await a.must("wg", "set", "hansa-wg", "peer", keys.b.publicKey, "remove");
  await a.must("sysctl", "-qw", "net.ipv4.conf.hansa0.proxy_arp=0");
  await a.must("ip", "link", "set", "hansa-wg", "mtu", "1300");
  await set(a, configOf("a"));
  assert.equal(await snapshot(a), good);
  await a.must("nft", "insert", "rule", "inet", "hansa", "forward", "drop");
  await set(a, configOf("a"));
  assert.equal(await snapshot(a), good);
  await pings(a, "c1", "10.44.0.5");
});

test("rules in DOCKER-USER are set first and once, and repaired; without the chain nothing is made", async () => {
  const { problems } = await set(a, configOf("a"));
  assert.ok(problems.some((each) => each.includes("DOCKER-USER")));
  assert.equal(
    await a.must("iptables-save", "-t", "filter"),
    await a.must("iptables-save", "-t", "filter"),
  );
  assert.notEqual((await a.run("iptables", "-S", "DOCKER-USER")).status, 0);
  await a.must("iptables", "-N", "DOCKER-USER");
  await a.must("iptables", "-A", "DOCKER-USER", "-j", "RETURN");
  const want = [
    "-N DOCKER-USER",
    "-A DOCKER-USER -i hansa-wg -o hansa0 -m comment --comment hansa -j ACCEPT",
    "-A DOCKER-USER -i hansa0 -o hansa-wg -m comment --comment hansa -j ACCEPT",
    "-A DOCKER-USER -j RETURN",
    "",
  ].join("\n");
  await set(a, configOf("a"));
  await set(a, configOf("a"));
  assert.equal(await a.must("iptables", "-S", "DOCKER-USER"), want);
  await a.must("iptables", "-D", "DOCKER-USER", "1");
  await set(a, configOf("a"));
  assert.equal(await a.must("iptables", "-S", "DOCKER-USER"), want);
});

test("with Docker's FORWARD policy DROP, traffic passes by DOCKER-USER", async () => {
  await a.must("iptables", "-P", "FORWARD", "DROP");
  assert.notEqual((await a.inside("c1", "ping", "-c1", "-W1", "10.44.0.5")).status, 0);
  await a.must("iptables", "-I", "FORWARD", "-j", "DOCKER-USER");
  await pings(a, "c1", "10.44.0.5");
  await pings(b, "c1", "10.40.0.5");
  await a.must("iptables", "-P", "FORWARD", "ACCEPT");
});

test("an endpoint where a working peer roamed to stays, and is replaced when ours changes", async () => {
  await pings(a, "c1", "10.44.0.5");
  // The kernel deletes an interface's other addresses with its first.
  await b.must("ip", "address", "delete", "10.9.0.2/24", "dev", "eth0");
  await b.must("ip", "address", "add", "10.9.0.22/24", "dev", "eth0");
  await until("the peer to roam", async () => {
    await b.inside("c1", "ping", "-c1", "-W1", "10.40.0.5");
    return (await endpoint(a)) === "10.9.0.22:6784";
  });
  assert.deepEqual((await set(a, configOf("a"))).changed, []);
  await a.ask({ op: "restart-daemon" });
  assert.deepEqual((await set(a, configOf("a"))).changed, []);
  assert.equal(await endpoint(a), "10.9.0.22:6784");
  await b.must("ip", "address", "add", "10.9.0.23/24", "dev", "eth0");
  await set(a, configOf("a", { peerIp: "10.9.0.23" }));
  assert.equal(await endpoint(a), "10.9.0.23:6784");
});

test("when wireguard-go is killed and started again, the tunnel is restored at once", async (t) => {
  const config = configOf("a", { peerIp: "10.9.0.22" });
  await set(a, config);
  await a.ask({ op: "heal", config, secrets: secretsOf("a") });
  await a.ask({ op: "kill-tunnel" });
  await assert.rejects(a.ask({ op: "observe" }), { code: "OVERLAY_TUNNEL_MISSING" });
  await a.ask({ op: "start-tunnel" });
  await until(
    "the interface",
    async () => (await a.run("ip", "link", "show", "hansa-wg")).status === 0,
  );
  const started = fairNow();
  await until(
    "traffic",
    async () => (await a.inside("c1", "ping", "-c1", "-W1", "10.44.0.5")).status === 0,
  );
  const took = fairNow() - started;
  t.diagnostic(`traffic again ${took.toFixed(0)} ms after the interface`);
  assert.ok(took < 3000, `${took} ms`);
});

test("observe tells traffic and the age of the handshake", async () => {
  await pings(a, "c1", "10.44.0.5");
  const { backend, peers }: OverlayObservation = await a.ask({ op: "observe" });
  assert.equal(backend, "userspace");
  assert.equal(peers.length, 1);
  assert.ok(peers[0]!.rxBytes > 0 && peers[0]!.txBytes > 0);
  assert.ok(peers[0]!.handshakeAgeMs! < 60_000);
});

test("a set with nothing to change asks what stands, each once, and starts no program that changes it", async () => {
  const config = configOf("a", { peerIp: "10.9.0.22" });
  await set(a, config);
  await a.ask({ op: "programs" });
  await set(a, config);
  // WireGuard is asked by its socket, and kernel settings are files.
  assert.deepEqual((await a.ask<string[]>({ op: "programs" })).sort(), [
    "ip -json -force -batch -",
    "iptables -w 5 -S DOCKER-USER",
    "nft -s list table inet hansa",
    "nft -s list table netdev hansa",
  ]);
});

test("cleanUp leaves the rule set byte for byte as it was", async () => {
  const host = await LabHost.start("clean");
  await using _host = host;
  await host.makeBridge("10.32.0.1/12");
  await host.must("iptables", "-N", "DOCKER-USER");
  await host.must("iptables", "-A", "DOCKER-USER", "-j", "RETURN");
  const before = await state(host);
  await startTunnel(host);
  await set(host, configOf("a"));
  assert.notEqual(await state(host), before);
  await host.ask({ op: "clean-up" });
  assert.equal(await state(host), before);
});

test("wg, for the kernel's tunnel, is told by a file that is gone afterwards, and reads the same as the socket", async () => {
  await using host = await LabHost.start("by-wg");
  await startTunnel(host);
  const wireguard = configOf("a").tunnel;
  assert.ok(wireguard.kind === "wireguard");
  const empty = { privateKey: "", listenPort: 0, peers: new Map() };
  const change = planDevice(wireguard, secretsOf("a"), empty, new Map(), Date.now());
  assert.ok(change);
  const [byWg, bySocket] = await host.ask({ op: "by-wg", change });
  assert.deepEqual(byWg, bySocket);
  const state = { ...byWg, peers: new Map(byWg.peers) };
  assert.equal(planDevice(wireguard, secretsOf("a"), state, new Map(), Date.now()), undefined);
  assert.equal(await host.must("ls", "-A", "/run/hansa/wireguard"), "");
});

test("without a tunnel, set protects all the same and says what is missing", async () => {
  await using host = await LabHost.start("bare", 200);
  await assert.rejects(set(host, configOf("a")), {
    code: "OVERLAY_TUNNEL_MISSING",
    message: /tunnel hansa-wg does not exist/,
  });
  assert.equal(
    await host.must("nft", "-s", "list", "table", "inet", "hansa"),
    configOf("a").firewall,
  );
  assert.match(await host.must("ip", "route"), /unreachable 10\.40\.0\.0\/13/);
});
