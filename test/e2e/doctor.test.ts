/** `hansa doctor` names each ill with what was measured, and finds nothing once it is mended as it says. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, fullMesh, hansa, hosts, launch, must } from "./cluster.ts";

interface Finding {
  readonly code: string;
  readonly severity: string;
  readonly evidence: string;
  readonly mend: string;
}

let playground: Playground;
let all: Host[];
before(async () => {
  playground = await hosts("e2edoc", 3);
  all = [1, 2, 3].map((number) => playground.host(number));
});
after(() => playground?.down());

const host = (number: number): Host => playground.host(number);
const sh = (at: Host, script: string): Promise<string> => must(at, "sh", "-c", script);

async function findings(at: Host): Promise<Finding[]> {
  const startMs = fairNow();
  const answer = await hansa(at, "doctor", "-o", "json");
  const tookMs = fairNow() - startMs;
  assert.ok(answer.stdout.startsWith("{"), answer.stderr);
  assert.ok(tookMs < 10_000, `took ${tookMs} ms`);
  const found: Finding[] = JSON.parse(answer.stdout).findings;
  const isError = found.some(({ severity }) => severity === "error");
  assert.equal(answer.status, isError ? 1 : 0, answer.stdout);
  return found;
}

/** A busy machine may have sent a pair to the relay, from where it returns within 40 s (docs/internals/relay.md). */
const SHOWN_WITHIN_MS = 45_000;

/** Waits for exactly these codes, in any order, and returns the findings. */
async function shows(at: Host, ...codes: string[]): Promise<Finding[]> {
  let last: Finding[] = [];
  await eventually(`${at.name} shows ${codes.join() || "nothing"}`, SHOWN_WITHIN_MS, async () => {
    last = await findings(at);
    const found = last.map(({ code }) => code).sort();
    if (found.join() !== [...codes].sort().join()) throw new Error(JSON.stringify(last));
    return true;
  });
  return last;
}

const clean = (at: Host): Promise<Finding[]> => shows(at);

/** From now on `at` drops what matches; ended by `open`. */
const CHAIN = "nft add chain inet ill c '{ type filter hook prerouting priority -400; }'";
const drop = (at: Host, match: string): Promise<string> =>
  sh(at, `nft add table inet ill; ${CHAIN}; nft add rule inet ill c ${match} drop`);
const open = (at: Host): Promise<string> => sh(at, "nft delete table inet ill");

const FROM_1 = "ip saddr 192.168.48.11";

test("before the launch: a taken port, a route in the way, an old wireguard-go", async () => {
  await clean(host(1));
  const holder = await host(1).spawn(["socat", "UDP4-RECV:6783", "STDOUT"]);
  await sh(host(1), "ip route add 10.40.7.0/24 dev eth0");
  const fake = "/usr/local/bin/wireguard-go";
  await sh(host(1), `printf '#!/bin/sh\\necho wireguard-go v0.0.20220316\\n' > ${fake}`);
  await sh(host(1), `chmod 755 ${fake}`);
  const found = await shows(host(1), "PORT_TAKEN", "SUBNET_COLLISION", "DOCTOR_WIREGUARD_GO_OLD");
  holder.kill("SIGKILL");
  const evidence = found.map((each) => each.evidence).join("\n");
  assert.match(evidence, /port 6783\/udp is held by socat \(pid \d+\)/);
  assert.match(
    evidence,
    /10\.32\.0\.0\/12 collides with the route 10\.40\.7\.0\/24 of device eth0/,
  );
  assert.match(evidence, /wireguard-go is of version 0\.0\.20220316/);
  await sh(host(1), `ip route del 10.40.7.0/24 dev eth0; rm ${fake}`);
  await clean(host(1));
});

