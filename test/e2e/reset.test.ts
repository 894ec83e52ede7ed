/** `hansa reset`: the host is what it was before launch, the others forget the node, and the host can be launched again. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  type Answer,
  allReachAll,
  eventually,
  fullMesh,
  hansa,
  hosts,
  must,
  type Served,
  served,
  status,
  TOKEN,
} from "./cluster.ts";

const QUARTER = 131_072;

let playground: Playground;
let host1: Host;
let host2: Host;
let host3: Host;
let host4: Host;

before(async () => {
  playground = await hosts("e2erst", 4);
  [host1, host2, host3, host4] = [1, 2, 3, 4].map((id) => playground.host(id)) as [
    Host,
    Host,
    Host,
    Host,
  ];
});
after(() => playground?.down());

/** What a reset has to put back, as text. */
async function snapshot(host: Host): Promise<Record<string, string>> {
  const settings = [
    "ip_forward",
    "conf/all/rp_filter",
    "conf/all/proxy_arp",
    "conf/default/rp_filter",
  ];
  const read = (...argv: string[]): Promise<string> => must(host, ...argv);
  return {
    "nft list ruleset": await read("nft", "-s", "list", "ruleset"),
    "iptables-save": await read("sh", "-c", "iptables-save | grep -v '^#' | sed 's/\\[.*\\]//'"),
    "ip route": await read("ip", "route", "show", "table", "all"),
    "ip rule": await read("ip", "rule"),
    // Without the timers that a bridge shows as they run.
    "ip -d link": (await read("ip", "-d", "link")).replaceAll(/_timer +[\d.]+/g, ""),
    "ip address": await read("sh", "-c", "ip -4 -o address | cut -d' ' -f2-7"),
    sysctls: await read("sh", "-c", `cd /proc/sys/net/ipv4 && head -n1 ${settings.join(" ")}`),
    "docker network": await read("docker", "network", "ls", "--format", "{{.Name}} {{.Driver}}"),
  };
}

/** What is left of a node: processes, ports, files, sockets. */
async function remains(host: Host): Promise<string> {
  const script = [
    "pgrep -fa 'hansa (daemon|ipam-plugin|supervise|tunnel)|wireguard-go' | grep -v pgrep",
    "ss -Hlntu | grep -E ':(1443|6783|6784)'",
    "ls -A /var/lib/hansa",
    "ls -d /run/hansa /etc/docker/plugins/hansa.spec 2>/dev/null",
    "ls -A /var/run/wireguard 2>/dev/null",
    "true",
  ].join("; ");
  return must(host, "sh", "-c", script);
}

/** Nobody of `members` knows a node `id` that owns anything, is met, or is looked for. */
async function noTrace(members: readonly Host[], id: number, deadlineMs: number): Promise<void> {
  await eventually(`no trace of node ${id}`, deadlineMs, async () => {
    for (const host of members) {
      const { peers, connections, ipam } = await status(host);
      const seen = JSON.stringify({ peers, connections, ipam });
      const isTarget = (address: string): boolean => address.startsWith(`host${id}:`);
      const rows = connections.filter((row) => row.peer?.id === id && !isTarget(row.address));
      if (peers.some((peer) => peer.id === id) || rows.length > 0) throw new Error(seen);
      if (ipam.entries.some((entry) => entry.id === id)) throw new Error(seen);
      const owned = ipam.entries.filter(({ reachable }) => reachable);
      const sum = owned.reduce((total, { addresses }) => total + addresses, 0);
      const unborn = [1, 2, 3, 4].filter((seed) =>
        ipam.entries.some((entry) => entry.id === seed && !entry.reachable),
      );
      if (sum + unborn.length * QUARTER !== 4 * QUARTER) throw new Error(seen);
      const wireguard = await must(host, "wg", "show", "hansa-wg", "peers");
      const expected = peers.length - 1;
      const tunnels = wireguard.split("\n").filter(Boolean).length;
      if (tunnels !== expected) throw new Error(`${tunnels} tunnels, not ${expected}`);
    }
    return true;
  });
}

function overnode(host: Host, ...words: string[]): Promise<Answer> {
  return host.exec(["overnode", ...words], { timeoutMs: 120_000 });
}

async function says(host: Host, line: string, words: string): Promise<void> {
  const [program = "", ...rest] = line.split(" ");
  const answer = await host.exec([program, ...rest], { timeoutMs: 120_000 });
  assert.deepEqual([answer.status, answer.stdout.trim()], [0, words], answer.stderr);
}

test("a host that was never launched has nothing to reset, and nothing to resume", async () => {
  const before = await snapshot(host4);
  await says(host4, "hansa reset", "[-] Node reset");
  assert.deepEqual(await snapshot(host4), before);
  const resumed = await hansa(host4, "resume");
  assert.equal(resumed.status, 1);
  assert.match(resumed.stderr, /nothing to resume/);
});

