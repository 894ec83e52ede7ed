import assert from "node:assert/strict";
import { test } from "node:test";
import { givesWay, type Rival } from "./rival-stores.ts";

const store = (node: number, hasGrown: boolean, isQuorate = true): Rival => ({
  ...{ node, hasGrown, isQuorate },
});

test("a store of one vote gives way to one that had two, whoever has them", () => {
  assert.equal(givesWay(store(1, false), store(3, true)), true);
  assert.equal(givesWay(store(3, true), store(1, false)), false);
});

test("of two that never grew the higher id's gives way, so that exactly one does", () => {
  assert.equal(givesWay(store(3, false), store(1, false)), true);
  assert.equal(givesWay(store(1, false), store(3, false)), false);
});

test("none gives way to one without a majority, nor of two that have grown", () => {
  assert.equal(givesWay(store(3, false), store(1, true, false)), false);
  assert.equal(givesWay(store(3, true), store(1, true)), false);
});