test("a healthy cluster of three: nothing, in words and as data", async () => {
  await Promise.all(all.map((each, index) => launch(each, index + 1, "host1", "host2", "host3")));
  await fullMesh(all, 20_000);
  await Promise.all(all.map((each) => clean(each)));
  const { stdout, stderr, ...answer } = await hansa(host(2), "doctor");
  assert.equal(answer.status, 0, stdout + stderr);
  assert.match(stdout, /^node +2 \(host2\)$/m);
  assert.match(stdout, /^mtu +1500 on eth0, 1440 in the tunnel$/m);
  assert.match(stderr, /checks, \d+ skipped: nothing found\n$/);
});

test("targets that lead nowhere: told with what status says of them, until they are forgotten", async () => {
  await must(host(1), "hansa", "connect", "host9", "host2:6790");
  const found = await shows(host(1), "DOCTOR_TARGET_UNREACHED", "DOCTOR_TARGET_UNREACHED");
  assert.deepEqual(
    found.map(({ severity }) => severity),
    ["warning", "warning"],
  );
  assert.match(found[0]?.evidence ?? "", /host9 is not connected: the name host9 cannot be/);
  assert.match(found[1]?.evidence ?? "", /host2:6790 is not connected: connection refused at/);
  for (const { mend } of found)
    await sh(host(1), /hansa forget \S+(?=,|$)/.exec(mend)?.[0] ?? "false");
  await clean(host(1));
});

interface Leak {
  readonly address: string;
  /** What the daemon does by itself, after a minute. */
  release(): Promise<unknown>;
}

/** Asks the plugin for an address as Docker does, for no container. */
async function makeLeak(at: Host): Promise<Leak> {
  const ask = async (method: string, body: object): Promise<Record<string, unknown>> => {
    const text = JSON.stringify(body);
    const head = `POST /IpamDriver.${method} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n`;
    const request = `${head}content-length: ${text.length}\r\n\r\n${text}`;
    const argv = ["socat", "-t", "5", "-", "UNIX-CONNECT:/run/hansa/ipam.sock"];
    const { stdout } = await at.exec(argv, { stdin: request });
    return JSON.parse(stdout.slice(stdout.indexOf("{"), stdout.lastIndexOf("}") + 1));
  };
  const pool = { AddressSpace: "hansa", Pool: "10.32.0.0/12", SubPool: "", Options: {}, V6: false };
  const { PoolID } = await ask("RequestPool", pool);
  const lease = await ask("RequestAddress", { PoolID, Address: "", Options: {} });
  const address = `${lease["Address"]}`.replace(/\/.*/, "");
  assert.match(address, /^10\./, JSON.stringify(lease));
  return { address, release: () => ask("ReleaseAddress", { PoolID, Address: address }) };
}

for (const [protocol, port, evidence] of [
  ["udp", 6783, /none of \d+ datagrams arrived/],
  ["tcp", 6783, /192\.168\.48\.12:6783\/tcp does not answer/],
] as const) {
  test(`${port}/${protocol} closed one way: both ends say which way, and nothing else`, async () => {
    await drop(host(2), `${FROM_1} ${protocol} dport ${port}`);
    const seen = await Promise.all([
      shows(host(1), "DOCTOR_PORT_BLOCKED"),
      shows(host(2), "DOCTOR_PORT_BLOCKED"),
    ]);
    for (const [finding] of seen) {
      assert.match(
        finding?.evidence ?? "",
        new RegExp(`^${port}/${protocol} is blocked from host1 \\(\\S+\\) to host2 `),
      );
      assert.match(finding?.evidence ?? "", evidence);
      assert.match(finding?.mend ?? "", new RegExp(`open ${port}/${protocol} on host2`));
    }
    await open(host(2));
    await fullMesh(all, 20_000);
    await Promise.all([clean(host(1)), clean(host(2))]);
  });
}

