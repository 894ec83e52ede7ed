/** Many at once and in odd ways: launches side by side, a chain of targets, restarts of everybody together, calls that race. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
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
  serve,
  status,
} from "./cluster.ts";

/** The file holds the process id and when that process began. */
const KILL_DAEMON = "read pid rest < /run/hansa/daemon.pid; kill -9 $pid";

let playground: Playground;
let members: Host[];
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2eh", 4);
  members = [...playground.hosts()];
});
after(() => playground?.down());

/** Quarters, all of them within reach, as every node of four sees it. */
async function sameRings(): Promise<void> {
  for (const host of members) {
    const { ipam, peers } = await status(host);
    assert.deepEqual(
      ipam.entries
        .map(({ id, addresses, reachable }) => [id, addresses, reachable])
        .sort(([a], [b]) => Number(a) - Number(b)),
      [1, 2, 3, 4].map((id) => [id, 131072, true]),
    );
    assert.deepEqual(
      peers.map(({ id, state }) => `${id} ${state}`).sort(),
      [1, 2, 3, 4].map((id) => `${id} alive`),
    );
  }
}

test("a chain of targets, launched side by side, ends as a full mesh", async () => {
  await Promise.all([
    launch(playground.host(1), 1, "host2"),
    launch(playground.host(2), 2, "host3"),
    launch(playground.host(3), 3, "host4"),
    launch(playground.host(4), 4),
  ]);
  await fullMesh(members, 20_000);
  await sameRings();
  // Everybody's table of peers shows the true mesh: three connections each.
  for (const host of members) {
    await eventually(`${host.name} sees the whole mesh`, 5_000, async () => {
      const { peers } = JSON.parse(await must(host, "hansa", "status", "-o", "json"));
      const counts = peers.map(
        ({ connections }: { connections: readonly { state: string }[] }) =>
          connections.filter(({ state }) => state === "established").length,
      );
      if (counts.join() !== "3,3,3,3") throw new Error(counts.join());
      return true;
    });
  }
  for (const host of members) {
    const name = `c${host.number}`;
    const address = await serve(host, name, "--restart", "always");
    containers.push({ host, name, address });
  }
  await allReachAll(containers);
});

test("kill -9 of every daemon at the same time: all is as before, and the containers never noticed", async () => {
  const before = await Promise.all(members.map(status));
  await Promise.all(members.map((host) => must(host, "sh", "-c", KILL_DAEMON)));
  // The tunnels stand without any daemon.
  await allReachAll(containers);
  await eventually("every daemon answers", 15_000, async () => {
    await Promise.all(members.map(status));
    return true;
  });
  await fullMesh(members, 20_000);
  await sameRings();
  const now = await Promise.all(members.map(status));
  for (const [index, document] of now.entries()) {
    assert.deepEqual(document.node, before[index]?.node);
    assert.deepEqual(document.targets, before[index]?.targets);
  }
});

test("a power cut of the whole site: cluster and containers are back without a hand", async () => {
  await Promise.all(members.map((host) => host.kill()));
  await Promise.all(members.map((host) => host.boot()));
  await fullMesh(members, 30_000);
  await sameRings();
  const now: Served[] = [];
  for (const { host, name } of containers) {
    const address = await eventually(`${name} runs`, 20_000, async () => {
      const found = await addressOf(host, name);
      return found === "" ? undefined : found;
    });
    now.push({ host, name, address });
  }
  await allReachAll(now);
});

test("twenty calls of connect and forget at one time lose nothing, also through a crash right after", async () => {
  const host = playground.host(1);
  const before = Array.from({ length: 10 }, (_, index) => `old${index}.example`);
  await must(host, "hansa", "connect", "--replace", ...before);
  const calls = Array.from({ length: 20 }, (_, index) =>
    index % 2 === 0
      ? hansa(host, "connect", `new${index}.example`)
      : hansa(host, "forget", `old${(index - 1) / 2}.example`),
  );
  for (const answer of await Promise.all(calls)) assert.equal(answer.status, 0, answer.stderr);
  const expected = Array.from({ length: 10 }, (_, index) => `new${index * 2}.example`).sort();
  assert.deepEqual([...(await status(host)).targets].sort(), expected);
  await must(host, "sh", "-c", KILL_DAEMON);
  await eventually("the same list after the crash", 15_000, async () => {
    assert.deepEqual([...(await status(host)).targets].sort(), expected);
    return true;
  });
});
