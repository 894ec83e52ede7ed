import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatCidr, type Range, rangeToCidrs } from "../values/cidr.ts";
import { addressPlan } from "./address-plan.ts";
import {
  birthRing,
  bornRanges,
  checkRing,
  indexAt,
  merge,
  ownerOf,
  type Ring,
  type RingRecord,
  segments,
} from "./ring.ts";
import { exerciseBirth, grant, refreshFree, takeOver } from "./ring-writes.ts";

const SMALL: Range = { start: 1024, end: 1024 + 64 };
const text = (ranges: readonly Range[]) => ranges.flatMap(rangeToCidrs).map(formatCidr).join(" ");

/** A record of a small world: few tokens, owners and versions, so that they meet. */
const record = fc
  .record({
    at: fc.nat(63),
    size: fc.integer({ min: 1, max: 64 }),
    owner: fc.integer({ min: 1, max: 6 }),
    version: fc.nat(4),
    free: fc.nat(8),
  })
  .map(({ at, size, owner, version, free }): RingRecord => {
    const start = SMALL.start + at;
    const end = Math.min(SMALL.end, start + size);
    return { start, end, owner, version, free: Math.min(free, end - start) };
  });
const records = fc.array(record, { maxLength: 12 });
const born = () => birthRing(SMALL);
const join = (ring: Ring, ...parts: readonly (readonly RingRecord[])[]) =>
  parts.reduce((all, part) => merge(all, part).ring, ring);

test("the four seeds are born with a quarter each", () => {
  const { dynamic, fixed } = addressPlan();
  const owners = (range: Range) => segments(birthRing(range)).map((s) => `${s.owner} ${text([s])}`);
  assert.deepEqual(owners(dynamic), [
    "1 10.40.0.0/15",
    "2 10.42.0.0/15",
    "3 10.44.0.0/15",
    "4 10.46.0.0/15",
  ]);
  const sizes = segments(birthRing(fixed)).map((s) => s.end - s.start);
  assert.deepEqual(sizes, [114688, 114688, 114688, 114688]);
  assert.equal(checkRing(birthRing(fixed)), undefined);
});

test("merge is commutative, associative and idempotent, in whole or in part", () => {
  fc.assert(
    fc.property(records, records, records, (a, b, c) => {
      const all = join(born(), a, b, c);
      assert.equal(checkRing(all), undefined);
      assert.deepEqual(join(born(), c, b, a), all);
      assert.deepEqual(join(born(), a, join(born(), b, c).records), all);
      assert.deepEqual(join(all, b, a, all.records), all);
      assert.deepEqual(join(born(), ...[...a, ...b, ...c].map((one) => [one])), all);
      assert.deepEqual(merge(all, all.records).changed, []);
    }),
    { numRuns: 500 },
  );
});

test("a birth record loses to any other and a higher version wins", () => {
  const claim: RingRecord = { start: 1024, end: 1040, owner: 9, version: 1, free: 0 };
  assert.equal(ownerOf(join(born(), [claim]), 1024), 9);
  const newer = { ...claim, owner: 8, version: 2 };
  assert.equal(ownerOf(join(born(), [newer], [claim]), 1024), 8);
});

test("a tie of one version is settled the same way everywhere and reported", () => {
  const a: RingRecord = { start: 1024, end: 1040, owner: 9, version: 1, free: 0 };
  const b = { ...a, owner: 7 };
  const first = merge(join(born(), [a]), [b]);
  const second = merge(join(born(), [b]), [a]);
  assert.deepEqual(first.ring, second.ring);
  assert.deepEqual(first.contested, [{ won: b, lost: a }]);
  assert.deepEqual(second.contested, [{ won: b, lost: a }]);
});

test("entries out of bounds are ignored", () => {
  const good: RingRecord = { start: 1030, end: 1040, owner: 9, version: 1, free: 0 };
  const bad = [
    { ...good, start: 1000 },
    { ...good, end: 1030 },
    { ...good, end: 4000 },
    { ...good, owner: 0 },
    { ...good, owner: 65536 },
    { ...good, version: -1 },
    { ...good, version: 2 ** 32 },
    { ...good, start: 1030.5 },
    { ...good, free: Number.NaN },
  ];
  assert.deepEqual(merge(born(), bad).ring, born());
});

test("ownerOf agrees with a walk over the segments", () => {
  fc.assert(
    fc.property(records, (some) => {
      const ring = join(born(), some);
      for (let address = SMALL.start - 1; address <= SMALL.end; address++) {
        const walked = segments(ring).find((s) => address >= s.start && address < s.end)?.owner;
        assert.equal(ownerOf(ring, address), walked);
      }
    }),
    { numRuns: 100 },
  );
});