test("doctor --all, asked anywhere, tells of every pair, and once what both of its ends find", async () => {
  interface Told extends Finding {
    readonly nodes: string[];
  }
  const tellAll = async (): Promise<{ status: number; told: Told[]; stdout: string }> => {
    const { status, stdout, stderr } = await hansa(host(3), "doctor", "--all", "-o", "json");
    assert.ok(stdout.startsWith("{"), stderr);
    return { status, told: JSON.parse(stdout).findings, stdout };
  };
  await drop(host(2), `${FROM_1} udp dport 6783`);
  await sh(host(2), `nft add rule inet ill c ${FROM_1} tcp dport 1443 drop`);
  await eventually("all is told", SHOWN_WITHIN_MS, async () => {
    const { status, told, stdout } = await tellAll();
    const short = told.map(({ evidence, nodes }) => `${evidence.split(" ")[0]} ${nodes.join()}`);
    assert.deepEqual(short.sort(), ["1443/tcp host1", "6783/udp host1,host2"], stdout);
    assert.equal(status, 1);
    return true;
  });
  await open(host(2));
  await fullMesh(all, 20_000);
  await eventually("all is well", SHOWN_WITHIN_MS, async () => {
    const { status, told, stdout } = await tellAll();
    assert.deepEqual([status, told], [0, []], stdout);
    return true;
  });
  const { stdout } = await hansa(host(3), "doctor", "--all");
  assert.match(stdout, /^1\(host1\) +\d+ checks, \d+ skipped: nothing found$/m);
  assert.match(stdout, /^3\(host3\) +\d+ checks/m);
});

test("6784/udp closed one way: both ends say which way, or that a relay carries the tunnel since", async () => {
  await drop(host(2), `${FROM_1} udp dport 6784`);
  for (const each of [host(1), host(2)]) {
    const finding = await eventually(`${each.name} tells`, 25_000, async () =>
      (await findings(each)).find(({ evidence }) => evidence.includes("6784/udp")),
    );
    assert.match(
      finding?.evidence ?? "",
      finding?.code === "DOCTOR_RELAYED"
        ? /^a relay carries the tunnel to node [12] \(host[12]\), because 6784\/udp does not pass/
        : /^6784\/udp is blocked from host1 \(\S+\) to host2 .*the tunnel sent \d+ bytes, 0 arrived/,
    );
  }
  await open(host(2));
  await fullMesh(all, 20_000);
  await Promise.all([clean(host(1)), clean(host(2))]);
});

test("two nodes that hear each other only through the third still find out which way is closed", async () => {
  await drop(host(2), FROM_1);
  await eventually("the way is told, and no other", 30_000, async () => {
    const found = await findings(host(1));
    const udp = found.filter(
      ({ code, evidence }) => code === "DOCTOR_PORT_BLOCKED" && evidence.startsWith("6783/udp"),
    );
    const from = udp.map(({ evidence }) => /from (\S+)/.exec(evidence)?.[1]);
    assert.deepEqual(from, ["host1"], JSON.stringify(found));
    return true;
  });
  await open(host(2));
  await fullMesh(all, 30_000);
  await clean(host(1));
});

test("large packets are lost on a path: the size that passes is told, and is the mend", async () => {
  await drop(host(2), `${FROM_1} meta length '>' 1400`);
  const [finding] = await shows(host(1), "DOCTOR_PATH_MTU");
  assert.match(finding?.evidence ?? "", /1420, 1450, 1492, 1500 bytes from host1 to host2/);
  assert.match(finding?.evidence ?? "", /of 1400 they arrive/);
  const command = /ip link set dev eth0 mtu 1400/.exec(finding?.mend ?? "")?.[0] ?? "false";
  for (const each of all) await sh(each, command);
  await clean(host(1));
  await fullMesh(all, 20_000);
  await open(host(2));
  for (const each of all) await sh(each, "ip link set dev eth0 mtu 1500");
});

