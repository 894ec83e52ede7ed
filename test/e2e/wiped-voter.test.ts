/** A voter's host is made anew from nothing and launched with its old id: what it was is taken over, and its vote comes back with all that was written. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hosts, launch, launchTogether, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;

before(async () => {
  playground = await hosts("e2ewvo", 3);
  [one, two, three] = playground.hosts() as [Host, Host, Host];
  await launchTogether([one, two, three]);
  await must(one, "hansa", "create", "prod");
  await votesAre(one, [1, 2, 3], 3);
});
after(() => playground?.down());

/** Waits until these ids have a vote on `host`'s word and so many of the votes answer. */
async function votesAre(host: Host, ids: readonly number[], answering: number): Promise<void> {
  await eventually(`${host.name} sees votes ${ids}, ${answering} answering`, 60_000, async () => {
    const view: StoreView = JSON.parse(await must(host, "hansa", "store", "-o", "json"));
    const given = view.voters.filter(({ hasVote }) => hasVote).map(({ id }) => id);
    assert.deepEqual([given, view.votes.answering], [ids, answering]);
    return true;
  });
}

test("wiped and launched with its old id it is kept out and its vote is missing; the others write on", async () => {
  await put(one, "motd", "before");
  await three.kill();
  await three.wipe();
  await eventually("host1 has lost host3", 60_000, async () => {
    const { peers } = await status(one);
    return peers.some(({ id, state }) => id === 3 && state === "dead") || undefined;
  });
  await three.boot();
  await launch(three, 3, "host1");
  await put(two, "motd", "meanwhile");
  await votesAre(one, [1, 2, 3], 2);
});

test("once its former self is taken over its vote is back, with all that was written", async () => {
  await must(one, "hansa", "ipam", "take-over", "3", "--yes");
  await votesAre(one, [1, 2, 3], 3);
  await votesAre(three, [1, 2, 3], 3);
  assert.equal(await got(three, "motd"), "meanwhile");
  // Two of three votes: the one that came back and one other.
  await two.kill();
  await put(three, "motd", "after");
  assert.equal(await got(one, "motd"), "after");
});
