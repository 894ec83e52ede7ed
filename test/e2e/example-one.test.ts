/** seeds/overnode-managing-cluster.md, example 1: four nodes formed initially, a fifth later; and what stands on it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Playground } from "../../src/playground/playground.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hansa,
  hosts,
  must,
  NETWORK,
  type Served,
  serve,
  served,
  status,
  TOKEN,
} from "./cluster.ts";

let playground: Playground;
const targets = ["host1", "host2", "host3", "host4"];
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2ea", 5);
});
after(() => playground?.down());

test("four nodes launched in any order, one through the name overnode, are a full mesh", async () => {
  // The order is drawn anew in each run; the seed prints it.
  const order = [1, 2, 3, 4].sort(() => Math.random() - 0.5);
  process.stdout.write(`launch order ${order.join(" ")}\n`);
  for (const id of order) {
    const program = id === 2 ? "overnode" : "hansa";
    const words = ["launch", "--id", `${id}`, "--token", TOKEN, ...targets];
    assert.equal(await must(playground.host(id), program, ...words), `[${id}] Node launched`);
  }
  const members = [1, 2, 3, 4].map((id) => playground.host(id));
  await fullMesh(members, 15_000);
  for (const host of members) {
    const { ipam, targets: listed } = await status(host);
    assert.deepEqual(listed, targets);
    assert.deepEqual(
      ipam.entries.map(({ addresses, percent, reachable }) => [addresses, percent, reachable]),
      [1, 2, 3, 4].map(() => [131072, 25, true]),
    );
  }
});

test("a node that is its own target says so and never tries again", async () => {
  const { connections } = await status(playground.host(1));
  const own = connections.find((row) => row.state === "failed");
  assert.match(own?.error ?? "", /cannot connect to ourself/);
  assert.equal(own?.retryAt, null);
  const text = await hansa(playground.host(1), "status", "--connections");
  assert.match(text.stdout, /cannot connect to ourself, retry: never/);
});

test("a fifth node joins later, is given space, and all ten links are proved", async () => {
  const host = playground.host(5);
  await must(host, "hansa", "launch", "--id", "5", "--token", TOKEN, ...targets);
  await fullMesh(
    [1, 2, 3, 4, 5].map((id) => playground.host(id)),
    15_000,
  );
});

test("a container on each host reaches every other one by TCP", async () => {
  for (const id of [1, 2, 3, 4, 5]) {
    const host = playground.host(id);
    await must(host, "hansa", "prime");
    containers.push(await served(host, `c${id}`));
  }
  await allReachAll(containers);
});

test("each container's address lies in what its node owns, and the fifth node's in donated space", async () => {
  // The plugin tells its counts once a second.
  const ipam = await eventually("one address of node 5 is in use", 5_000, async () => {
    const { ipam: now } = await status(playground.host(5));
    const own = now.entries.find((entry) => entry.id === 5);
    assert.ok(own && own.addresses > 0 && own.active === 1, JSON.stringify(now.entries));
    return now;
  });
  const total = ipam.entries.reduce((sum, entry) => sum + entry.addresses, 0);
  assert.equal(total, 4 * 131072);
});

test("64 MiB by TCP and full-size and over-size pings pass between containers of every pair", async () => {
  const [{ mtu = 0 } = {}] = (await status(playground.host(1))).connections.filter(
    (row) => row.state === "established",
  );
  assert.ok(mtu >= 1280, `mtu ${mtu}`);
  const file = "dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null";
  for (const to of containers) await must(to.host, "docker", "exec", to.name, "sh", "-c", file);
  for (const from of containers) {
    for (const to of containers.filter((other) => other !== from)) {
      const count = `wget -qO- http://${to.address}/big | wc -c`;
      const received = await must(from.host, "docker", "exec", from.name, "sh", "-c", count);
      assert.equal(Number(received), 64 * 1024 * 1024, `${from.name} from ${to.name}`);
      for (const size of [mtu - 28, 3000]) {
        const ping = ["ping", "-c", "1", "-W", "3", "-s", `${size}`, to.address];
        await must(from.host, "docker", "exec", from.name, ...ping);
      }
    }
  }
});

test("what containers say to each other is nowhere on the wire", async () => {
  const [from, to] = containers;
  assert.ok(from && to);
  const write = ["-w", "/tmp/wire.pcap", "-U", "--immediate-mode"];
  const capture = from.host.spawn(["tcpdump", "-i", "eth0", ...write]);
  try {
    await eventually("tcpdump runs", 5_000, async () =>
      (await from.host.exec(["test", "-s", "/tmp/wire.pcap"])).status === 0 ? true : undefined,
    );
    const needle = "echo needle-in-the-clear > /needle";
    await must(to.host, "docker", "exec", to.name, "sh", "-c", needle);
    const url = `http://${to.address}/needle`;
    const got = await must(from.host, "docker", "exec", from.name, "wget", "-qO-", url);
    assert.equal(got, "needle-in-the-clear");
    await eventually("the capture has the traffic", 5_000, async () =>
      Number(await must(from.host, "stat", "-c", "%s", "/tmp/wire.pcap")) > 1000 ? true : undefined,
    );
    const seen = await from.host.exec([
      "grep",
      "-c",
      "-a",
      "needle-in-the-clear",
      "/tmp/wire.pcap",
    ]);
    assert.equal(seen.stdout.trim(), "0");
  } finally {
    capture.kill("SIGTERM");
  }
});

test("a container reaches its own host, the host reaches containers of all hosts, and the outside", async () => {
  const [first, second] = containers;
  assert.ok(first && second);
  const url = `http://${second.address}/`;
  assert.equal(await must(first.host, "wget", "-qO-", "-T", "10", url), second.name);
  const outside = playground.host(4).ip(0);
  await must(first.host, "docker", "exec", first.name, "ping", "-c", "1", "-W", "2", outside);
});

test("a second launch with the same id and token adds targets; another id or token is refused", async () => {
  const host = playground.host(1);
  const again = await hansa(host, "launch", "--id", "1", "--token", TOKEN, "host5");
  assert.equal(again.status, 0, again.stderr);
  assert.deepEqual((await status(host)).targets, [...targets, "host5"]);
  const otherId = await hansa(host, "launch", "--id", "7", "--token", TOKEN);
  assert.equal(otherId.status, 1);
  assert.match(otherId.stderr, /\b1\b/);
  const otherToken = await hansa(host, "launch", "--id", "1", "--token", "something else entirely");
  assert.equal(otherToken.status, 1);
  assert.match(otherToken.stderr, /token/);
  await fullMesh(
    [1, 2, 3, 4, 5].map((id) => playground.host(id)),
    5_000,
  );
});

test("forget drops a target and keeps the connection; connect --replace sets the list", async () => {
  const host = playground.host(1);
  await must(host, "hansa", "forget", "host5", "host4", "never-there");
  assert.deepEqual((await status(host)).targets, ["host1", "host2", "host3"]);
  await must(host, "hansa", "connect", "--replace", "host2");
  assert.deepEqual((await status(host)).targets, ["host2"]);
  await must(host, "hansa", "connect", "no-such-host.example");
  assert.deepEqual((await status(host)).targets, ["host2", "no-such-host.example"]);
  const row = await eventually("a row for the name that does not resolve", 5_000, async () =>
    (await status(host)).connections.find(
      (each) => each.address.startsWith("no-such-host.example") && each.error !== undefined,
    ),
  );
  assert.equal(row.state, "retrying");
  await fullMesh(
    [1, 2, 3, 4, 5].map((id) => playground.host(id)),
    5_000,
  );
});

test("--ip works, and is refused when taken", async () => {
  const [first, second] = containers;
  assert.ok(first && second);
  const fixed = ["--ip", "10.33.0.7"];
  assert.equal(await serve(second.host, "fixed", ...fixed), "10.33.0.7");
  const inUse = await first.host.exec(
    ["docker", "run", "--rm", ...NETWORK, ...fixed, "busybox", "true"],
    { timeoutMs: 120_000 },
  );
  assert.notEqual(inUse.status, 0);
  assert.match(inUse.stderr, /IPAM_ADDRESS_IN_USE/);
  await allReachAll([...containers, { host: second.host, name: "fixed", address: "10.33.0.7" }]);
});

test("inspect is one JSON document that tells the router and the ring", async () => {
  const document = JSON.parse(await must(playground.host(1), "hansa", "inspect"));
  assert.ok(document.Router && document.IPAM, Object.keys(document).join());
});
