import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { StoreMember } from "./voter-plan.ts";
import { encodeGiven, encodeWanted, givenIn, NO_VOTES, nextGiven, wantedIn } from "./votes.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function member(id: number, isLearner = false): StoreMember {
  return {
    id: BigInt(id),
    name: `${id}-00000000`,
    peerUrl: `https://10.32.0.${id}:9212`,
    isLearner,
  };
}

test("who is to have a vote is read as it was written, and is 1 to 4 where nothing good was", () => {
  assert.deepEqual(wantedIn(encodeWanted([9, 2, 2])), [2, 9]);
  for (const bad of ["", "{}", "[]", "[0]", "[70000]", "[1,2,3,4,5,6,7,8]", '["1"]', "[1"]) {
    assert.deepEqual(wantedIn(bytes(bad)), [1, 2, 3, 4], bad);
  }
  assert.deepEqual(wantedIn(undefined), [1, 2, 3, 4]);
});

test("whatever bytes the store has, they are read without a word", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (any) => {
      assert.ok(wantedIn(any).length > 0);
      assert.ok(givenIn(any).voters.length >= 0);
    }),
  );
});

test("the votes are written when they change, learners are none, and growth is never forgotten", () => {
  const first = nextGiven([member(1), member(2, true)], NO_VOTES);
  assert.deepEqual(first, { voters: ["1-00000000"], hasGrown: false });
  const second = nextGiven([member(2), member(1)], first ?? NO_VOTES);
  assert.deepEqual(second, { voters: ["1-00000000", "2-00000000"], hasGrown: true });
  const read = givenIn(encodeGiven(second ?? NO_VOTES));
  assert.equal(nextGiven([member(1), member(2)], read), undefined);
  assert.deepEqual(nextGiven([member(2)], read), { voters: ["2-00000000"], hasGrown: true });
});
