import assert from "node:assert/strict";
import { test } from "node:test";
import { nextUpkeepStep, type UpkeepFacts, type VoterFile } from "./upkeep-plan.ts";

const MIB = 1024 * 1024;

/** In MiB; the first one leads. */
function facts(
  files: readonly (readonly [number, number])[],
  different: Partial<UpkeepFacts> = {},
): UpkeepFacts {
  const voters = files.map(
    ([bytes, inUse], index): VoterFile => ({
      ...{ member: BigInt(index + 1), leads: index === 0, answers: true },
      ...{ bytes: bytes * MIB, inUse: inUse * MIB },
    }),
  );
  return { voters, isFull: false, isCompacted: false, quotaBytes: 512 * MIB, ...different };
}

test("a file of which most lies idle is defragmented, one voter at a time and who leads last", () => {
  assert.deepEqual(
    nextUpkeepStep(
      facts([
        [200, 50],
        [200, 50],
        [90, 60],
      ]),
    ),
    {
      ...{ step: "defragment", member: 2n },
    },
  );
  assert.deepEqual(
    nextUpkeepStep(
      facts([
        [200, 50],
        [51, 50],
        [90, 60],
      ]),
    ),
    {
      ...{ step: "defragment", member: 1n },
    },
  );
  assert.equal(
    nextUpkeepStep(
      facts([
        [51, 50],
        [51, 50],
      ]),
    ),
    undefined,
  );
});

test("small files are left alone, and nothing is touched while a voter is away", () => {
  assert.equal(nextUpkeepStep(facts([[40, 1]])), undefined);
  const three = facts([
    [200, 50],
    [200, 50],
    [200, 50],
  ]);
  const voters = three.voters.map((file, index) => ({ ...file, answers: index !== 2 }));
  assert.equal(nextUpkeepStep({ ...three, voters }), undefined);
});

test("a full store is compacted, defragmented, and then written to again", () => {
  const full = facts(
    [
      [512, 100],
      [512, 100],
    ],
    { isFull: true },
  );
  assert.deepEqual(nextUpkeepStep(full), { step: "compact" });
  assert.deepEqual(nextUpkeepStep({ ...full, isCompacted: true }), {
    ...{ step: "defragment", member: 2n },
  });
  const done = facts(
    [
      [101, 100],
      [101, 100],
    ],
    { isFull: true, isCompacted: true },
  );
  assert.deepEqual(nextUpkeepStep(done), { step: "disarm" });
  assert.equal(nextUpkeepStep({ ...done, isFull: false }), undefined);
});

test("one that is full of what is used waits for its users to remove something", () => {
  const used = facts(
    [
      [512, 500],
      [512, 500],
    ],
    { isFull: true, isCompacted: true },
  );
  assert.equal(nextUpkeepStep(used), undefined);
});
