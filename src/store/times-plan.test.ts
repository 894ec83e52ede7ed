import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LEAST_TIMING, timingFor } from "./store-times.ts";
import { encodeTimes, timesIn } from "./times-entry.ts";
import { nextToRetime, type TimedVoter } from "./times-plan.ts";

const wanted = timingFor(400);

function voter(id: number, change: Partial<TimedVoter> = {}): TimedVoter {
  return {
    ...{ member: BigInt(id), leads: id === 1, isReady: true, timing: LEAST_TIMING },
    ...change,
  };
}

test("each voter comes once, the leader last", () => {
  let voters = [1, 2, 3].map((id) => voter(id));
  const order: bigint[] = [];
  for (;;) {
    const next = nextToRetime({ voters, hasLearner: false, wanted });
    if (next === undefined) break;
    order.push(next.member);
    voters = voters.map((each) =>
      each.member === next.member ? { ...each, timing: wanted } : each,
    );
  }
  assert.deepEqual(order, [2n, 3n, 1n]);
});

test("nobody is started anew while a voter does not answer, says nothing of its times, or one is about to come", () => {
  const silent = [voter(1), voter(2), voter(3, { isReady: false })];
  assert.equal(nextToRetime({ voters: silent, hasLearner: false, wanted }), undefined);
  const old = [voter(1), voter(2), voter(3, { timing: undefined })];
  assert.equal(nextToRetime({ voters: old, hasLearner: false, wanted }), undefined);
  const whole = [voter(1), voter(2)];
  assert.equal(nextToRetime({ voters: whole, hasLearner: true, wanted }), undefined);
});

test("what the store says of times is read again, and what is no such thing is as if it were not there", () => {
  const times = { timing: wanted, roundTripMs: 302.4, fsyncMs: undefined, sinceMs: 1_700_000_000 };
  assert.deepEqual(timesIn(encodeTimes(times)), times);
  assert.equal(timesIn(undefined), undefined);
  const text = (value: string) => timesIn(new TextEncoder().encode(value));
  assert.equal(text('{"heartbeatMs":100,"electionMs":7}'), undefined);
  assert.equal(text(`{"heartbeatMs":100,"electionMs":1000,"x":"${"x".repeat(1024)}"}`), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      timesIn(bytes);
    }),
  );
  fc.assert(
    fc.property(fc.json(), (json) => {
      text(json);
    }),
  );
});
