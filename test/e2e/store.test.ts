/** The store: made on one host, four votes by themselves, and what it says and does when etcds, hosts and networks fail. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { eventually, hansa, hosts, launch, launchTogether, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let members: Host[];
let one: Host;
let five: Host;

before(async () => {
  playground = await hosts("e2estore", 5);
  members = [1, 2, 3, 4].map((id) => playground.host(id));
  one = playground.host(1);
  five = playground.host(5);
  await launchTogether(members);
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** `host` sees so many votes, all of them answering but `away`. */
function settled(host: Host, votes: number, away = 0): Promise<StoreView> {
  return eventually(`${votes} votes`, 20_000, async () => {
    const seen = await store(host);
    const isThere = seen.votes.expected === votes && seen.votes.answering === votes - away;
    if (isThere && seen.quorate) return seen;
    throw new Error(JSON.stringify(seen));
  });
}

/** The number of nodes that joined and were removed, which follows each by a moment. */
async function counted(version: number): Promise<void> {
  await eventually(`Config Version ${version}`, 5_000, async () => {
    const { configVersion } = await store(one);
    if (configVersion === version) return true;
    throw new Error(`it is ${configVersion}`);
  });
}

/** How long writing took, and how it ended. */
async function written(host: Host, key: string, value: string) {
  const began = fairNow();
  const answer = await hansa(host, "config", "put", key, value);
  return { ...answer, ms: fairNow() - began };
}

test("before it is made, the store is said to be missing, and nothing listens", async () => {
  const refused = await hansa(one, "store");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: node 1 \(host1\) knows of no store/);
  assert.match(refused.stderr, /Hint: .*hansa create NAME/);
  assert.doesNotMatch(await must(one, "ss", "-ltnH"), /:(2379|9212) /);
});

test("create on one host: the four seed nodes have their votes soon, and Config Version counts the nodes", async (context) => {
  const bad = await hansa(one, "create", "a-name-that-is-too-long");
  assert.equal(bad.status, 1);
  const began = performance.now();
  await must(one, "hansa", "create", "prod");
  const madeMs = performance.now() - began;
  const seen = await settled(one, 4);
  context.diagnostic(
    `made in ${Math.round(madeMs)} ms, 4 votes after ${Math.round(performance.now() - began)} ms`,
  );
  assert.equal(seen.name, "prod");
  await counted(4);
  assert.equal(seen.votes.needed, 3);
  for (const host of members.slice(1)) {
    assert.equal((await settled(host, 4)).id, seen.id, host.name);
  }
  const again = await hansa(playground.host(2), "create", "other");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /Error: the store prod exists already/);
});

test("each host listens on 9212 at its own address in the overlay and on 2379 at loopback, nowhere else", async () => {
  for (const host of members) {
    const listening = (await must(host, "ss", "-ltnH"))
      .split("\n")
      .map((line) => line.split(/\s+/)[3] ?? "")
      .filter((at) => /:(2379|9212)$/.test(at));
    assert.deepEqual(listening.sort(), [`10.32.0.${host.number}:9212`, "127.0.0.1:2379"]);
    const modes = await must(
      host,
      "sh",
      "-c",
      "stat -c %a /var/lib/hansa/store /var/lib/hansa/store/*",
    );
    assert.deepEqual(modes.split("\n"), ["700", "600", "700", "600", "600", "600"]);
  }
});

test("what is written on one host is read on all, also by a node without a vote; compare-and-set holds", async () => {
  await put(one, "motd", "hello");
  await launch(five, 5, "host1");
  for (const host of [...members, five]) {
    assert.equal(await got(host, "motd"), "hello", host.name);
  }
  await put(five, "motd", "from five");
  assert.equal(await got(one, "motd"), "from five");
  const stale = await hansa(five, "config", "put", "motd", "mine", "--revision", "1");
  assert.equal(stale.status, 1);
  assert.match(stale.stderr, /nothing was written/);
  assert.equal((await settled(five, 4)).voters.length, 4);
});

test("a viewer's certificate of the cluster opens neither port of etcd, not even on the host itself", async () => {
  const words = (
    await must(one, "hansa", "context", "export", "--role", "viewer", "--for", "eve")
  ).split(" ");
  await must(one, "env", "HOME=/tmp/eve", "hansa", "context", "import", ...words, "--name", "eve");
  const text = await must(one, "sh", "-c", "cat $(find /tmp/eve -name eve.json)");
  const { certificate, privateKey } = JSON.parse(text);
  const pem = `${certificate}${privateKey}`;
  await must(one, "sh", "-c", `umask 077; printf %s "$1" > /tmp/eve/pem`, "sh", pem);
  const ours = "/var/lib/hansa/store/voter.pem";
  for (const at of ["https://127.0.0.1:2379/health", "https://10.32.0.1:9212/version"]) {
    const answered = async (pem: string): Promise<string> => {
      const quiet = ["-sk", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}"];
      return (await one.exec(["curl", ...quiet, "--cert", pem, at])).stdout;
    };
    // 000: not one byte of HTTP.
    assert.equal(await answered("/tmp/eve/pem"), "000", at);
    assert.equal(await answered(ours), "200", at);
  }
});

