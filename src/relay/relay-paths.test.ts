import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RelayPaths } from "./relay-paths.ts";
import { SimulatedPairs } from "./simulated-pairs.ts";

/** Nodes that have worked directly for a while. */
function settled(count: number): SimulatedPairs {
  const pairs = new SimulatedPairs(count);
  pairs.run(10_000);
  assert.deepEqual(pairs.moves, []);
  return pairs;
}

/** Milliseconds until both ends of the pair have proof again and stay on a way for a second. */
function untilProved(pairs: SimulatedPairs, a: number, b: number, deadlineMs: number): number {
  const began = pairs.nowMs;
  for (;;) {
    pairs.run(250);
    if (pairs.isProved(a, b) && pairs.isProved(b, a) && pairs.nowMs - began > 2_500) break;
    assert.ok(pairs.nowMs - began < deadlineMs, `no proof after ${deadlineMs} ms`);
  }
  return pairs.nowMs - began;
}

test("UDP blocked both ways: through a stream, and back when it is open again", () => {
  const pairs = settled(3);
  pairs.cutUdp(1, 3);
  pairs.cutUdp(3, 1);
  untilProved(pairs, 1, 3, 4_000);
  assert.deepEqual([pairs.path(1, 3).kind, pairs.path(3, 1).kind], ["tcp", "tcp"]);
  pairs.run(60_000);
  const moved = pairs.moves.length;
  assert.ok(moved <= 4, `${moved} moves while nothing changes`);
  pairs.heal();
  const lost = new Set<number>();
  for (let at = 0; at < 20_000; at += 250) {
    pairs.run(250);
    if (!pairs.isProved(1, 3)) lost.add(pairs.nowMs);
  }
  assert.deepEqual([pairs.path(1, 3).kind, pairs.path(3, 1).kind], ["direct", "direct"]);
  assert.equal(lost.size, 0, "the return costs nothing");
  pairs.run(60_000);
  assert.ok(pairs.moves.length <= moved + 2);
});

for (const [from, to] of [
  [1, 3],
  [3, 1],
] as const) {
  test(`UDP blocked from ${from} to ${to} only: relayed both ways, then back`, () => {
    const pairs = settled(2 + 1);
    pairs.cutUdp(from, to);
    untilProved(pairs, 1, 3, 5_000);
    assert.deepEqual([pairs.path(1, 3).kind, pairs.path(3, 1).kind], ["tcp", "tcp"]);
    pairs.run(30_000);
    assert.ok(pairs.isProved(1, 3) && pairs.isProved(3, 1));
    pairs.heal();
    pairs.run(20_000);
    assert.deepEqual([pairs.path(1, 3).kind, pairs.path(3, 1).kind], ["direct", "direct"]);
  });
}

test("no path at all: by the lowest member that reaches both, and by the next when it dies", () => {
  const pairs = settled(4);
  for (const [from, to] of [
    [1, 3],
    [3, 1],
  ] as const) {
    pairs.cutUdp(from, to);
  }
  pairs.cutTcp(1, 3);
  untilProved(pairs, 1, 3, 5_000);
  assert.deepEqual(pairs.path(1, 3), { kind: "via", id: 2 });
  assert.deepEqual(pairs.path(3, 1), { kind: "via", id: 2 });
  pairs.run(5_000);
  pairs.setUp(2, false);
  pairs.run(1_000);
  assert.deepEqual(pairs.path(1, 3), { kind: "via", id: 4 });
  assert.deepEqual(pairs.path(3, 1), { kind: "via", id: 4 });
  assert.ok(pairs.isProved(1, 3) && pairs.isProved(3, 1));
  pairs.setUp(2, true);
  pairs.run(30_000);
  // What works is not left for a lower number.
  assert.deepEqual(pairs.path(1, 3), { kind: "via", id: 4 });
  pairs.tcpCuts.clear();
  pairs.run(10_000);
  assert.deepEqual([pairs.path(1, 3).kind, pairs.path(3, 1).kind], ["tcp", "tcp"]);
});

test("a daemon that starts anew while UDP is blocked is told by the other end", () => {
  const pairs = settled(2);
  pairs.cutUdp(1, 2);
  pairs.cutUdp(2, 1);
  pairs.run(10_000);
  pairs.setUp(1, false);
  pairs.run(1_000);
  pairs.setUp(1, true);
  pairs.run(4_000);
  assert.deepEqual([pairs.path(1, 2).kind, pairs.path(2, 1).kind], ["tcp", "tcp"]);
  assert.ok(pairs.isProved(1, 2) && pairs.isProved(2, 1));
});

