/** A store of which no vote is left is made anew from what ordinary nodes last saw of it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launch, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let five: Host;
let six: Host;

before(async () => {
  playground = await hosts("e2emirec", 3);
  [one, five, six] = [1, 2, 3].map((number) => playground.host(number)) as [Host, Host, Host];
  await launch(one, 1);
  await launch(five, 5, "host1");
  await launch(six, 6, "host1", "host2");
  await must(one, "hansa", "create", "prod");
  await put(one, "motd", "first");
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

function settled(host: Host, ids: readonly number[], generation: number): Promise<StoreView> {
  return eventually(`votes ${ids} of generation ${generation}`, 60_000, async () => {
    const seen = await store(host);
    const votes = seen.voters.filter(({ hasVote }) => hasVote).map(({ id }) => id);
    if (votes.join() === ids.join() && seen.quorate && seen.generation === generation) return seen;
    throw new Error(JSON.stringify(seen));
  });
}

/** What `host` has on its own disk of the entry, which it reads where no majority answers. */
function has(host: Host, value: string): Promise<boolean> {
  return eventually(`${host.name} has ${value}`, 60_000, async () => {
    const { stdout } = await hansa(host, "config", "get", "motd");
    if (stdout.trim() === value) return true;
    throw new Error(stdout);
  });
}

/** Until nobody with a vote is heard. */
function without(host: Host, id: number): Promise<boolean> {
  return eventually(`${host.name} does not hear node ${id}`, 60_000, async () => {
    const { peers } = await status(host);
    const lost = peers.find((peer) => peer.id === id);
    return lost === undefined || lost.state === "dead" ? true : undefined;
  });
}

test("the only vote is gone for ever: expected 1 on an ordinary node takes the newest copy in reach, and says its age", async () => {
  await Promise.all([has(five, "first"), has(six, "first")]);
  await one.kill();
  await Promise.all([without(five, 1), without(six, 1)]);
  // As docs/troubleshooting/quorum-only-vote.md has it.
  const written = await hansa(five, "config", "put", "motd", "by nobody");
  assert.equal(written.status, 1);
  assert.match(
    written.stderr,
    /Error: the store has no majority: 0 of 1 votes are heard, 1 are needed; missing: host1 \(node 1\)/,
  );
  const saved = await hansa(six, "backup", "/var/lib/hansa/prod.hansa");
  assert.equal(saved.status, 0, saved.stderr);
  assert.match(
    saved.stderr,
    /Warning: no majority answers: this is what the node last saw of the store, \d+s ago/,
  );
  const { stdout, stderr, status: exit } = await hansa(five, "expected", "1", "--yes");
  assert.equal(exit, 0, stderr);
  assert.match(stdout, /^Store prod made anew: generation 2/);
  assert.match(stderr, /host2 \(5\) +mirror +prod 1 +\d+ +\d+\w+ +\d+/);
  assert.match(stderr, /host3 \(6\) +mirror/);
  await settled(five, [5], 2);
  await settled(six, [5], 2);
  await put(six, "motd", "second");
  await has(five, "second");
});

test("all disks are gone but one ordinary node's: the store is made anew from its copy, and hosts that are launched anew have votes in it", async () => {
  await has(six, "second");
  await Promise.all([five.kill(), six.kill()]);
  await six.boot();
  await without(six, 5);
  assert.match(
    await must(six, "hansa", "expected", "1", "--yes"),
    /generation 3, from revision \d+ of node 6/,
  );
  await settled(six, [6], 3);
  assert.equal(await got(six, "motd"), "second");
  await one.wipe();
  await one.boot();
  await must(six, "hansa", "ipam", "take-over", "1", "--yes");
  await launch(one, 1, "host3");
  await settled(one, [1, 6], 3);
  assert.equal(await got(one, "motd"), "second");
});

test("a vote of the generation in between that returns is fenced, and keeps what it had in a file", async () => {
  await five.boot();
  await eventually("host2 follows generation 3", 60_000, async () => {
    const { stdout } = await five.exec(["sh", "-c", "ls /var/lib/hansa/backups/prod-g2-*"]);
    return stdout === "" ? undefined : true;
  });
  await eventually("it has a vote again", 60_000, async () => {
    const seen = await store(five);
    return seen.generation === 3 && seen.votes.expected === 3 ? true : undefined;
  });
});