test("kill -9 of an etcd, also of the one that leads: it is back by itself and nothing is lost", async () => {
  const leader = await eventually("one leads", 20_000, async () => (await store(one)).leader?.id);
  for (const id of [leader, (leader % 4) + 1]) {
    const host = playground.host(id);
    const pid = await must(host, "pgrep", "-x", "etcd");
    await must(host, "kill", "-9", pid);
    await eventually("etcd runs again", 10_000, async () => {
      const { stdout } = await host.exec(["pgrep", "-x", "etcd"]);
      return stdout.trim() !== "" && stdout.trim() !== pid ? true : undefined;
    });
    await settled(one, 4);
  }
  assert.equal(await got(one, "motd"), "from five");
});

test("a voter whose data is gone begins anew as a learner, and no node was added by that", async () => {
  const host = playground.host(4);
  const record = () => must(host, "cat", "/var/lib/hansa/store/store.json");
  const before = JSON.parse(await record()).member;
  await must(host, "sh", "-c", "rm -rf /var/lib/hansa/store/data; kill -9 $(pgrep -x etcd)");
  await eventually("it is another member of the store", 30_000, async () => {
    const { member } = JSON.parse(await record());
    return member !== before ? true : undefined;
  });
  assert.equal((await settled(one, 4)).configVersion, 5);
  assert.equal(await got(host, "motd"), "from five");
});

test("the daemon's death and its return touch no etcd", async () => {
  const host = playground.host(2);
  const pid = await must(host, "pgrep", "-x", "etcd");
  await must(host, "sh", "-c", "kill -9 $(cat /run/hansa/daemon.pid | cut -d' ' -f1)");
  await eventually("the daemon answers", 10_000, async () =>
    (await hansa(host, "store")).status === 0 ? true : undefined,
  );
  assert.equal(await must(host, "pgrep", "-x", "etcd"), pid);
});

test("a host loses power: the others go on, and it comes back into the same vote", async () => {
  const four = playground.host(4);
  await four.kill();
  await settled(one, 4, 1);
  await put(one, "during", "the cut");
  await four.boot();
  await settled(one, 4);
  await counted(5);
  assert.equal(await got(four, "during"), "the cut");
});

test("two of four cut off: writes fail within 2 s naming the missing votes, on both sides; healed, they go on", async (context) => {
  await playground.part([
    [1, 2],
    [3, 4, 5],
  ]);
  const first = await written(one, "motd", "at once");
  context.diagnostic(`${first.status} after ${Math.round(first.ms)} ms: ${first.stderr.trim()}`);
  assert.equal(first.status, 1);
  assert.ok(first.ms < 2000, `${first.ms} ms`);
  const sides = [
    {
      host: one,
      missing: /2 of 4 votes are heard, 3 are needed; missing: host3 \(node 3\), host4 \(node 4\)/,
    },
    { host: playground.host(3), missing: /missing: host1 \(node 1\), host2 \(node 2\)/ },
    { host: five, missing: /missing: host1 \(node 1\), host2 \(node 2\)/ },
  ];
  for (const { host, missing } of sides) {
    await eventually(`${host.name} names the missing votes`, 20_000, async () => {
      const { status: exit, stderr, ms } = await written(host, "motd", "by a minority");
      assert.equal(exit, 1);
      assert.ok(ms < 2000, `${ms} ms`);
      assert.match(stderr, /Error: the store has no majority/);
      return missing.test(stderr) ? true : undefined;
    });
    assert.equal((await hansa(host, "store")).status, 2, host.name);
  }
  await eventually("status warns of it", 10_000, async () => {
    const { warnings } = await status(playground.host(3));
    return warnings.some(({ code }) => code === "STORE_NO_QUORUM") ? true : undefined;
  });
  await playground.heal();
  await eventually("writes go on", 30_000, async () =>
    (await written(five, "motd", "healed")).status === 0 ? true : undefined,
  );
  assert.equal(await got(one, "motd"), "healed");
});

test("a host that is reset gives its vote back and nothing of the store is left; launched anew it has one again", async () => {
  const three = playground.host(3);
  await settled(one, 4);
  await must(three, "hansa", "reset");
  await settled(one, 3);
  await counted(6);
  assert.equal((await three.exec(["pgrep", "-x", "etcd"])).stdout, "");
  assert.equal((await three.exec(["test", "-e", "/var/lib/hansa/store"])).status, 1);
  await launch(three, 3, "host1");
  await settled(one, 4);
  await counted(7);
});