test("the seed's example 2, line by line, then its removal of a node and the launch of another", async () => {
  const fresh = await snapshot(host3);
  const token = `--token ${TOKEN}`;
  await says(host1, `overnode launch --id 1 ${token} host1`, "[1] Node launched");
  const lone: Served = await served(host1, "lone");
  assert.equal((await overnode(host1, "connect", "host2")).status, 0);
  await says(host2, `overnode launch --id 2 ${token} host1 host2`, "[2] Node launched");
  await fullMesh([host1, host2], 10_000);
  assert.equal((await overnode(host1, "connect", "host3")).status, 0);
  assert.equal((await overnode(host2, "connect", "host3")).status, 0);
  await says(host3, `overnode launch --id 3 ${token} host1 host2 host3`, "[3] Node launched");
  await fullMesh([host1, host2, host3], 10_000);
  await says(host3, "overnode prime", "[3] Node ready");
  const third: Served = await served(host3, "third");
  await must(host3, "docker", "create", "--name", "idle", "--network", "hansa", "busybox", "true");
  await allReachAll([lone, third]);
  // The plugin tells its counts once a second.
  const full = await eventually("the address is counted", 5_000, async () => {
    const counted = await status(host3);
    return counted.ipam.entries[0]?.active === 1 ? counted : undefined;
  });

  const refused = await hansa(host3, "reset");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /2 containers are on the network hansa: .*third \(running\)/);
  assert.match(refused.stderr, /idle \(created\)/);
  assert.match(refused.stderr, /Hint: .*--force/);
  assert.deepEqual((await status(host3)).ipam.entries, full.ipam.entries);
  await allReachAll([lone, third]);

  await must(host3, "docker", "rm", "-f", "third", "idle");
  const reset = await overnode(host3, "reset");
  assert.deepEqual([reset.status, reset.stdout], [0, "[3] Node reset\n"], reset.stderr);
  assert.match(reset.stderr, /131072 addresses are node \d's \(host\d\) now/);
  await noTrace([host1, host2], 3, 5_000);
  const owners = (await status(host1)).ipam.entries.map(({ id, addresses }) => [id, addresses]);
  assert.deepEqual(
    owners.filter(([, addresses]) => addresses === 2 * QUARTER).length,
    1,
    JSON.stringify(owners),
  );
  assert.equal(await remains(host3), "");
  assert.deepEqual(await snapshot(host3), fresh);

  assert.equal((await overnode(host1, "forget", "host3")).status, 0);
  assert.equal((await overnode(host2, "forget", "host3")).status, 0);
  for (const host of [host1, host2]) {
    const { connections, targets } = await status(host);
    assert.ok(!targets.includes("host3"));
    assert.ok(!JSON.stringify(connections).includes("host3"), JSON.stringify(connections));
  }
  await says(host3, "overnode reset", "[-] Node reset");
  const resumed = await overnode(host3, "resume");
  assert.equal(resumed.status, 1);
});

test("the host joins the same cluster again with the same id, then with another one", async () => {
  for (const id of [3, 7]) {
    const fresh = await snapshot(host3);
    await says(
      host3,
      `hansa launch --id ${id} --token ${TOKEN} host1 host2`,
      `[${id}] Node launched`,
    );
    await fullMesh([host1, host2, host3], 10_000);
    await says(host3, "hansa prime", `[${id}] Node ready`);
    const { warnings } = JSON.parse(await must(host3, "hansa", "status", "-o", "json"));
    assert.deepEqual(warnings, []);
    const here: Served = await served(host3, `again${id}`);
    const there: Served = { host: host1, name: "lone", address: await address(host1, "lone") };
    await allReachAll([here, there]);
    const forced = await hansa(host3, "reset", "--force");
    assert.deepEqual([forced.status, forced.stdout], [0, `[${id}] Node reset\n`], forced.stderr);
    assert.equal(
      await must(host3, "docker", "inspect", "-f", "{{.State.Running}}", `again${id}`),
      "true",
    );
    await noTrace([host1, host2], id, 5_000);
    await must(host3, "docker", "rm", "-f", `again${id}`);
    assert.deepEqual(await snapshot(host3), fresh);
  }
});

test("the host joins another cluster, and the former one hears nothing of it", async () => {
  await says(
    host3,
    "hansa launch --id 1 --token another-cluster-password --cluster other",
    "[1] Node launched",
  );
  await says(host3, "hansa prime", "[1] Node ready");
  const { peers } = await status(host3);
  assert.deepEqual(
    peers.map(({ id }) => id),
    [1],
  );
  assert.equal((await status(host1)).peers.length, 2);
  const again = await hansa(host3, "launch", "--id", "1", "--token", "another-cluster-password");
  assert.match(again.stderr, /launched before, into the cluster other/);
  await says(host3, "hansa reset", "[1] Node reset");
});

