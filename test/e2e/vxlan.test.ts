/** A cluster launched with --no-encryption: VXLAN between three hosts, shown as UNENCRYPTED, and one that encrypts kept out. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Playground } from "../../src/playground/playground.ts";
import {
  addressOf,
  allReachAll,
  eventually,
  fullMesh,
  hansa,
  hosts,
  launch,
  must,
  type Served,
  served,
  status,
  TOKEN,
} from "./cluster.ts";

const MTU = 1450;
/** In the host's own process namespace. */
const KILL_DAEMON = "kill -9 $(pgrep -f '^[^ ]*hansa daemon')";

let playground: Playground;
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2evx", 4);
});
after(() => playground?.down());

const member = (id: number) => playground.host(id);
const members = () => [1, 2, 3].map(member);
const containerOf = (id: number): Served => containers[id - 1] as Served;

function launchLine(id: number, ...more: string[]): string[] {
  return ["launch", "--id", `${id}`, "--token", TOKEN, ...more];
}

/** A program in the network of a container, with the host's own tools. */
async function inside({ host, name }: Served, ...argv: string[]): Promise<string> {
  const pid = await must(host, "docker", "inspect", "-f", "{{.State.Pid}}", name);
  return must(host, "nsenter", "-t", pid, "-n", ...argv);
}

const inEchos = async (of: Served): Promise<string | undefined> =>
  /^Icmp: \d+.*$/m.exec(await inside(of, "cat", "/proc/net/snmp"))?.[0];

test("--no-encryption is warned of at launch, and shown wherever encryption is", async () => {
  const answers = await Promise.all(
    members().map(async (host) => ({
      host,
      ...(await hansa(host, ...launchLine(host.number, "--no-encryption", "host1", "host2"))),
    })),
  );
  for (const { host, status: code, stdout, stderr } of answers) {
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim(), `[${host.number}] Node launched`);
    assert.match(stderr, /Warning: UNENCRYPTED: /);
  }
  await fullMesh(members(), 20_000);
  for (const host of members()) {
    assert.match(await must(host, "hansa", "status"), /^encryption +UNENCRYPTED \(vxlan\)/m);
    const rows = await must(host, "hansa", "status", "--connections");
    assert.equal([...rows.matchAll(/established unencrypted vxlan +\d/g)].length, 2, rows);
    const { connections } = await status(host);
    const established = connections.filter(({ state }) => state === "established");
    for (const { encrypted, backend, mtu } of established) {
      assert.deepEqual([encrypted, backend, mtu], [false, "vxlan", MTU]);
    }
    const processes = await must(host, "ps", "-eo", "args");
    assert.doesNotMatch(processes, /wireguard|hansa tunnel/);
  }
});

test("containers of all hosts reach each other, also with 64 MiB and packets of every size", async () => {
  for (const host of members()) {
    const name = `c${host.number}`;
    containers.push(await served(host, name));
  }
  await allReachAll(containers);
  const [one, two, three] = [containerOf(1), containerOf(2), containerOf(3)];
  const make = "dd if=/dev/urandom of=/big bs=1M count=64 2>/dev/null; md5sum < /big";
  const sum = await must(two.host, "docker", "exec", two.name, "sh", "-c", make);
  const fetched = `wget -qO- http://${two.address}/big | md5sum`;
  for (const from of [one, three]) {
    assert.equal(await must(from.host, "docker", "exec", from.name, "sh", "-c", fetched), sum);
  }
  // One that was started with the whole MTU of the wire is told the tunnel's, by ICMP and in TCP's own terms.
  await inside(three, "ip", "link", "set", "eth0", "mtu", "1500");
  assert.equal(await must(three.host, "docker", "exec", three.name, "sh", "-c", fetched), sum);
  await inside(one, "ping", "-c1", "-W3", "-M", "do", "-s", `${MTU - 28}`, two.address);
  await inside(one, "ping", "-c1", "-W3", "-s", "20000", two.address);
});

test("on the wire it is VXLAN in clear, and gossip is not", async () => {
  const [one, two] = [containerOf(1), containerOf(2)];
  const argv = ["tcpdump", "-lnAi", "eth0", "-T", "vxlan", "-s", "0"];
  const capture = one.host.spawn([...argv, "udp port 6784 or port 6783"]);
  let heard = "";
  capture.stdout.on("data", (chunk: Buffer) => {
    heard += chunk;
  });
  const gossipOf = (): string[] =>
    heard.split(/^(?=\d\d:\d\d:)/m).filter((packet) => /\.6783\b/.test(packet));
  const words = `exec wget -qO- -T 5 http://${two.address}/needle-in-clear`;
  try {
    await eventually("requests and gossip in the capture", 15_000, async () => {
      await one.host.exec(["docker", "exec", one.name, "sh", "-c", words]);
      if (heard.includes("GET /needle-in-clear") && gossipOf().length > 5) return true;
      throw new Error(heard.slice(-2000));
    });
  } finally {
    capture.kill("SIGKILL");
  }
  assert.ok(/\.6784: VXLAN, .* vni 6784/.test(heard), heard.slice(0, 2000));
  const gossip = gossipOf();
  assert.ok(gossip.every((packet) => !/host[123]/.test(packet)));
});