test("both ends take one way, though streams were made in another order on each", () => {
  for (const late of [1, 3]) {
    const [first, second] = [new RelayPaths(1), new RelayPaths(3)];
    const open = new Map([
      [1, new Set([4])],
      [3, new Set([4])],
    ]);
    let words = 0;
    for (let nowMs = 0; nowMs < 12_000; nowMs += 250) {
      if (nowMs === 3_000) open.get(late === 1 ? 3 : 1)?.add(2);
      if (nowMs === 4_000) open.get(late)?.add(2);
      for (const [paths, self, peer] of [
        [first, 1, 3],
        [second, 3, 1],
      ] as const) {
        const streams = open.get(self) ?? new Set();
        const actions = paths.step(
          {
            peers: [{ id: peer, proved: nowMs < 2_000 || nowMs > 4_500, smallOnly: false }],
            streams: new Set(),
            anyStreams: streams,
            between: () => [2, 4],
          },
          nowMs,
        );
        for (const action of actions) {
          if (action.type !== "say") continue;
          words += 1;
          (self === 1 ? second : first).heard(self, action.say, action.stream, nowMs);
        }
      }
    }
    assert.ok(words > 0);
    assert.deepEqual([first.path(3), second.path(1)], Array(2).fill({ kind: "via", id: 2 }));
  }
});

test("a peer's word that it is relayed is followed, though our own try by that way has just failed", () => {
  const paths = new RelayPaths(4);
  const step = (proved: boolean, nowMs: number) =>
    paths.step(
      {
        peers: [{ id: 3, proved, smallOnly: false }],
        streams: new Set([3]),
        anyStreams: new Set([3]),
        between: () => [],
      },
      nowMs,
    );
  step(true, 0);
  step(false, 250);
  assert.equal(paths.path(3).kind, "tcp");
  step(false, 7_000);
  assert.equal(paths.path(3).kind, "direct");
  step(true, 7_250);
  paths.heard(3, { directOk: false, back: false }, 3, 7_500);
  assert.equal(paths.path(3).kind, "tcp");
});

test("a path that is cut right after the return is left again", () => {
  for (let delayMs = 0; delayMs <= 5_000; delayMs += 250) {
    const pairs = settled(2);
    pairs.cutUdp(1, 2);
    pairs.run(10_000);
    pairs.heal();
    while (pairs.path(1, 2).kind !== "direct") pairs.run(250);
    pairs.run(delayMs);
    pairs.cutUdp(1, 2);
    untilProved(pairs, 1, 2, 6_000);
    pairs.run(5_000);
    assert.deepEqual([pairs.path(1, 2).kind, pairs.path(2, 1).kind], ["tcp", "tcp"], `${delayMs}`);
  }
});

test("a direct path that comes and goes is tried more and more rarely", () => {
  const pairs = settled(2);
  for (let round = 0; round < 60; round += 1) {
    pairs.cutUdp(1, 2);
    pairs.cutUdp(2, 1);
    pairs.run(10_000);
    pairs.heal();
    pairs.run(10_000);
  }
  const returns = pairs.moves.filter(({ node, path }) => node === 1 && path.kind === "direct");
  assert.ok(returns.length <= 8, `${returns.length} returns in 20 minutes`);
  pairs.run(310_000);
  assert.equal(pairs.path(1, 2).kind, "direct");
});

test("whatever happens, what can be reached is reached, and once all is whole all is direct", () => {
  const id = fc.integer({ min: 1, max: 4 });
  const event = fc.record({
    kind: fc.constantFrom("udp", "tcp", "heal", "kill", "start"),
    a: id,
    b: id,
    ms: fc.integer({ min: 0, max: 20_000 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), (events) => {
      const pairs = new SimulatedPairs(4);
      pairs.run(3_000);
      for (const { kind, a, b, ms } of events) {
        if (kind === "heal") pairs.heal();
        if (kind === "udp" && a !== b) pairs.cutUdp(a, b);
        if (kind === "tcp" && a !== b) pairs.cutTcp(a, b);
        if (kind === "kill") pairs.setUp(a, false);
        if (kind === "start" && !pairs.node(a).isUp) pairs.setUp(a, true);
        pairs.run(ms);
      }
      for (const { id: one, isUp } of pairs.nodes) if (!isUp) pairs.setUp(one, true);
      pairs.run(60_000);
      for (const { id: a } of pairs.nodes) {
        for (const { id: b } of pairs.nodes.slice(a)) {
          const direct = !pairs.udpCuts.has(`${a}>${b}`) && !pairs.udpCuts.has(`${b}>${a}`);
          if (!direct && pairs.tcpCuts.has(`${a}-${b}`)) continue;
          const where = `${a}-${b} ${JSON.stringify([pairs.path(a, b), pairs.path(b, a)])}`;
          assert.ok(pairs.isProved(a, b) && pairs.isProved(b, a), where);
        }
      }
      pairs.heal();
      pairs.run(400_000);
      for (const { id: a } of pairs.nodes) {
        for (const { id: b } of pairs.nodes) {
          if (a !== b) assert.equal(pairs.path(a, b).kind, "direct");
        }
      }
    }),
    { numRuns: 60 },
  );
});
