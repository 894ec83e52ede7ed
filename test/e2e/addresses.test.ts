/** Who may give addresses: a seed node alone, node 5 alone, node 5 that was given space, both halves of a split. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hosts,
  launch,
  must,
  NETWORK,
  type Served,
  served,
  status,
} from "./cluster.ts";

let playground: Playground;
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2eb", 5);
});
after(() => playground?.down());

test("node 5 alone gives no address: docker run fails within 10 s in one sentence, and prime waits", async () => {
  const host = playground.host(5);
  await launch(host, 5, "host5");
  const started = fairNow();
  const run = await host.exec(["docker", "run", "--rm", ...NETWORK, "busybox", "true"], {
    timeoutMs: 120_000,
  });
  const seconds = (fairNow() - started) / 1000;
  assert.notEqual(run.status, 0);
  assert.match(run.stderr, /IPAM_NOT_READY: .*node 5/);
  assert.ok(seconds <= 10, `failed after ${seconds.toFixed(1)} s`);
  const prime = await host.exec(["timeout", "3", "hansa", "prime"]);
  assert.equal(prime.status, 124);
});

test("a seed node alone gives addresses, also with targets that are absent", async () => {
  const host = playground.host(1);
  await launch(host, 1, "host1", "host2", "no-such-host");
  assert.equal(await must(host, "hansa", "prime"), "[1] Node ready");
  containers.push(await served(host, "c1"));
  assert.match(containers[0]?.address ?? "", /^10\.40\./);
  const { ipam } = await status(host);
  assert.deepEqual(
    ipam.entries.map(({ id, addresses, reachable }) => [id, addresses, reachable]),
    [
      [1, 131072, true],
      [2, 131072, false],
      [3, 131072, false],
      [4, 131072, false],
    ],
  );
});

test("once node 5 is connected prime returns within 5 s, and it goes on alone with what it was given", async () => {
  const host = playground.host(5);
  const prime = host.exec(["hansa", "prime"], { timeoutMs: 120_000 });
  const started = fairNow();
  await must(host, "hansa", "connect", "host1");
  assert.equal((await prime).stdout.trim(), "[5] Node ready");
  const seconds = (fairNow() - started) / 1000;
  assert.ok(seconds <= 5, `prime returned after ${seconds.toFixed(1)} s`);
  await eventually("node 5 owns space", 10_000, async () =>
    (await status(host)).ipam.entries.some((entry) => entry.id === 5 && entry.addresses > 0)
      ? true
      : undefined,
  );
  await playground.cut(5);
  containers.push(await served(host, "c5"));
  await playground.mend(5);
  await fullMesh([playground.host(1), host], 15_000);
  await allReachAll(containers);
});

test("five nodes, and each half of a split goes on starting containers; after the heal all reach all within 15 s", async () => {
  for (const id of [2, 3, 4]) await launch(playground.host(id), id, "host1");
  const all = [1, 2, 3, 4, 5].map((id) => playground.host(id));
  await fullMesh(all, 20_000);
  await playground.part([
    [1, 2, 5],
    [3, 4],
  ]);
  await eventually("both halves notice", 30_000, async () => {
    const { connections } = await status(playground.host(3));
    return connections.filter((row) => row.state === "established").length === 1 ? true : undefined;
  });
  for (const id of [2, 3, 4, 5]) {
    const host = playground.host(id);
    containers.push(await served(host, `split${id}`));
  }
  const refused = await playground
    .host(3)
    .exec(["docker", "run", "--rm", ...NETWORK, "--ip", "10.33.0.9", "busybox", "true"], {
      timeoutMs: 120_000,
    });
  assert.notEqual(refused.status, 0, "10.33.0.9 belongs to node 1, which is on the other side");
  assert.match(refused.stderr, /IPAM_OWNER_UNREACHABLE/);
  await playground.heal();
  await fullMesh(all, 15_000);
  await allReachAll(containers);
});

test("containers that come and go leak no address", async () => {
  const host = playground.host(2);
  const before = (await status(host)).ipam.entries.find((entry) => entry.id === 2)?.active;
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(
      Array.from({ length: 4 }, () =>
        must(host, "docker", "run", "--rm", ...NETWORK, "busybox", "true"),
      ),
    );
  }
  await eventually("all released", 10_000, async () => {
    const now = (await status(host)).ipam.entries.find((entry) => entry.id === 2)?.active;
    return now === before ? true : undefined;
  });
});
