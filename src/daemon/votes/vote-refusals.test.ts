import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../../errors.ts";
import { ManualClock } from "../../host/clock.ts";
import { VoteRefusals } from "./vote-refusals.ts";

const NO_ETCD = new HansaError("TOOL_MISSING", "the program etcd must be installed");
const TAKEN = new HansaError("PORT_TAKEN", "port 2379/tcp is held by etcd (pid 7)");

test("what is said for five seconds is told, in the last words of it, until it is not said for two minutes", () => {
  const clock = new ManualClock();
  const refusals = new VoteRefusals(clock);
  refusals.note(2, NO_ETCD);
  clock.advance(4000);
  refusals.note(2, NO_ETCD);
  assert.deepEqual(refusals.lasting, []);
  clock.advance(1000);
  refusals.note(2, TAKEN);
  assert.deepEqual(refusals.lasting, [{ id: 2, error: TAKEN }]);
  clock.advance(120_000);
  assert.equal(refusals.lasting.length, 1);
  clock.advance(1);
  assert.deepEqual(refusals.lasting, []);
  // And then it begins anew.
  refusals.note(2, TAKEN);
  assert.deepEqual(refusals.lasting, []);
});

test("others go before it for half a minute, and once it took its vote nothing is left", () => {
  const clock = new ManualClock();
  const refusals = new VoteRefusals(clock);
  refusals.note(2, NO_ETCD);
  refusals.note(3, NO_ETCD);
  assert.deepEqual([...refusals.unable], [2, 3]);
  refusals.clear(3);
  assert.deepEqual([...refusals.unable], [2]);
  clock.advance(30_000);
  assert.deepEqual([...refusals.unable], []);
  assert.equal(refusals.of(2), NO_ETCD);
  assert.equal(refusals.of(3), undefined);
});
