/** Hosts whose addresses change under a running cluster, one at a time and all at once, and what a restarted daemon shows of whom it cannot hear. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hosts,
  launch,
  must,
  served,
  status,
} from "./cluster.ts";

const KILL_DAEMON = "read pid rest < /run/hansa/daemon.pid; kill -9 $pid";

let playground: Playground;
let members: Host[];
let containers: { host: Host; name: string; address: string }[];
/** The last byte of each host's address now. */
const lastByte = (host: Host, change: number): number => 10 + host.number + change * 40;

before(async () => {
  playground = await hosts("e2et", 3);
  members = [...playground.hosts()];
  const [one, two, three] = members as [Host, Host, Host];
  await launch(one, 1);
  // By name, by address, and by neither.
  await Promise.all([launch(two, 2, "host1"), launch(three, 3, one.ip(0))]);
  await fullMesh(members, 20_000);
  containers = await Promise.all(
    members.map(async (host) => {
      const name = `web${host.number}`;
      return await served(host, name);
    }),
  );
  await allReachAll(containers);
});
after(() => playground?.down());

/** As a new lease of the address server does it: the old address goes, and with it the default route. */
async function move(host: Host, change: number): Promise<void> {
  const [from, to] = [lastByte(host, change - 1), lastByte(host, change)];
  const commands = [
    `ip address del 192.168.48.${from}/24 dev eth0`,
    `ip address add 192.168.48.${to}/24 dev eth0`,
    "ip route replace default via 192.168.48.1",
  ];
  await must(host, "sh", "-ec", commands.join("\n"));
}

/** What a name server would say now. */
async function rename(change: number): Promise<void> {
  for (const host of members) {
    const lines = members.map((each) => `192.168.48.${lastByte(each, change)} ${each.name}`);
    await must(
      host,
      "sh",
      "-c",
      `printf '%s\\n' "127.0.0.1 localhost" "$@" >/etc/hosts`,
      "sh",
      ...lines,
    );
  }
}

/** Waits until all know all at their new addresses: a mesh may be whole for a moment after it was moved, because nothing was missed yet. */
async function addressesAre(change: number, withinMs: number): Promise<void> {
  const expected = members.map((each) => `192.168.48.${lastByte(each, change)}:6783`).sort();
  for (const host of members) {
    await eventually(`${host.name} knows all new addresses`, withinMs, async () => {
      const { peers } = await status(host);
      assert.deepEqual(peers.map(({ address }) => address).sort(), expected, host.name);
      return true;
    });
  }
}

test("one host after the other has another address: all see it within seconds, and containers reach each other", async () => {
  for (const host of members) {
    await move(host, 1);
    await eventually(`${host.name} is known at its new address`, 15_000, async () => {
      for (const other of members) {
        const { peers } = await status(other);
        const ours = peers.find(({ id }) => id === host.number)?.address;
        if (ours !== `192.168.48.${lastByte(host, 1)}:6783`) throw new Error(`${ours}`);
      }
      return true;
    });
    await fullMesh(members, 30_000);
  }
  await rename(1);
  await addressesAre(1, 1_000);
  await allReachAll(containers);
});

test("all hosts at once have other addresses: names lead them together again", async () => {
  await must(members[0] as Host, "hansa", "connect", "host2");
  await must(members[2] as Host, "hansa", "connect", "--replace", "host1");
  await playground.part([[1], [2], [3]]);
  await Promise.all(members.map((host) => move(host, 2)));
  await rename(2);
  await playground.heal();
  await addressesAre(2, 60_000);
  await fullMesh(members, 15_000);
  await allReachAll(containers);
});

test("all at once again, with nothing but old addresses to look for: one connect mends it", async () => {
  for (const host of members) await must(host, "hansa", "connect", "--replace", "192.168.48.99");
  await playground.part([[1], [2], [3]]);
  await Promise.all(members.map((host) => move(host, 3)));
  await playground.heal();
  const [one, two, three] = members as [Host, Host, Host];
  await eventually("they have lost each other", 60_000, async () => {
    const { connections } = await status(one);
    return connections.every(({ state }) => state !== "established") ? true : undefined;
  });
  await must(one, "hansa", "connect", `192.168.48.${lastByte(two, 3)}`);
  await must(one, "hansa", "connect", `192.168.48.${lastByte(three, 3)}`);
  await addressesAre(3, 30_000);
  await fullMesh(members, 15_000);
  await allReachAll(containers);
});

test("a daemon that starts again in a partition still shows whom it knew by discovery only", async () => {
  const [, two] = members as [Host, Host, Host];
  await playground.part([[1], [2], [3]]);
  await must(two, "sh", "-c", KILL_DAEMON);
  const { connections, peers } = await eventually("rows of both others", 20_000, async () => {
    const document = await status(two);
    const ids = document.connections.map(({ peer }) => peer?.id ?? 0);
    return ids.includes(1) && ids.includes(3) ? document : undefined;
  });
  for (const row of connections.filter(({ peer }) => peer)) {
    assert.equal(row.state, "retrying");
    assert.match(row.error ?? "", /./);
  }
  assert.deepEqual(peers.map(({ id, state }) => `${id} ${state}`).sort(), [
    "1 dead",
    "2 alive",
    "3 dead",
  ]);
  await playground.heal();
  await fullMesh(members, 30_000);
  await allReachAll(containers);
});
