/** Hosts with several addresses: the chosen link is used, a target may name any of them, and addresses may change. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Playground } from "../../src/playground/playground.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hosts,
  launch,
  must,
  type Served,
  served,
  status,
  TOKEN,
} from "./cluster.ts";

let playground: Playground;
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2el", 3, 2);
});
after(() => playground?.down());

const members = () => playground.hosts();

test("--link0 is the address that a node announces and that its peers reach it at", async () => {
  const second = playground.host(2);
  const words = ["--id", "2", "--token", TOKEN, "--link0", second.ip(1)];
  await must(second, "hansa", "launch", ...words);
  await launch(playground.host(1), 1, second.ip(0));
  // host3 names link 1 of host1, which announces link 0.
  await launch(playground.host(3), 3, playground.host(1).ip(1));
  await fullMesh(members(), 20_000);
  assert.equal((await status(second)).node.address, `${second.ip(1)}:6783`);
  const row = (await status(playground.host(1))).connections.find(({ peer }) => peer?.id === 2);
  assert.equal(row?.address, `${second.ip(1)}:6783`);
});

for (const [id, peer, link, which] of [
  [1, 2, 0, "the peer's first link where it announces the second"],
  [3, 1, 1, "the peer's second link where it announces the first"],
] as const) {
  test(`a target that is ${which} has no row of its own and is dialled no more`, async () => {
    const host = playground.host(id);
    await eventually("one row a peer", 10_000, async () => {
      const { connections } = await status(host);
      return connections.length === 2 ? true : undefined;
    });
    // Dialled again it would be every 1 to 3 seconds. What peers say to each other by streams goes to the address announced.
    const target = playground.host(peer).ip(link);
    const filter = `tcp dst port 6783 and tcp[tcpflags] == tcp-syn and dst host ${target}`;
    const heard = await host.exec(["timeout", "6", "tcpdump", "-lni", "any", filter]);
    assert.match(heard.stderr, /listening on any/);
    assert.equal(heard.stdout.trim(), "");
  });
}

test("a host whose address changes announces the new one and is back, with its containers, without a hand", async () => {
  for (const host of members()) {
    const name = `c${host.number}`;
    containers.push(await served(host, name));
  }
  await allReachAll(containers);
  const moved = playground.host(3);
  const fresh = "192.168.49.93";
  await must(moved, "ip", "addr", "del", `${moved.ip(1)}/24`, "dev", "eth1");
  await must(moved, "ip", "addr", "add", `${fresh}/24`, "dev", "eth1");
  await eventually("the new address is announced and established", 40_000, async () => {
    for (const host of [playground.host(1), playground.host(2)]) {
      const row = (await status(host)).connections.find(({ peer }) => peer?.id === 3);
      if (row?.address !== `${fresh}:6783` || row.state !== "established")
        throw new Error(JSON.stringify(row));
    }
    return true;
  });
  await allReachAll(containers);
  const { peers } = await status(playground.host(1));
  assert.deepEqual(
    peers.map(({ id, state }) => [id, state]),
    [1, 2, 3].map((id) => [id, "alive"]),
  );
});

test("a daemon that starts while its links are down keeps the network's MTU, and is back with them", async () => {
  const host = playground.host(3);
  const mtu = "ip -o link show hansa-wg | grep -o 'mtu [0-9]*'";
  const before = await must(host, "sh", "-c", mtu);
  for (const link of [0, 1]) await playground.cut(3, link);
  await must(host, "sh", "-c", "read pid rest < /run/hansa/daemon.pid; kill -9 $pid");
  // Its only address is loopback's now, whose MTU is 65536.
  await eventually("the daemon answers again, knowing nobody", 20_000, async () => {
    const { peers } = await status(host);
    return peers.every(({ id, state }) => id === 3 || state !== "alive") || undefined;
  });
  // Serving waits for Docker's network, which follows from the same MTU.
  await must(host, "hansa", "prime");
  const { warnings } = JSON.parse(await must(host, "hansa", "status", "-o", "json"));
  assert.deepEqual(
    warnings.filter(({ code }: { code: string }) => code === "DOCKER_NETWORK_DIFFERS"),
    [],
  );
  assert.equal(await must(host, "sh", "-c", mtu), before);
  for (const link of [0, 1]) await playground.mend(3, link);
  await fullMesh(members(), 30_000);
  await allReachAll(containers);
  assert.equal(await must(host, "sh", "-c", mtu), before);
});
