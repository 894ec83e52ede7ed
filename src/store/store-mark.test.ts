import assert from "node:assert/strict";
import { test } from "node:test";
import { isOutlived, isSameStore, lineageOf, nextMark, revisionBase } from "./store-mark.ts";

const FIRST = { id: "3f1c0d2b9a8e7f65", generation: 1 };

test("each recovery is a generation more of the same lineage, and another store than a recovery beside it", () => {
  const second = nextMark([FIRST], "aaaaaaaa");
  assert.deepEqual(second, { id: "3f1c0d2b9a8e7f65aaaaaaaa", generation: 2 });
  assert.equal(lineageOf(second), lineageOf(FIRST));
  const beside = nextMark([FIRST], "bbbbbbbb");
  assert.ok(!isSameStore(second, beside) && !isOutlived(second, beside));
  const third = nextMark([second, FIRST], "cccccccc");
  assert.deepEqual(third, { id: "3f1c0d2b9a8e7f65cccccccc", generation: 3 });
  assert.ok(isOutlived(FIRST, third) && isOutlived(beside, third) && !isOutlived(third, beside));
});

test("a store of another lineage outlives nothing", () => {
  assert.ok(!isOutlived(FIRST, { id: "0000000000000000", generation: 9 }));
});

test("revisions of a later generation are above all of the one before", () => {
  assert.equal(revisionBase({ generation: 1 }), 0n);
  assert.ok(revisionBase({ generation: 2 }) > 10n ** 11n);
  assert.ok(revisionBase({ generation: 9_000_000 }) < 2n ** 63n);
});