test("the host's own ills: neighbours, plugin's file, route", async () => {
  const neigh = "/proc/sys/net/ipv4/neigh";
  const folder = `${neigh}/default`;
  // A host of the playground does not show the machine's own limits: a file stands in. The daemon raises it at its next look.
  await sh(host(2), `mount -t tmpfs tmpfs ${neigh} && mkdir ${folder}`);
  await sh(host(2), "rm /etc/docker/plugins/hansa.spec; ip route add 10.41.0.0/16 dev eth0");
  const found = await eventually("all three are told", 20_000, async () => {
    await sh(host(2), `echo 1024 > ${folder}/gc_thresh3`);
    const seen = await findings(host(2));
    const codes = ["DOCTOR_NEIGHBOUR_TABLE_SMALL", "DOCTOR_PLUGIN_SPEC", "SUBNET_COLLISION"];
    const mends = codes.map((code) => seen.find((each) => each.code === code));
    return mends.every((each) => each !== undefined) ? mends : undefined;
  });
  const [neighbours, spec, route] = found;
  assert.match(neighbours?.evidence ?? "", /gc_thresh3 is 1024, less than 65536/);
  assert.match(spec?.evidence ?? "", /hansa\.spec does not exist/);
  assert.match(route?.evidence ?? "", /the route 10\.41\.0\.0\/16 of device eth0/);
  for (const each of found) await sh(host(2), each?.mend.split(", and ")[0] ?? "false");
  await clean(host(2));
  assert.equal(
    await sh(host(2), "cat /etc/docker/plugins/hansa.spec"),
    "unix:///run/hansa/ipam.sock",
  );
  await sh(host(2), `umount ${neigh}`);
});

test("an address that Docker forgot to give back", async () => {
  // Told from the tenth second on, and given back by the daemon itself in the second minute.
  const { address, release } = await makeLeak(host(3));
  const [finding] = await shows(host(3), "DOCTOR_LEASE_LEAKED");
  assert.ok(finding?.evidence.startsWith(`${address} is leased for `), String(finding?.evidence));
  await release();
  await clean(host(3));
});

test("a daemon that is down, and then one whose clock is off", async () => {
  // Whatever of these lives would start the supervisor again, and that the daemon.
  const pids = ["supervise", "ipam-plugin", "daemon"]
    .map((name) => `$(cut -d' ' -f1 /run/hansa/${name}.pid)`)
    .join(" ");
  await sh(host(3), `kill -9 ${pids}`);
  const down = await findings(host(3));
  const processDown = Array.from({ length: 3 }, () => "DOCTOR_PROCESS_DOWN");
  assert.deepEqual(down.map(({ code }) => code).sort(), [...processDown, "NODE_NOT_RUNNING"]);
  assert.equal(down[0]?.mend, "hansa resume");
  const env = { HANSA_TEST_CLOCK_OFFSET_MS: "-40000" };
  assert.equal((await host(3).exec(["hansa", "resume"], { env })).status, 0);
  await fullMesh(all, 20_000);
  const [behind] = await shows(host(1), "DOCTOR_CLOCK_SKEW");
  // Off by up to half of what the question took.
  assert.match(behind?.evidence ?? "", /clock of node 3 \(host3\) is (39|40)\.\d s behind/);
  const [ahead] = await shows(host(3), "DOCTOR_CLOCK_SKEW", "DOCTOR_CLOCK_SKEW");
  assert.match(ahead?.evidence ?? "", /is (39|40)\.\d s ahead of/);
  await sh(host(3), `kill -9 ${pids}`);
  await must(host(3), "hansa", "resume");
  await fullMesh(all, 20_000);
  await clean(host(1));
});

test("a host that is cut off, and its addresses with it", async () => {
  await playground.cut(3);
  const found = await shows(host(1), "DOCTOR_PEER_UNREACHABLE", "DOCTOR_OWNER_UNREACHABLE");
  assert.match(
    found[0]?.evidence ?? "",
    /nothing came back from node 3 \(host3, 192\.168\.48\.13\)/,
  );
  assert.match(
    found[1]?.evidence ?? "",
    /node 3 \(host3\) owns 131072 dynamic addresses \(25\.0 %\)/,
  );
  await playground.mend(3);
  await fullMesh(all, 30_000);
  await clean(host(1));
});
