import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { commonLinks } from "./common-links.ts";
import { LinkPaths, MAX_A_SECOND } from "./link-paths.ts";
import { type Hop, SimulatedLinks } from "./simulated-links.ts";

const PROMISE_MS = 550;
const either =
  (link: number, ...nodes: readonly number[]) =>
  (hop: Hop) =>
    hop.link === link && (nodes.length === 0 || nodes.includes(hop.from) || nodes.includes(hop.to));

function sentIn(world: SimulatedLinks, ms: number): number {
  const before = world.sent.get(1) ?? 0;
  world.run(ms);
  return ((world.sent.get(1) ?? 0) - before) / (ms / 1_000);
}

test("a node with one link, or a peer with one in common, costs nothing", () => {
  const world = new SimulatedLinks(3, 1);
  assert.equal(sentIn(world, 10_000), 0);
  assert.equal(world.node(1).nextTickMs(), Number.POSITIVE_INFINITY);
  assert.deepEqual(world.node(1).view(2, world.nowMs), []);
  assert.equal(world.used(1, 2), undefined);
});

for (const [nodes, links, budget] of [
  [2, 2, 5],
  [2, 3, 6],
  [2, 8, 11],
  [50, 2, 49 * 5],
  [101, 2, MAX_A_SECOND],
] as const) {
  test(`${nodes} nodes with ${links} links: each sends ${budget} probes a second at most`, () => {
    const world = new SimulatedLinks(nodes, links);
    world.run(4_000);
    const rate = sentIn(world, nodes > 50 ? 4_000 : 8_000);
    assert.ok(rate <= budget * 1.02, `${rate}`);
    assert.ok(rate >= budget * 0.6, `${rate}`);
    assert.deepEqual(world.moves, []);
  });
}

for (const offset of [0, 60, 125, 190, 249]) {
  test(`a link that is cut is left within ${PROMISE_MS} ms by both ends (${offset} ms into the beat)`, () => {
    const world = new SimulatedLinks(3, 2);
    world.run(10_000 + offset);
    assert.equal(world.used(1, 2), 0);
    const cutMs = world.nowMs;
    world.drops = either(0, 1);
    world.run(PROMISE_MS);
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 3],
      [3, 1],
    ] as const)
      assert.equal(world.used(from, to), 1, `${from} to ${to}`);
    assert.equal(world.used(2, 3), 0, "the others' link is whole");
    for (const { atMs } of world.moves) assert.ok(atMs - cutMs <= 510, `${atMs - cutMs}`);
    assert.equal(world.node(1).view(2, world.nowMs)[0]?.inUse, false);
    world.run(3_000);
    assert.deepEqual(
      world
        .node(1)
        .view(2, world.nowMs)
        .map(({ state }) => state),
      ["down", "up"],
    );
  });
}

test("a link that is cut one way is left by both ends", () => {
  for (const [from, to] of [
    [1, 2],
    [2, 1],
  ] as const) {
    const world = new SimulatedLinks(2, 2);
    world.run(10_130);
    world.drops = (hop) => hop.link === 0 && hop.from === from && hop.to === to;
    world.run(PROMISE_MS);
    assert.deepEqual([world.used(1, 2), world.used(2, 1)], [1, 1]);
  }
});

test("the highest priority is used, the lowest number among equals, and again once it was well for a while", () => {
  const world = new SimulatedLinks(2, 3, [1, 7, 7]);
  world.run(200);
  assert.deepEqual([world.used(1, 2), world.used(2, 1)], [1, 1]);
  world.run(5_000);
  world.drops = either(1);
  world.run(1_000);
  assert.deepEqual([world.used(1, 2), world.used(2, 1)], [2, 2]);
  world.drops = () => false;
  world.run(3_000);
  assert.equal(world.used(1, 2), 2, "not at once");
  world.run(5_000);
  assert.deepEqual([world.used(1, 2), world.used(2, 1)], [1, 1]);
});

test("a link that fails again and again is taken again later each time", () => {
  const world = new SimulatedLinks(2, 2);
  world.run(5_000);
  const away: number[] = [];
  for (let round = 0; round < 4; round++) {
    world.drops = either(0);
    world.run(2_000);
    assert.equal(world.used(1, 2), 1);
    world.drops = () => false;
    const fromMs = world.nowMs;
    while (world.used(1, 2) === 1) world.run(100);
    away.push(world.nowMs - fromMs);
  }
  const [first = 0, second = 0, third = 0, fourth = 0] = away;
  assert.ok(first > 4_000 && second > 9_000 && third > 19_000 && fourth > 39_000, `${away}`);
});

