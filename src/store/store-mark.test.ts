import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isOutlived, isSameStore, lineageOf, nextMark, revisionBase } from "./store-mark.ts";

const FIRST = { id: "3f1c0d2b9a8e7f65", generation: 1 };

const AT_MS = 1_800_000_000_000;

test("each recovery is a generation more of the same lineage", () => {
  const second = nextMark([FIRST], AT_MS, "aaaaaaaa");
  assert.deepEqual(second, { id: "3f1c0d2b9a8e7f656b49d200aaaaaaaa", generation: 2 });
  assert.equal(lineageOf(second), lineageOf(FIRST));
  const third = nextMark([second, FIRST], AT_MS - 10_000, "cccccccc");
  assert.equal(third.generation, 3);
  assert.ok(isOutlived(FIRST, third) && isOutlived(second, third) && !isOutlived(third, second));
});

test("of two recoveries from one generation the later one outlives the other, of one second that with the higher chance", () => {
  const early = nextMark([FIRST], AT_MS, "bbbbbbbb");
  const late = nextMark([FIRST], AT_MS + 1000, "aaaaaaaa");
  const beside = nextMark([FIRST], AT_MS + 1999, "cccccccc");
  assert.ok(!isSameStore(early, late) && isOutlived(early, late) && !isOutlived(late, early));
  assert.ok(isOutlived(late, beside) && !isOutlived(beside, late) && !isOutlived(late, late));
  // An earlier build did not tell when.
  const untold = { id: "3f1c0d2b9a8e7f65ffffffff", generation: 2 };
  assert.ok(isOutlived(untold, early) && !isOutlived(early, untold));
});

test("the marks of a lineage have one order, whoever compares them", () => {
  const mark = fc.record({
    id: fc
      .constantFrom("", "0", "1", "5", "a")
      .map((digit) => FIRST.id + digit.repeat(8) + (digit < "5" ? digit.repeat(8) : "")),
    generation: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(mark, mark, mark, (a, b, c) => {
      assert.equal(Number(isOutlived(a, b)) + Number(isOutlived(b, a)), isSameStore(a, b) ? 0 : 1);
      if (isOutlived(a, b) && isOutlived(b, c)) assert.ok(isOutlived(a, c));
    }),
  );
});

test("a store of another lineage outlives nothing", () => {
  assert.ok(!isOutlived(FIRST, { id: "0000000000000000", generation: 9 }));
});

test("revisions of a later generation are above all of the one before", () => {
  assert.equal(revisionBase({ generation: 1 }), 0n);
  assert.ok(revisionBase({ generation: 2 }) > 10n ** 11n);
  assert.ok(revisionBase({ generation: 9_000_000 }) < 2n ** 63n);
});
