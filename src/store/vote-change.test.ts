import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { type VoteFacts, withoutVote, withVote } from "./vote-change.ts";

/** Voters 1 to `count`, of which those in `silent` do not answer. */
function facts(count: number, silent: readonly number[] = [], wanted = [1, 2, 3, 4]): VoteFacts {
  const voters = Array.from({ length: count }, (_, index) => ({
    ...{ id: index + 1, hasVote: true, answers: !silent.includes(index + 1) },
  }));
  return { wanted, voters };
}

function refuses(act: () => unknown, words: RegExp): void {
  assert.throws(act, (error) => isHansaError(error, "STORE_REFUSED") && words.test(error.message));
}

test("a vote is given up to seven times, and once to each", () => {
  assert.deepEqual(withVote(facts(4), 9), [1, 2, 3, 4, 9]);
  assert.deepEqual(withVote(facts(4), 3), [1, 2, 3, 4]);
  const seven = facts(4, [], [1, 2, 3, 4, 5, 6, 7]);
  refuses(() => withVote(seven, 8), /7 nodes are to have a vote already/);
});

test("a vote is taken where those left are a majority of themselves, an absent one's too", () => {
  assert.deepEqual(withoutVote(facts(4), 2), [1, 3, 4]);
  assert.deepEqual(withoutVote(facts(4, [4]), 4), [1, 2, 3]);
  assert.deepEqual(withoutVote(facts(2, [2]), 2), [1, 3, 4]);
  refuses(() => withoutVote(facts(4, [3, 4]), 1), /without node 1, 1 of 3 votes answer/);
  refuses(() => withoutVote(facts(2, [2]), 1), /0 of 1 votes answer and 1 would be needed/);
});

test("the last vote stays, and one that was never given is only not given any more", () => {
  refuses(() => withoutVote(facts(1), 1), /node 1 has the store's only vote/);
  assert.deepEqual(withoutVote(facts(1), 4), [1, 2, 3]);
  refuses(() => withoutVote(facts(1, [], [4]), 4), /only node 4 is to have a vote/);
});
