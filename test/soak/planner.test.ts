import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Planned } from "./event.ts";
import { nextEvent } from "./planner.ts";
import { afterEvent, newWorld, type World } from "./world.ts";

const ABILITIES = { reset: true };

function walk(seed: number, steps: number, visit: (world: World, plan: Planned) => void): void {
  let world = newWorld(seed, 5);
  for (let step = 0; step < steps; step += 1) {
    const plan = nextEvent(world, ABILITIES);
    visit(world, plan);
    world = afterEvent(world, plan);
  }
}

function planOf(seed: number, steps: number): readonly Planned[] {
  const plans: Planned[] = [];
  walk(seed, steps, (_, plan) => plans.push(plan));
  return plans;
}

test("one seed gives one plan, another seed another", () => {
  assert.deepEqual(planOf(7, 300), planOf(7, 300));
  assert.notDeepEqual(planOf(7, 30), planOf(8, 30));
});

test("a world that went through JSON goes on with the same plan", () => {
  let world = newWorld(3, 5);
  for (const plan of planOf(3, 100)) world = afterEvent(world, plan);
  const again: World = JSON.parse(JSON.stringify(world));
  assert.deepEqual(nextEvent(again, ABILITIES), nextEvent(world, ABILITIES));
});

test("every kind of event comes within an hour's plan", () => {
  const kinds = new Set(planOf(1, 1500).map(({ event }) => event.type));
  assert.deepEqual([...kinds].toSorted(), [
    ...["attach", "block", "boot", "calm", "connect", "cut", "delay", "detach", "forget", "heal"],
    ...[
      "kill",
      "kill-all",
      "kill-docker",
      "launch",
      "mend",
      "oneway",
      "part",
      "power-cut",
      "remove",
      "reset",
    ],
    ...["restart", "run", "start", "start-docker", "stop", "stop-docker"],
  ]);
});

test("nothing is planned that cannot be done, nor more at a time than a cluster must bear", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      walk(seed, 200, (world, { event }) => {
        assert.ok(world.hosts.filter(({ isOn }) => !isOn).length <= 2);
        assert.ok(world.hosts.filter(({ hasDocker }) => !hasDocker).length <= 2 + 2);
        assert.ok(world.hosts.filter(({ isLaunched }) => !isLaunched).length <= 1);
        assert.equal(new Set(world.hosts.map(({ id }) => id)).size, world.hosts.length);
        if (!("host" in event)) return;
        const host = world.hosts[event.host - 1];
        assert.ok(host);
        if (event.type !== "mend") assert.equal(host.isOn, event.type !== "boot", event.type);
        if ("name" in event) assert.ok(host.hasDocker && host.isLaunched, event.type);
        if ("name" in event && event.type !== "run") {
          assert.ok(world.containers.some(({ name }) => name === event.name));
        }
      });
    }),
    { numRuns: 50 },
  );
});

test("nobody that owns addresses from birth is launched apart, nor cut off before it is born", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      let bornMs = Number.NEGATIVE_INFINITY;
      walk(seed, 300, (world, { afterMs, event }) => {
        const nowMs = world.nowMs + afterMs;
        if (["part", "cut", "power-cut", "oneway", "block", "delay"].includes(event.type)) {
          assert.ok(nowMs - bornMs >= 15_000, event.type);
        }
        if (event.type === "reset") bornMs = Number.NEGATIVE_INFINITY;
        if (event.type !== "launch" || event.id > 4) return;
        bornMs = nowMs;
        assert.ok(world.groups.length === 0 && world.holes === 0);
        const on = world.hosts.filter(({ isOn, isCut }) => isOn && !isCut);
        assert.ok(on.some(({ number }) => number === event.host));
        assert.ok(on.some(({ number, isLaunched }) => isLaunched && number !== event.host));
      });
    }),
    { numRuns: 50 },
  );
});

test("a calm comes after 14 to 34 events, and leaves nothing broken behind", () => {
  let since = 0;
  walk(5, 1000, (world, { event }) => {
    if (event.type !== "calm") {
      since += 1;
      return;
    }
    assert.ok(since >= 14 && since <= 34, `${since}`);
    since = 0;
    const after = afterEvent(world, { afterMs: 0, event });
    assert.ok(after.hosts.every((host) => host.isOn && host.hasDocker && !host.isCut));
    assert.deepEqual([after.groups, after.holes, after.delays], [[], 0, []]);
  });
});
