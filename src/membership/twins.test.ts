import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bindingAfter, findTwins, loses } from "./twins.ts";

const holder = fc.record({
  id: fc.integer({ min: 1, max: 4 }),
  binding: fc.integer({ min: 0, max: 3 }),
  keyFingerprint: fc.constantFrom("aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"),
});
const holders = fc.uniqueArray(holder, { selector: (one) => `${one.id} ${one.keyFingerprint}` });

test("the lower binding wins, and between equal ones the lower key", () => {
  const a = { id: 2, binding: 1, keyFingerprint: "aaaaaaaa" };
  const b = { id: 2, binding: 0, keyFingerprint: "bbbbbbbb" };
  const c = { id: 2, binding: 0, keyFingerprint: "cccccccc" };
  const alone = { id: 3, binding: 9, keyFingerprint: "cccccccc" };
  assert.deepEqual(findTwins([a, c, alone, b]), [{ id: 2, winner: b, losers: [c, a] }]);
  assert.equal(loses(a, [c, b, alone]), b);
  assert.equal(loses(b, [a, c, alone]), undefined);
  assert.equal(loses(alone, [a, b, c]), undefined);
});

test("the same key seen twice is no twin", () => {
  const a = { id: 2, binding: 1, keyFingerprint: "aaaaaaaa" };
  assert.deepEqual(findTwins([a, { ...a }]), []);
});

test("all agree on exactly one winner for each id", () => {
  fc.assert(
    fc.property(holders, (all) => {
      for (const { id, winner, losers } of findTwins(all)) {
        const ofId = all.filter((one) => one.id === id);
        assert.equal(losers.length, ofId.length - 1);
        for (const one of ofId) {
          assert.deepEqual(loses(one, all), one === winner ? undefined : winner);
        }
      }
    }),
  );
});

test("a newcomer that takes the next binding never beats an incumbent", () => {
  fc.assert(
    fc.property(holder, holders, (newcomer, all) => {
      const incumbents = all.filter(
        (one) => one.id === newcomer.id && one.keyFingerprint !== newcomer.keyFingerprint,
      );
      const settled = { ...newcomer, binding: bindingAfter(newcomer, all) };
      for (const incumbent of incumbents) assert.equal(loses(incumbent, [settled]), undefined);
      if (incumbents.length === 0) assert.equal(settled.binding, newcomer.binding);
    }),
  );
});