test("killed at any moment, a reset is finished by another one", async () => {
  const fresh = await snapshot(host3);
  const kills = ["handing", "removing the Docker", "stopping", "removing interfaces"];
  for (const [round, delayMs] of [50, 250, 450, 700].entries()) {
    await says(host3, `hansa launch --id 9 --token ${TOKEN} host1`, "[9] Node launched");
    await fullMesh([host1, host2, host3], 10_000);
    const running = host3.spawn(["hansa", "reset"]);
    const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()));
    const timer = setTimeout(() => running.kill("SIGKILL"), delayMs);
    await ended;
    clearTimeout(timer);
    const second = await hansa(host3, "reset");
    assert.equal(second.status, 0, `${kills[round]}: ${second.stderr}`);
    assert.match(second.stdout, /^\[(9|-)\] Node reset\n$/);
    assert.equal(await remains(host3), "", `after ${delayMs} ms`);
    assert.deepEqual(await snapshot(host3), fresh, `after ${delayMs} ms`);
    await noTrace([host1, host2], 9, 5_000);
  }
});

test("a daemon that was killed is started to hand over; without Docker, force is needed and a second reset ends it", async () => {
  const fresh = await snapshot(host3);
  await says(host3, `hansa launch --id 3 --token ${TOKEN} host1`, "[3] Node launched");
  await fullMesh([host1, host2, host3], 10_000);
  await host3.stopDocker();
  const refused = await hansa(host3, "reset");
  assert.equal(refused.status, 1, refused.stderr);
  assert.match(refused.stderr, /Docker cannot be asked/);
  const pids = "cut -d' ' -f1 /run/hansa/supervise.pid /run/hansa/daemon.pid";
  await must(host3, "sh", "-c", `touch /run/hansa/stopped; kill -9 $(${pids})`);
  const forced = await hansa(host3, "reset", "--force");
  assert.deepEqual([forced.status, forced.stdout], [0, "[3] Node reset\n"], forced.stderr);
  assert.match(forced.stderr, /Docker keeps its network hansa/);
  await noTrace([host1, host2], 3, 5_000);
  await host3.startDocker();
  await says(host3, "hansa reset", "[-] Node reset");
  const networks = await must(host3, "docker", "network", "ls", "--format", "{{.Name}}");
  assert.ok(!networks.split("\n").includes("hansa"), networks);
  assert.equal(await remains(host3), "");
  const { "docker network": now } = await snapshot(host3);
  assert.equal(now, fresh["docker network"]);
});

test("cut off, a node goes all the same and says what stays lost; the others have it as gone until somebody takes over", async () => {
  await says(host3, `hansa launch --id 5 --token ${TOKEN} host1`, "[5] Node launched");
  await fullMesh([host1, host2, host3], 10_000);
  await says(host3, "hansa prime", "[5] Node ready");
  await must(host3, "docker", "run", "--rm", "--network", "hansa", "busybox", "true");
  const owned = (await status(host3)).ipam.entries.find(({ id }) => id === 5)?.addresses ?? 0;
  assert.ok(owned > 0);
  await playground.cut(3);
  const reset = await hansa(host3, "reset");
  assert.deepEqual([reset.status, reset.stdout], [0, "[5] Node reset\n"], reset.stderr);
  assert.match(reset.stderr, /addresses stay lost to the cluster.*hansa ipam take-over 5/);
  assert.equal(await remains(host3), "");
  await playground.mend(3);
  const entry = (await status(host1)).ipam.entries.find(({ id }) => id === 5);
  assert.equal(entry?.addresses, owned);
  await eventually("node 5 is held dead", 15_000, async () =>
    (await status(host1)).ipam.entries.some(({ id, reachable }) => id === 5 && !reachable)
      ? true
      : undefined,
  );
  const taken = await eventually("taken over", 15_000, async () => {
    const answer = await hansa(host1, "ipam", "take-over", "5", "--yes");
    return answer.status === 0 ? answer.stdout.trim() : undefined;
  });
  // By name as long as its goodbye, which waits in the kernel, has not come out after all.
  assert.match(taken, new RegExp(`^${owned} IPs taken over from 5(\\(host3\\))?$`));
  await noTrace([host1, host2], 5, 5_000);
});

function address(host: Host, container: string): Promise<string> {
  return must(
    host,
    ...["docker", "inspect", "-f", "{{.NetworkSettings.Networks.hansa.IPAddress}}", container],
  );
}
