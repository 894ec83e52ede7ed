/** A power cut under hosts with twenty containers each that are always to run: all are back and well within 90 s, without a hand. */
import { after, before, test } from "node:test";
import type { Playground } from "../../src/playground/playground.ts";
import { hosts } from "./cluster.ts";
import { fillHosts, rebootHosts } from "./reboot-trial.ts";

const CONTAINERS = 20;
const WITHIN_MS = 90_000;

let playground: Playground;

before(async () => {
  playground = await hosts("e2er", 2);
  await fillHosts(playground, CONTAINERS);
});
after(() => playground?.down());

test("one host loses power: its twenty containers are back within 90 s", async (context) => {
  const times = await rebootHosts(playground, [playground.host(2)], CONTAINERS, WITHIN_MS);
  context.diagnostic(JSON.stringify(times));
});

test("all hosts lose power at once: all containers are back within 90 s", async (context) => {
  const times = await rebootHosts(playground, playground.hosts(), CONTAINERS, WITHIN_MS);
  context.diagnostic(JSON.stringify(times));
});
