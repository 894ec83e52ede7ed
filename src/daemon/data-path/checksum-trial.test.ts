import assert from "node:assert/strict";
import { test } from "node:test";
import { ChecksumTrial, type TunnelState } from "./checksum-trial.ts";

const good = (id: number): TunnelState => ({ id, proved: true, isLost: false });
const fresh = (id: number): TunnelState => ({ id, proved: false, isLost: false });
const lost = (id: number): TunnelState => ({ id, proved: false, isLost: true });

test("while tunnels work or have just begun, nothing is tried", () => {
  const trial = new ChecksumTrial();
  assert.equal(trial.look([good(2), fresh(3)], 0), false);
  assert.equal(trial.isSoftware, false);
});

test("what mends a dead tunnel that the card breaks again is kept, whatever happens later", () => {
  const trial = new ChecksumTrial();
  assert.equal(trial.look([lost(2), good(3)], 0), true);
  assert.equal(trial.look([lost(2), good(3)], 1_000), false);
  assert.equal(trial.look([good(2), good(3)], 2_000), false);
  assert.equal(trial.isSoftware, true);
  assert.equal(trial.look([good(2), good(3)], 4_000), true, "the card is asked once more");
  assert.equal(trial.look([good(2), good(3)], 5_000), false);
  assert.equal(trial.look([fresh(2), good(3)], 6_500), true);
  assert.equal(trial.look([lost(2), lost(3)], 60_000), false);
  assert.equal(trial.isSoftware, true);
});

test("a cable that was plugged in during the trial leaves the checksums to the card", () => {
  const trial = new ChecksumTrial();
  trial.look([lost(2), lost(3)], 0);
  trial.look([good(2), lost(3)], 3_000);
  for (let nowMs = 4_000; nowMs <= 11_000; nowMs += 1_000) trial.look([good(2), good(3)], nowMs);
  assert.equal(trial.isSoftware, false);
  assert.equal(trial.look([lost(2), good(3)], 60_000), false, "not again for some minutes");
});

test("a peer that is heard no more while the card is asked proves nothing", () => {
  const trial = new ChecksumTrial();
  trial.look([lost(2)], 0);
  trial.look([good(2)], 1_000);
  assert.equal(trial.look([good(2)], 3_000), true);
  trial.look([], 5_000);
  assert.equal(trial.look([], 9_000), false);
  assert.equal(trial.isSoftware, false);
});

test("what does not help is undone, and tried again for that peer after ten minutes only", () => {
  const trial = new ChecksumTrial();
  trial.look([lost(2)], 0);
  assert.equal(trial.look([lost(2)], 5_999), false);
  assert.equal(trial.look([lost(2)], 6_000), true);
  assert.equal(trial.isSoftware, false);
  assert.equal(trial.look([lost(2)], 300_000), false);
  assert.equal(trial.look([lost(2), lost(3)], 300_001), true, "another peer is another reason");
  assert.equal(trial.look([lost(2), lost(3)], 306_001), true);
  assert.equal(trial.look([lost(2)], 606_000), true);
});

test("a tunnel that works without being one of the dead proves nothing", () => {
  const trial = new ChecksumTrial();
  trial.look([lost(2)], 0);
  trial.look([lost(2), good(3)], 1_000);
  assert.equal(trial.look([lost(2), good(3)], 6_000), true);
  assert.equal(trial.isSoftware, false);
});
