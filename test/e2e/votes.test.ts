/** Votes in the store: given to other nodes than the first four, taken again, and the last one's reset. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launch, must } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let five: Host;
let six: Host;

before(async () => {
  playground = await hosts("e2evote", 3);
  one = playground.host(1);
  five = playground.host(2);
  six = playground.host(3);
  await launch(one, 1);
  await launch(five, 5, "host1");
  await launch(six, 6, "host1");
  await must(one, "hansa", "create", "prod");
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

/** Waits until `host` shows these votes: what one voter knows another one may know a moment later. */
function votesAre(host: Host, ...ids: number[]): Promise<boolean> {
  return eventually(`votes ${ids} on ${host.name}`, 20_000, async () => {
    const { voters } = await store(host);
    const found = voters.filter(({ hasVote }) => hasVote).map(({ id }) => id);
    assert.deepEqual(found, ids);
    return true;
  });
}

test("a vote is given by name and by id, from a node without one, and the arithmetic is said", async () => {
  await votesAre(one, 1);
  assert.equal(
    await must(six, "hansa", "vote", "give", "host2"),
    "Votes: 2 of 2 answer, 2 are needed; 2 votes survive no failures; a witness makes it 1",
  );
  assert.match(
    await must(one, "hansa", "vote", "give", "6"),
    /3 of 3 answer, 2 are needed; 3 votes survive 1 failure$/,
  );
  await votesAre(five, 1, 5, 6);
  assert.match(await must(five, "hansa", "vote", "ls"), /To have one: 1, 2, 3, 4, 5, 6\n/);
  const unknown = await hansa(one, "vote", "give", "77");
  assert.equal(unknown.status, 3);
  assert.match(unknown.stderr, /Error: no node 77 is known here/);
});

test("a vote is taken, also the leader's own, and nothing of the store is left on that host", async () => {
  const id = await eventually("one leads", 20_000, async () => (await store(five)).leader?.id);
  const host = id === 1 ? one : id === 5 ? five : six;
  const others = [one, five, six].filter((each) => each !== host);
  await put(one, "motd", "hello");
  const said = await must(others[0] as Host, "hansa", "vote", "take", `${id}`);
  assert.match(said, /2 votes survive no failures; a witness makes it 1$/);
  await eventually("its etcd and its files are gone", 20_000, async () => {
    const runs = (await host.exec(["pgrep", "-x", "etcd"])).stdout;
    const files = (await host.exec(["ls", "/var/lib/hansa/store/data"])).status;
    return runs === "" && files !== 0 ? true : undefined;
  });
  assert.equal(await got(host, "motd"), "hello");
  await must(host, "hansa", "vote", "give", `${id}`);
  await votesAre(one, 1, 5, 6);
});

test("a vote that the majority needs is not taken", async () => {
  await six.kill();
  await eventually("host 6 is away", 30_000, async () => {
    const { voters } = await store(one);
    return voters.some(({ id, state }) => id === 6 && state === "away") ? true : undefined;
  });
  const refused = await hansa(one, "vote", "take", "5");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: without node 5, 1 of 2 votes answer and 2 would be needed/);
  assert.match(
    await must(one, "hansa", "vote", "take", "6"),
    /2 votes survive no failures; a witness makes it 1$/,
  );
  assert.match(await must(one, "hansa", "vote", "take", "5"), /1 vote survives no failures$/);
  const last = await hansa(one, "vote", "take", "1");
  assert.equal(last.status, 1);
  assert.match(last.stderr, /Error: node 1 has the store's only vote/);
});

test("a host that was away while its vote was taken puts its data away when it is back", async () => {
  await six.boot();
  await eventually("no etcd is left on host 6", 60_000, async () => {
    const files = (await six.exec(["ls", "/var/lib/hansa/store/data"])).status;
    const runs = (await six.exec(["pgrep", "-x", "etcd"])).stdout;
    return files !== 0 && runs === "" ? true : undefined;
  });
  await votesAre(six, 1);
});
