/** Who is let in: wrong token, wrong cluster name, strangers' bytes, twins of an id. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Playground } from "../../src/playground/playground.ts";
import { eventually, fullMesh, hosts, launch, must, status, TOKEN } from "./cluster.ts";

let playground: Playground;

before(async () => {
  playground = await hosts("e2ee", 4);
  await launch(playground.host(1), 1, "host2");
  await launch(playground.host(2), 2, "host1");
  await fullMesh([playground.host(1), playground.host(2)], 15_000);
});
after(() => playground?.down());

for (const [title, options] of [
  ["token", ["--token", "another password entirely"]],
  ["cluster name", ["--token", TOKEN, "--cluster", "elsewhere"]],
] as const) {
  test(`a wrong ${title} changes nothing, and both sides show their row`, async () => {
    const stranger = playground.host(3);
    await must(stranger, "hansa", "launch", "--id", "3", ...options, "host1");
    const row = await eventually("the dialler's row", 10_000, async () =>
      (await status(stranger)).connections.find((each) => each.error !== undefined),
    );
    assert.match(row.error ?? "", /authentication failed or other cluster/);
    assert.match(row.state, /retrying|failed/);
    const at = playground.host(3).ip(0);
    const refused = await eventually("the receiver's row", 10_000, async () =>
      (await status(playground.host(1))).connections.find((each) =>
        each.address.startsWith(`${at}:`),
      ),
    );
    assert.equal(refused.state, "failed");
    assert.match(refused.error ?? "", /authentication failed or other cluster/);
    const { peers } = await status(playground.host(1));
    assert.deepEqual(peers.map(({ id }) => id).sort(), [1, 2]);
    assert.deepEqual(
      (await status(stranger)).peers.map(({ id }) => id),
      [3],
    );
    await playground.host(3).kill();
    await playground.host(3).wipe();
    await playground.host(3).boot();
  });
}

test("garbage on both sockets is counted and changes nothing", async () => {
  const target = playground.host(1);
  const before = await status(target);
  const flood = [
    "for i in $(seq 200); do head -c $((i * 7)) /dev/urandom | socat -u - UDP4-SENDTO:host1:6783; done",
    "head -c 100000 /dev/urandom | timeout 2 socat -u - TCP4:host1:6783",
    "exit 0",
  ].join("; ");
  await must(playground.host(4), "sh", "-c", flood);
  const after = await status(target);
  // Not their states: a busy machine may make one wait for another.
  const who = ({ peers }: typeof after) =>
    peers.map(({ id, name, address }) => [id, name, address]);
  assert.deepEqual(who(after), who(before));
  assert.deepEqual(after.targets, before.targets);
  await fullMesh([playground.host(1), playground.host(2)], 5_000);
});

test("of two nodes with one id exactly one is in, and the other says why", async () => {
  await launch(playground.host(4), 2, "host1");
  const warned = await eventually("the twin is told", 10_000, async () => {
    const text = await must(playground.host(4), "hansa", "status", "-o", "json");
    return /twin|cloned disk/i.test(text) ? text : undefined;
  });
  assert.ok(warned);
  await fullMesh([playground.host(1), playground.host(2)], 10_000);
  const { ipam } = await status(playground.host(1));
  assert.equal(
    ipam.entries.reduce((sum, entry) => sum + entry.addresses, 0),
    4 * 131072,
  );
});
