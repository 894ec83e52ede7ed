/** A store whose majority is gone for ever is made anew by one command; votes that return are fenced, keep what they had in a file, and join anew. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launchTogether, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;

before(async () => {
  playground = await hosts("e2erecov", 3);
  [one, two, three] = [1, 2, 3].map((id) => playground.host(id)) as [Host, Host, Host];
  await launchTogether([one, two, three]);
  await must(one, "hansa", "create", "prod");
  await settled(one, 3);
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

function settled(host: Host, votes: number, generation = 1): Promise<StoreView> {
  return eventually(`${votes} votes of generation ${generation}`, 60_000, async () => {
    const seen = await store(host);
    const isThere = seen.votes.expected === votes && seen.votes.answering === votes;
    if (isThere && seen.quorate && seen.generation === generation) return seen;
    throw new Error(JSON.stringify(seen));
  });
}

/** `host` hears nobody else. */
function alone(host: Host): Promise<true> {
  return eventually(`${host.name} hears nobody`, 60_000, async () => {
    const { peers } = await status(host);
    const others = peers.filter(({ id }) => id !== host.number);
    return others.every(({ state }) => state === "dead") ? true : undefined;
  });
}

test("expected is refused while a majority is there, with exit status 1 and nothing changed", async () => {
  const refused = await hansa(one, "expected", "1", "--yes");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: a majority of the votes can be reached, by/);
  assert.equal((await store(one)).generation, 1);
});

test("two of three votes gone for ever: expected 1 makes the store anew from the third", async () => {
  await put(one, "motd", "before");
  await must(one, "hansa", "backup", "/var/lib/hansa/prod.hansa");
  assert.equal(await must(one, "stat", "-c", "%a", "/var/lib/hansa/prod.hansa"), "600");
  await Promise.all([two.kill(), three.kill()]);
  await alone(one);
  const many = await hansa(one, "expected", "3", "--yes");
  assert.equal(many.status, 1);
  assert.match(many.stderr, /Error: of 3 votes 2 decide, and only 1 is present/);
  const unasked = await hansa(one, "expected", "1");
  assert.equal(unasked.status, 1);
  assert.match(unasked.stderr, /Hint: add --yes/);
  assert.match(unasked.stderr, /\* host1 \(1\) +vote +prod 1 +\d+/);
  assert.match(
    await must(one, "hansa", "expected", "1", "--yes"),
    /^Store prod made anew: generation 2, from revision \d+ of node 1 \(host1\), \d+ entries$/,
  );
  const seen = await settled(one, 1, 2);
  assert.deepEqual(
    seen.voters.map(({ id }) => id),
    [1],
  );
  assert.equal(await got(one, "motd"), "before");
  await put(one, "motd", "after");
});

test("the two return: they serve nothing of the former generation, keep it in a file, and have votes in the new one", async () => {
  await Promise.all([two.boot(), three.boot()]);
  for (const host of [two, three]) {
    // Of the generation before it answers nothing once it heard of the next.
    await eventually(`${host.name} reads the new generation`, 60_000, async () => {
      const { stdout } = await hansa(host, "config", "get", "motd");
      return stdout.trim() === "after" ? true : undefined;
    });
  }
  await settled(one, 3, 2);
  for (const host of [two, three]) {
    const files = (await must(host, "ls", "/var/lib/hansa/backups")).split("\n");
    assert.equal(files.length, 1);
    assert.match(files[0] ?? "", /^prod-g1-\d{8}T\d{6}Z\.(hansa|etcd)$/);
    const { warnings } = await status(host);
    assert.ok(
      warnings.some(
        ({ code, message }) => code === "STORE_OUTLIVED" && message.includes("/backups/prod-g1-"),
      ),
    );
    assert.equal(await got(host, "motd"), "after");
  }
  await put(three, "motd", "together");
  assert.equal(await got(one, "motd"), "together");
});

test("a backup is restored on one host, and the others follow", async () => {
  await must(one, "sh", "-c", "head -c 100 /var/lib/hansa/prod.hansa > /var/lib/hansa/short.hansa");
  const short = await hansa(one, "restore", "/var/lib/hansa/short.hansa", "--yes");
  assert.equal(short.status, 1);
  assert.match(short.stderr, /Error: \S+short\.hansa is cut short or damaged/);
  assert.match(
    await must(one, "hansa", "restore", "/var/lib/hansa/prod.hansa", "--yes"),
    /^Store prod made anew: generation 3, from revision/,
  );
  await settled(one, 3, 3);
  for (const host of [one, two, three]) {
    assert.equal(await got(host, "motd"), "before", host.name);
  }
});

test("a minority made anew while the majority lives apart: healed, the majority's store is put away, into files, and what the minority wrote stays", async () => {
  const former = (await store(one)).generation;
  await playground.part([[1], [2, 3]]);
  await alone(one);
  await must(one, "hansa", "expected", "1", "--yes");
  await put(one, "side", "one");
  await put(two, "side", "two");
  await playground.heal();
  await settled(one, 3, former + 1);
  for (const host of [one, two, three]) {
    assert.equal(await got(host, "side"), "one", host.name);
  }
  // What the majority acknowledged is lost to the store, and in the files.
  for (const host of [two, three]) {
    const file = await must(
      host,
      "sh",
      "-c",
      `ls -t /var/lib/hansa/backups/prod-g${former}-* | head -1`,
    );
    assert.match(await must(host, "cat", file), /config\/side.{1,30}two/s);
  }
});

test("a voter whose etcd does not open its data begins anew by itself, and the data is kept", async () => {
  const { generation } = await settled(one, 3, (await store(one)).generation);
  const damage =
    "dd if=/dev/urandom of=$(ls /var/lib/hansa/store/data*/member/wal/*.wal | head -1) bs=4096 count=1 conv=notrunc; kill -9 $(pgrep -x etcd)";
  await must(three, "sh", "-c", damage);
  await eventually("its data is put away", 90_000, async () => {
    const { stdout } = await three.exec(["sh", "-c", "ls -d /var/lib/hansa/backups/*.etcd"]);
    return stdout === "" ? undefined : true;
  });
  await settled(three, 3, generation);
  assert.equal(await got(three, "side"), "one");
});
