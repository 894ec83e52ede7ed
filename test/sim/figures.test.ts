/** The figures that the design promises, with a few seeds; docs/internals/membership-simulation.md has them with many. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { measureCalm, measureDetection, measureJoin, measurePause } from "./measures.ts";
import { MEMBERLISTS } from "./variants.ts";

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

test("64 members know of a kill in half the time of memberlist's rule", () => {
  const allMs = (timing = {}) =>
    median(SEEDS.map((seed) => measureDetection({ members: 64, seed, timing }).allMs));
  const [ours, memberlists] = [allMs(), allMs(MEMBERLISTS.timing)];
  assert.ok(ours <= memberlists / 2, `${ours} ms against ${memberlists} ms`);
});

test("nobody is held dead at 10 % loss with 1 % of members starved", () => {
  const calm = measureCalm({ members: 100, seed: 1, link: { loss: 0.1 }, starved: 0.01 }, 120_000);
  assert.equal(calm.falseDeaths + calm.falseDeathsOfStarved, 0);
});

test("an idle member sends two packets a second, one ping and one answer", () => {
  const { packetsPerMemberSecond } = measureCalm({ members: 64, seed: 1 }, 60_000);
  assert.ok(packetsPerMemberSecond <= 2.01, `${packetsPerMemberSecond}`);
});

test("a member that stands still for three seconds is not held dead", () => {
  for (const members of [4, 64]) {
    for (const seed of SEEDS) assert.ok(!measurePause({ members, seed }, 3_000), `seed ${seed}`);
  }
});

test("the slowest of 20 joins of 64 members takes at most twice the median", () => {
  const times = SEEDS.map((seed) => measureJoin({ members: 64, seed }));
  const worst = Math.max(...times);
  assert.ok(worst <= 2 * median(times), `${worst} ms, median ${median(times)} ms`);
});
