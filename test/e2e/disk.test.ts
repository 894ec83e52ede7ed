/** The state directory in trouble, and launches cut off in the middle: a clear error, and nothing is lost. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  addressOf,
  eventually,
  fullMesh,
  hansa,
  hosts,
  launch,
  must,
  NETWORK,
  serve,
  status,
  TOKEN,
} from "./cluster.ts";

let playground: Playground;
const STATE = "/var/lib/hansa";

before(async () => {
  playground = await hosts("e2ei", 3);
});
after(() => playground?.down());

function sh(host: Host, script: string): Promise<string> {
  return must(host, "sh", "-c", script);
}

/** Every file of the state is one whole JSON document. */
async function stateIsWhole(host: Host): Promise<void> {
  const files = await sh(host, `find ${STATE} -name '*.json' | sort`);
  assert.match(files, /node\.json/);
  for (const file of files.split("\n")) JSON.parse(await must(host, "cat", file));
}

function assertOneSentence(stderr: string): void {
  assert.match(stderr, /^\[hansa\] Error: .+$/m);
  assert.doesNotMatch(stderr, /\bat .*[.:]\d+:\d+/, "a stack trace");
}

for (const [title, options, spoil, expected] of [
  ["that is read-only", "size=8m", `mount -o remount,ro ${STATE}`, /read-only/],
  [
    "on a full disk",
    "size=64k",
    `head -c 1000000 /dev/zero > ${STATE}/ballast 2>/dev/null; true`,
    /no space left/,
  ],
] as const) {
  test(`launch with a state directory ${title} says so in one sentence`, async () => {
    const host = playground.host(1);
    await sh(host, `mount -t tmpfs -o ${options} tmpfs ${STATE}`);
    try {
      await sh(host, spoil);
      const answer = await hansa(host, "launch", "--id", "1", "--token", TOKEN);
      assert.equal(answer.status, 1, answer.stdout);
      assertOneSentence(answer.stderr);
      assert.match(answer.stderr, expected);
      assert.match(answer.stderr, /\/var\/lib\/hansa/);
    } finally {
      // Lazily: on the full one a supervisor may have got as far as holding its log.
      await sh(host, `umount -l ${STATE}`);
    }
  });
}

test("launch works once the disk does", async () => {
  await launch(playground.host(1), 1, "host2");
  await launch(playground.host(2), 2);
  await fullMesh([playground.host(1), playground.host(2)], 15_000);
});

test("a node whose disk fills up refuses what it cannot write down, and loses nothing", async () => {
  const host = playground.host(2);
  const kept = await serve(host, "kept");
  // The whole state moves to a small disk, as a boot would find it there.
  await host.kill();
  await host.boot({ dockerMs: 0 });
  await host.waitForDocker();
  await fullMesh([playground.host(1), host], 20_000);
  await must(host, "docker", "start", "kept");
  const before = await status(host);
  // The node runs: a file may be gone between its listing and its copy.
  await eventually("a copy of the state", 10_000, async () => {
    await sh(host, `rm -rf /tmp/state; cp -a ${STATE} /tmp/state`);
    return true;
  });
  await sh(host, `mount -t tmpfs -o size=8m tmpfs ${STATE} && cp -a /tmp/state/. ${STATE}/`);
  // Every process of ours holds the old directory open no longer than one write.
  await sh(host, `head -c 10000000 /dev/zero > ${STATE}/ballast 2>/dev/null; true`);
  const connect = await hansa(host, "connect", "host3");
  assert.equal(connect.status, 1, connect.stdout);
  assertOneSentence(connect.stderr);
  assert.match(connect.stderr, /no space left|disk .*full/i);
  const run = await host.exec(["docker", "run", "--rm", ...NETWORK, "busybox", "true"], {
    timeoutMs: 120_000,
  });
  if (run.status !== 0) assert.match(run.stderr, /no space left|disk .*full/i);
  // Still in the cluster, and crash-proof.
  await fullMesh([playground.host(1), host], 10_000);
  for (const name of ["daemon", "ipam-plugin"])
    await sh(host, `read pid rest < /run/hansa/${name}.pid; kill -9 $pid`);
  await eventually("back with a full disk", 15_000, async () => {
    await status(host);
    return true;
  });
  await fullMesh([playground.host(1), host], 15_000);
  await sh(host, `rm ${STATE}/ballast`);
  await stateIsWhole(host);
  await eventually("connect works once there is room", 10_000, async () => {
    const answer = await hansa(host, "connect", "host3");
    if (answer.status !== 0) throw new Error(answer.stderr);
    return true;
  });
  const now = await status(host);
  assert.deepEqual(now.node, before.node);
  assert.deepEqual(now.targets, [...before.targets, "host3"]);
  assert.notEqual(await addressOf(host, "kept"), "", kept);
  await must(host, "docker", "run", "--rm", ...NETWORK, "busybox", "true");
});

test("launch killed at any moment and repeated ends as one node with that id", async () => {
  const host = playground.host(3);
  for (const ms of [60, 150, 300, 450, 600, 800, 1100]) {
    const words = ["hansa", "launch", "--id", "3", "--token", TOKEN, "host1"];
    await host.exec(["timeout", "-s", "KILL", `${ms / 1000}`, ...words]);
  }
  await launch(host, 3, "host1");
  await stateIsWhole(host);
  const all = [1, 2, 3].map((id) => playground.host(id));
  await fullMesh(all, 15_000);
  const daemons = await host.exec(["pgrep", "-fc", "hansa daemon"]);
  assert.equal(daemons.stdout.trim(), "1");
  const { peers } = await status(playground.host(1));
  assert.deepEqual(
    peers.map(({ id, state }) => [id, state]),
    [1, 2, 3].map((id) => [id, "alive"]),
  );
  await must(host, "docker", "run", "--rm", ...NETWORK, "busybox", "true");
});