test("a node that stands still or restarts moves nobody, and all links gone move nobody", () => {
  const world = new SimulatedLinks(2, 2);
  world.run(5_000);
  for (const asleepMs of [300, 700, 1_500, 5_000]) {
    world.asleep.add(2);
    world.run(asleepMs);
    world.asleep.delete(2);
    world.run(3_000);
  }
  world.restart(2, { count: 2, links: 2 });
  world.run(3_000);
  world.drops = () => true;
  world.run(20_000);
  world.drops = () => false;
  world.run(10_000);
  assert.deepEqual(world.moves, []);
});

test("lost packets alone move nobody to and fro", () => {
  const world = new SimulatedLinks(4, 2);
  let seed = 1;
  world.drops = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 < 0.05;
  };
  world.run(120_000);
  assert.ok(world.moves.length <= 2, `${world.moves.length} moves`);
});

test("who restarts while its first link is dead goes on using the link of before", () => {
  const world = new SimulatedLinks(2, 2);
  world.run(5_000);
  world.drops = either(0);
  world.run(2_000);
  world.moves.length = 0;
  world.restart(1, { count: 2, links: 2, before: 1 });
  world.run(10_000);
  assert.deepEqual([world.used(1, 2), world.moves], [1, []]);
  world.drops = () => false;
  world.run(8_000);
  assert.equal(world.used(1, 2), 0);
});

test("without a former life a dead first link is left as soon as another answers", () => {
  const world = new SimulatedLinks(2, 2);
  world.drops = either(0);
  world.run(1_800);
  assert.deepEqual([world.used(1, 2), world.used(2, 1)], [1, 1]);
});

test("with any link between them that works, both ends use one that works", () => {
  const outages = fc.array(fc.subarray([0, 1, 2], { maxLength: 2 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      outages,
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
      (all, prio) => {
        const world = new SimulatedLinks(2, 3, prio);
        world.run(3_000);
        for (const dead of all) {
          world.drops = ({ link }) => dead.includes(link);
          world.run(3_000);
          for (const [from, to] of [
            [1, 2],
            [2, 1],
          ] as const)
            assert.ok(
              !dead.includes(world.used(from, to) ?? -1),
              `${dead} but ${world.used(from, to)}`,
            );
        }
      },
    ),
    { numRuns: 30 },
  );
});

test("who moves first is told when the other end has followed", () => {
  const paths = new LinkPaths(5);
  const links = [0, 1].map((number) => ({
    ...{ number, own: `10.0.${number}.1`, theirs: `10.0.${number}.2`, priority: 1 },
  }));
  paths.setPairs([{ peer: 2, links, isHeard: true, before: 1 }], 0);
  const body = { link: 1, nonce: 1, wantsAnswer: false, echo: undefined, everyMs: 250 };
  const hears = (inUse: boolean, link = 1) => paths.heard(2, { ...body, link, inUse }, 10).followed;
  assert.deepEqual([hears(false), hears(true), hears(true)], [[], [2], []]);
  assert.deepEqual(hears(true, 0), [], "we do not use that one");
});

test("links with other numbers are not common, and the higher priority of both counts at both ends", () => {
  const a = [
    { number: 0, address: "10.0.0.1", priority: 1 },
    { number: 2, address: "10.0.2.1", priority: 9 },
  ];
  const b = [
    { number: 1, address: "10.0.1.2", priority: 1 },
    { number: 2, address: "10.0.2.2", priority: 3 },
  ];
  const there = [{ number: 2, own: "10.0.2.1", theirs: "10.0.2.2", priority: 9 }];
  const back = [{ number: 2, own: "10.0.2.2", theirs: "10.0.2.1", priority: 9 }];
  assert.deepEqual([commonLinks(a, b), commonLinks(b, a)], [there, back]);
});

test("probes of strangers and of links that are not common are ignored", () => {
  const paths = new LinkPaths(5);
  const body = { link: 1, nonce: 1, wantsAnswer: true, inUse: true, echo: undefined, everyMs: 250 };
  assert.deepEqual(paths.heard(9, body, 0), { probes: [], moved: [] });
});
