/** Two stores of one cluster, made before their nodes met: who gives way, and what is said where none does; the last vote's reset. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  eventually,
  fullMesh,
  hansa,
  hosts,
  launch,
  launchTogether,
  must,
  status,
} from "./cluster.ts";
import { put } from "./store-entries.ts";

let playground: Playground;
let members: Host[];

before(async () => {
  playground = await hosts("e2estwo", 4);
  members = [1, 2, 3, 4].map((id) => playground.host(id));
  await launchTogether(members);
});
after(() => playground?.down());

async function store(host: Host): Promise<StoreView> {
  const { stdout, stderr } = await hansa(host, "store", "-o", "json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

function settled(host: Host, name: string, votes: number): Promise<StoreView> {
  return eventually(`${votes} votes of ${name}`, 60_000, async () => {
    const seen = await store(host);
    if (seen.name === name && seen.votes.expected === votes && seen.quorate) return seen;
    throw new Error(JSON.stringify(seen));
  });
}

/** Until `host` hears only `others`. */
function hears(host: Host, ...others: number[]): Promise<true> {
  return eventually(`${host.name} hears only ${others}`, 60_000, async () => {
    const { peers } = await status(host);
    const alive = peers.filter(({ id, state }) => id !== host.number && state !== "dead");
    return alive.every(({ id }) => others.includes(id)) ? true : undefined;
  });
}

test("two stores that both had two votes stay, and status on both sides names both", async () => {
  const [one, , three] = members as [Host, Host, Host, Host];
  await playground.part([
    [1, 2],
    [3, 4],
  ]);
  await Promise.all([hears(one, 2), hears(three, 4)]);
  await must(one, "hansa", "create", "left");
  await must(three, "hansa", "create", "right");
  const left = await settled(one, "left", 2);
  const right = await settled(three, "right", 2);
  await playground.heal();
  for (const [host, own, other] of [
    [one, left, right],
    [three, right, left],
  ] as const) {
    await eventually(`${host.name} names both`, 60_000, async () => {
      const { warnings } = await status(host);
      const said = warnings.find(({ code }) => code === "STORE_OTHER")?.message ?? "";
      return said.includes(own.id) && said.includes(other.id) ? true : undefined;
    });
  }
  await settled(one, "left", 2);
  await settled(three, "right", 2);
});

test("the last vote's reset is refused while others have none, and says what it ends", async () => {
  const [, , three, four] = members as [Host, Host, Host, Host];
  await must(four, "hansa", "reset");
  await settled(three, "right", 1);
  const refused = await hansa(three, "reset");
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /Error: this node has the only vote of the store right, which ends with it: 2 other nodes have none/,
  );
  assert.match(refused.stderr, /Hint: give another node a vote first: hansa vote give NODE/);
  await must(three, "hansa", "reset", "--force");
  await launch(three, 3, "host1");
  await settled(three, "left", 3);
});

test("a store that never had a second vote gives way to one that had, and is kept in a file", async () => {
  const [one, , , four] = members as [Host, Host, Host, Host];
  await playground.part([[1, 2, 3], [4]]);
  await launch(four, 4, "host1");
  await must(four, "hansa", "create", "alone");
  await put(four, "motd", "of four");
  await playground.heal();
  await fullMesh(members, 30_000);
  await settled(four, "left", 4);
  const file = await must(four, "sh", "-c", "ls /var/lib/hansa/backups/alone-g1-*");
  assert.match(await must(four, "cat", file), /config\/motd.{1,30}of four/s);
  const { warnings } = await status(four);
  assert.ok(
    warnings.some(({ code, message }) => code === "STORE_OUTLIVED" && message.includes(file)),
  );
  assert.equal((await hansa(one, "config", "get", "motd")).status, 3);
});