test("only owners that write, whatever part of the writing others know: no address has two owners", () => {
  const step = fc.record({
    from: fc.integer({ min: 1, max: 4 }),
    to: fc.integer({ min: 1, max: 6 }),
    at: fc.nat(63),
    size: fc.integer({ min: 1, max: 32 }),
    /** Which of the written records reach which view at once; the rest at the end. */
    lost: fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const views = new Map<number, Ring>();
      for (let id = 1; id <= 6; id++) views.set(id, exerciseBirth(born(), id).ring);
      const said: RingRecord[] = [...views.values()].flatMap((ring) =>
        ring.records.filter((r) => r.version > 0),
      );
      for (const { from, to, at, size, lost } of steps) {
        const view = views.get(from) ?? born();
        const range = {
          start: SMALL.start + at,
          end: Math.min(SMALL.end, SMALL.start + at + size),
        };
        const { ring, written } = grant(view, from, [range], to);
        views.set(from, ring);
        said.push(...written);
        let dice = 0;
        for (const [id, other] of views) {
          const heard = written.filter(() => !lost[dice++ % lost.length]);
          views.set(id, merge(other, heard).ring);
        }
        const owned = new Map<number, number>();
        for (const [id, other] of views) {
          for (const r of bornRanges(other, id)) {
            for (let a = r.start; a < r.end; a++) {
              assert.equal(owned.get(a), undefined, `${a} is owned twice`);
              owned.set(a, id);
            }
          }
        }
      }
      const whole = join(born(), said);
      const total = segments(whole).reduce((sum, s) => sum + s.end - s.start, 0);
      assert.equal(total, 64, "the total is the whole range");
      for (const view of views.values()) assert.deepEqual(join(view, said), whole);
    }),
    { numRuns: 300 },
  );
});

test("a grant splits in at most three, a hand-over of everything splits nothing", () => {
  const mine = exerciseBirth(born(), 1).ring;
  const part = grant(mine, 1, [{ start: 1028, end: 1032 }], 5);
  assert.deepEqual(
    part.written.map((r) => [r.start, r.end, r.owner, r.version]),
    [
      [1024, 1028, 1, 2],
      [1028, 1032, 5, 1],
      [1032, 1040, 1, 1],
    ],
  );
  const all = grant(part.ring, 1, [{ start: 0, end: 2 ** 32 }], 6);
  assert.equal(all.ring.records.length, part.ring.records.length);
  assert.deepEqual(bornRanges(all.ring, 1), []);
  assert.deepEqual(bornRanges(all.ring, 5), [{ start: 1028, end: 1032 }]);
});

test("what is not ours, or not born, cannot be granted", () => {
  assert.deepEqual(grant(born(), 1, [SMALL], 5).written, []);
  const mine = exerciseBirth(born(), 1).ring;
  assert.deepEqual(grant(mine, 1, [{ start: 1040, end: 1056 }], 5).written, []);
});

test("a birth that somebody has written into is not exercised", () => {
  const inside: RingRecord = { start: 1030, end: 1034, owner: 5, version: 1, free: 0 };
  assert.deepEqual(exerciseBirth(join(born(), [inside]), 1).written, []);
  assert.equal(exerciseBirth(born(), 5).written.length, 0);
});

test("a take-over takes born and unborn records with 100 higher versions", () => {
  const { ring, written } = takeOver(born(), 2, 3);
  assert.deepEqual(
    written.map((r) => [r.start, r.owner, r.version]),
    [[1040, 3, 100]],
  );
  assert.equal(ownerOf(ring, 1040), 3);
  const late = exerciseBirth(born(), 2).ring;
  assert.equal(ownerOf(join(late, written), 1040), 3);
});

test("the free hint fills records in order and writes only what differs", () => {
  const mine = exerciseBirth(born(), 1).ring;
  const split = grant(mine, 1, [{ start: 1028, end: 1032 }], 5).ring;
  const { ring, written } = refreshFree(split, 1, 6);
  assert.deepEqual(
    written.map((r) => [r.start, r.free]),
    [[1032, 2]],
  );
  assert.deepEqual(refreshFree(ring, 1, 6).written, []);
});

test("lookup stays logarithmic: in a ring of 60,000 records none looks at more than 17 of them", () => {
  const { dynamic } = addressPlan();
  const many = Array.from({ length: 60_000 }, (_, i): RingRecord => {
    const start = dynamic.start + i * 8;
    return { start, end: start + 8, owner: 1 + (i % 60000), version: 1, free: 8 };
  });
  const { range, records } = merge(birthRing(dynamic), many).ring;
  let looks = 0;
  const counted = new Proxy(records, {
    get(list, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) looks++;
      return Reflect.get(list, key);
    },
  });
  for (let i = 0; i < 5_000; i++) {
    looks = 0;
    const offset = (i * 7919) % 480_000;
    const index = indexAt({ range, records: counted }, dynamic.start + offset);
    assert.equal(records[index]?.start, dynamic.start + offset - (offset % 8));
    // 2^16 is more than 60,003.
    assert.ok(looks > 0 && looks <= 17, `${looks} records for one lookup`);
  }
});