test("a node that encrypts is kept out, and both sides say why", async () => {
  const host = member(4);
  await launch(host, 4, "host1");
  const clear = /was launched with --no-encryption, this one encrypts: launch all alike/;
  const encrypts = /the node there encrypts, this one was launched with --no-encryption/;
  await eventually("the row on both sides", 20_000, async () => {
    for (const [at, place, why] of [
      [host, "host1:6783", clear],
      [member(1), `${host.ip(0)}:6783`, encrypts],
      [member(3), `${host.ip(0)}:6783`, encrypts],
    ] as const) {
      const { connections, warnings } = await status(at);
      const row = connections.find(({ address }) => address === place);
      assert.equal(row?.state, "failed", JSON.stringify(connections));
      assert.match(row.error ?? "", why);
      const codes = warnings.map(({ code }) => code);
      assert.ok(codes.includes("CLUSTER_DIFFERS"), JSON.stringify(warnings));
      assert.match(warnings.find(({ code }) => code === "CLUSTER_DIFFERS")?.message ?? "", why);
    }
    return true;
  });
  assert.match((await hansa(host, "status")).stderr, clear);
  // Nothing is given: no route, no tunnel, no records.
  assert.doesNotMatch(await must(host, "ip", "route"), /hansa-vx|10\.32\.0\.1 dev/);
  assert.doesNotMatch(await must(member(1), "ip", "route"), /10\.32\.0\.4\b/);
  assert.doesNotMatch(await must(member(1), "bridge", "fdb", "show", "dev", "hansa-vx"), /:04 /);
  await launch(host, 4, "host1", "host2");
  await fullMesh(members(), 5_000).catch(() => undefined);
  for (const at of members()) {
    const established = (await status(at)).connections.filter((row) => row.state === "established");
    assert.deepEqual(established.length, 2);
  }
  await allReachAll(containers);
});

test("the setting of a node that was launched is kept, and another one refused", async () => {
  const other = await hansa(member(4), ...launchLine(4, "--no-encryption"));
  assert.equal(other.status, 1);
  assert.match(other.stderr, /launched before with encryption, not without encryption/);
  const again = await hansa(member(1), ...launchLine(1));
  assert.equal(again.status, 0, again.stderr);
  assert.match(again.stderr, /UNENCRYPTED/);
  assert.match(await must(member(1), "hansa", "status"), /UNENCRYPTED/);
});

test("a stranger's VXLAN does not arrive, whatever it claims inside", async () => {
  const stranger = member(4);
  const target = containerOf(2);
  const device = ["ip", "link", "add", "evil", "address", "02:68:61:6e:00:01", "type", "vxlan"];
  // Its own tunnel has the port; packets go to the right one all the same.
  await must(stranger, ...device, "id", "6784", "dstport", "16785");
  const end = ["dst", member(2).ip(0), "port", "6784"];
  await must(stranger, "bridge", "fdb", "append", "02:68:61:6e:00:02", "dev", "evil", ...end);
  await must(stranger, "ip", "address", "add", `${containerOf(1).address}/32`, "dev", "evil");
  await must(stranger, "ip", "link", "set", "evil", "up");
  const lladdr = ["lladdr", "02:68:61:6e:00:02", "dev", "evil", "nud", "permanent"];
  await must(stranger, "ip", "neighbour", "add", "10.32.0.2", ...lladdr);
  const route = ["ip", "route", "replace", `${target.address}/32`, "via", "10.32.0.2", "onlink"];
  await must(stranger, ...route, "dev", "evil", "src", containerOf(1).address);
  // The stranger's own firewall keeps what is addressed to the subnet from leaving it.
  await must(stranger, "nft", "delete", "table", "inet", "hansa");
  const before = await inEchos(target);
  const ping = await stranger.exec(["ping", "-c2", "-i0.3", "-W0.5", "-I", "evil", target.address]);
  assert.notEqual(ping.status, 0);
  assert.match(ping.stdout, /2 packets transmitted/);
  assert.equal(await inEchos(target), before);
  await must(stranger, "ip", "link", "delete", "evil");
});

test("a deleted device comes back, and so does the traffic", async () => {
  await must(member(1), "ip", "link", "delete", "hansa-vx");
  await eventually("the device", 6_000, async () => {
    const { status: code } = await member(1).exec(["ip", "link", "show", "hansa-vx"]);
    return code === 0 ? true : undefined;
  });
  await allReachAll(containers);
  await fullMesh(members(), 10_000);
});

test("the daemon dies and comes back without touching the traffic", async () => {
  const [one, two] = [containerOf(1), containerOf(2)];
  const link = await must(one.host, "ip", "-details", "link", "show", "hansa-vx");
  const ping = inside(one, "ping", "-i0.05", "-c60", "-W5", "-q", two.address);
  await must(one.host, "sh", "-c", KILL_DAEMON);
  assert.match(await ping, /60 packets transmitted, 60 received/);
  await fullMesh(members(), 20_000);
  assert.equal(await must(one.host, "ip", "-details", "link", "show", "hansa-vx"), link);
});

test("the overlay is set before Docker answers", async () => {
  const host = member(3);
  await host.killDocker();
  await must(host, "sh", "-c", KILL_DAEMON);
  await must(host, "ip", "link", "delete", "hansa-vx");
  await eventually("the device without Docker", 15_000, async () => {
    const { stdout } = await host.exec(["ip", "route", "get", "10.32.0.1"]);
    return stdout.includes("hansa-vx") ? true : undefined;
  });
  await must(host, "ping", "-c1", "-W3", "10.32.0.1");
  await host.startDocker();
  await must(host, "docker", "start", containerOf(3).name);
  const address = await addressOf(host, containerOf(3).name);
  containers[2] = { ...containerOf(3), address };
  await allReachAll(containers);
});
