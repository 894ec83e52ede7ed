import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Places } from "./places.ts";

/** Takes all that `who` is given. */
function greedy(places: Places, who: string): number {
  while (places.take(who) !== undefined);
  return places.heldBy(who);
}

test("one alone has four fifths, and those who come later still have their part", () => {
  const places = new Places(640);
  assert.equal(greedy(places, "a"), 512);
  assert.equal(greedy(places, "b"), 103);
  assert.equal(greedy(places, "c"), 20);
  assert.equal(places.taken, 635);
});

test("whatever is taken and given back, nobody has all, and who has none is given one while one is free", () => {
  const steps = fc.array(fc.record({ who: fc.constantFrom("a", "b", "c"), gives: fc.boolean() }));
  fc.assert(
    fc.property(fc.integer({ min: 5, max: 40 }), steps, (size, all) => {
      const places = new Places(size);
      const given = new Map<string, (() => void)[]>([..."abc"].map((who) => [who, []]));
      for (const { who, gives } of all) {
        const own = given.get(who) ?? [];
        if (gives) {
          const release = own.pop();
          release?.();
          // Twice is once.
          release?.();
        } else {
          const isFree = places.taken < size;
          const release = places.take(who);
          if (own.length === 0) assert.equal(release !== undefined, isFree);
          if (release) own.push(release);
        }
        assert.equal(places.heldBy(who), own.length);
        assert.ok(own.length <= (size * 4) / 5 + 1 && own.length < size);
      }
      const counts = [...given.values()].map(({ length }) => length);
      assert.equal(
        places.taken,
        counts.reduce((sum, each) => sum + each, 0),
      );
    }),
  );
});
