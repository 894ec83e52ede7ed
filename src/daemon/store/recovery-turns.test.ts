import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { HansaError, isHansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { RecoveryTurns } from "./recovery-turns.ts";

/** Nodes 1 to `count`, which all hear each other but those of `deaf`. */
function clusterOf(count: number, deaf: ReadonlySet<number> = new Set()) {
  const clock = new ManualClock();
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const node = (id: number) => ({ id, name: `host${id}` });
  const turns = new Map<number, RecoveryTurns>();
  for (const id of ids) {
    turns.set(
      id,
      new RecoveryTurns({
        ...{ self: node(id), clock, mark: () => ({ id: "a1", generation: id }) },
        heard: () => ids.filter((each) => each !== id).map(node),
        ask: async (other, request) => {
          await setImmediate();
          const asked = turns.get(other.id);
          if (deaf.has(other.id) || asked === undefined) {
            throw new HansaError("NODE_UNREACHABLE", "it does not answer");
          }
          return asked.give(request);
        },
      }),
    );
  }
  const of = (id: number): RecoveryTurns => turns.get(id) ?? assert.fail();
  return { of, clock };
}

const refused = (error: unknown): boolean => isHansaError(error, "STORE_REFUSED");

test("of nodes that begin at one moment exactly one goes on, whoever they are, and the others hear who", async () => {
  for (const several of [
    [1, 2],
    [2, 3],
    [3, 1],
    [3, 2, 1],
    [1, 2, 3, 4],
  ] as const) {
    const { of } = clusterOf(4);
    const done: number[] = [];
    const all = await Promise.allSettled(
      several.map((id) =>
        of(id).hold(async () => {
          await setImmediate();
          done.push(id);
        }),
      ),
    );
    assert.equal(done.length, 1, several.join());
    const why = all.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
    assert.ok(why.length === several.length - 1 && why.every(refused));
    assert.match(`${why[0]}`, new RegExp(`node ${done[0]} \\(host${done[0]}\\) is making`));
  }
});

test("who comes later is told what the others hold to, also by the one that was first; the silent hold nobody up", async () => {
  const { of } = clusterOf(3, new Set([2]));
  await of(1).hold(async () => undefined);
  const told = await of(3).hold(async (marks) => marks.map(({ generation }) => generation));
  assert.deepEqual(told, [1, 3]);
});

test("a node that died in the middle holds the others up for a minute, one that works for as long as it does", async () => {
  const { of, clock } = clusterOf(3);
  of(2).give({ node: 1, name: "host1", release: false });
  await assert.rejects(
    of(3).hold(async () => undefined),
    refused,
  );
  clock.advance(60_000);
  await of(3).hold(async () => undefined);

  const working = Promise.withResolvers<void>();
  let isBegun = false;
  const work = of(1).hold(async () => {
    isBegun = true;
    await working.promise;
  });
  while (!isBegun) await setImmediate();
  for (let count = 0; count < 10; count++) {
    clock.advance(15_000);
    for (let turn = 0; turn < 5; turn++) await setImmediate();
  }
  await assert.rejects(
    of(3).hold(async () => undefined),
    refused,
  );
  working.resolve();
  await work;
  await of(3).hold(async () => undefined);
});

test("a node's own second one is refused too", async () => {
  const { of } = clusterOf(1);
  const both = await Promise.allSettled([
    of(1).hold(() => setImmediate()),
    of(1).hold(() => setImmediate()),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ["fulfilled", "rejected"],
  );
});
