/** Both sides of a split make the store anew: when they meet again everybody holds to the later one, and what the other had lies in a file. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { StoreView } from "../../src/api/store-schemas.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launchTogether, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let two: Host;

before(async () => {
  playground = await hosts("e2esr", 2);
  [one, two] = [playground.host(1), playground.host(2)];
  await launchTogether([one, two]);
  await must(one, "hansa", "create", "prod");
  await settled(one, 2);
});
after(() => playground?.down());

function settled(host: Host, votes: number): Promise<StoreView> {
  return eventually(`${votes} votes at ${host.name}`, 180_000, async () => {
    const { stdout, stderr } = await hansa(host, "store", "-o", "json");
    if (stdout === "") throw new Error(stderr);
    const seen: StoreView = JSON.parse(stdout);
    const { expected, answering } = seen.votes;
    if (seen.quorate && expected === votes && answering === votes) return seen;
    throw new Error(stdout);
  });
}

function madeAnew(host: Host): Promise<true> {
  return eventually(`made anew at ${host.name}`, 120_000, async () => {
    const { status: exit, stderr } = await hansa(host, "expected", "1", "--yes");
    return exit === 0 ? true : Promise.reject(new Error(stderr));
  });
}

test("two stores of one generation become one by themselves, and nothing of the other is merged or lost", async () => {
  await put(one, "motd", "before");
  await playground.part([[1], [2]]);
  await madeAnew(one);
  await put(one, "motd", "of the earlier");
  await put(one, "only", "of the earlier");
  await madeAnew(two);
  await put(two, "motd", "of the later");
  const [early, late] = [await settled(one, 1), await settled(two, 1)];
  assert.deepEqual([early.generation, late.generation], [2, 2]);
  assert.notEqual(early.id, late.id);
  await playground.heal();
  const whole = await settled(one, 2);
  assert.equal(whole.id, late.id);
  for (const host of [one, two]) assert.equal(await got(host, "motd"), "of the later");
  assert.equal(await got(two, "only"), undefined);
  const said = (await status(one)).warnings.find(({ code }) => code === "STORE_OUTLIVED");
  const [, file = ""] = /was put into (\S+)/.exec(said?.message ?? "") ?? [];
  assert.match(file, /prod-g2-/, `${said?.message}`);
  // What the earlier one had is in that file, and comes back where it is wanted.
  await must(one, "hansa", "restore", file, "--yes", "--force");
  await settled(one, 2);
  assert.equal(await got(two, "only"), "of the earlier");
});
