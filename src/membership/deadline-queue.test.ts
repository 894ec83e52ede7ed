import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DeadlineQueue } from "./deadline-queue.ts";
import { GossipPace } from "./gossip-pace.ts";

test("what is due runs in order of time, and cancelled actions never do", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.integer({ min: 0, max: 50 }), cancel: fc.boolean() })),
      fc.integer({ min: 0, max: 50 }),
      (entries, nowMs) => {
        const queue = new DeadlineQueue();
        const ran: number[] = [];
        const deadlines = entries.map(({ at }) => queue.at(at, () => ran.push(at)));
        for (const [index, { cancel }] of entries.entries()) {
          if (cancel) queue.cancel(deadlines[index]);
        }
        queue.run(nowMs);
        const kept = entries.filter(({ cancel }) => !cancel).map(({ at }) => at);
        const expected = kept.filter((at) => at <= nowMs).sort((a, b) => a - b);
        assert.deepEqual(ran, expected);
        const left = kept.filter((at) => at > nowMs);
        assert.equal(queue.nextMs, Math.min(Number.POSITIVE_INFINITY, ...left));
      },
    ),
  );
});

test("an action may add what is due at once, and a shift puts all off", () => {
  const queue = new DeadlineQueue();
  const ran: string[] = [];
  queue.at(1, () => {
    ran.push("first");
    queue.at(2, () => ran.push("second"));
  });
  queue.at(9, () => ran.push("late"));
  queue.run(5);
  assert.deepEqual(ran, ["first", "second"]);
  queue.shift(100);
  assert.equal(queue.nextMs, 109);
});

test("gossip never goes out faster than one round per interval and a burst on top", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 80 }), (waits) => {
      const pace = new GossipPace(200, 4);
      let nowMs = 0;
      let rounds = 0;
      for (const wait of waits) {
        nowMs += wait;
        if (!pace.allows(nowMs)) continue;
        pace.spend(nowMs);
        rounds++;
        assert.ok(rounds <= nowMs / 200 + 4, `${rounds} rounds in ${nowMs} ms`);
      }
    }),
  );
  const pace = new GossipPace(200, 4);
  for (let round = 0; round < 4; round++) {
    assert.ok(pace.allows(1_000));
    pace.spend(1_000);
  }
  assert.equal(pace.nextMs, 1_200);
});
