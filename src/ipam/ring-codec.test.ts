import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressPlan } from "./address-plan.ts";
import { birthRing, merge, type RingRecord } from "./ring.ts";
import {
  decodeEntries,
  encodeEntries,
  entriesOf,
  parsePersistedRings,
  ringToRows,
  rowsToRing,
} from "./ring-codec.ts";

const plan = addressPlan();

const record = fc
  .record({
    start: fc.integer({ min: plan.fixed.start, max: plan.dynamic.end - 1 }),
    size: fc.integer({ min: 1, max: 2 ** 20 }),
    owner: fc.integer({ min: 1, max: 65535 }),
    version: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    free: fc.nat(2 ** 20),
  })
  .map(({ start, size, owner, version, free }): RingRecord => {
    const range = start < plan.dynamic.start ? plan.fixed : plan.dynamic;
    const end = Math.min(range.end, start + size);
    return { start, end, owner, version, free: Math.min(free, end - start) };
  });

test("decoding gives back what was encoded, sorted", () => {
  fc.assert(
    fc.property(fc.array(record), (entries) => {
      const sorted = [...entries].sort((a, b) => a.start - b.start);
      assert.deepEqual(decodeEntries(plan, encodeEntries(plan, entries)), {
        ok: true,
        entries: sorted,
      });
    }),
  );
});

test("garbage, cut and altered bytes never throw nor yield entries outside the rings", () => {
  const check = (bytes: Uint8Array) => {
    const decoded = decodeEntries(plan, bytes);
    if (!decoded.ok) return;
    for (const entry of decoded.entries) {
      assert.ok(entry.start >= plan.fixed.start && entry.end <= plan.dynamic.end);
      assert.ok(entry.end > entry.start && entry.owner >= 1 && entry.owner <= 65535);
    }
  };
  fc.assert(
    fc.property(fc.array(record), fc.nat(), fc.nat(255), (entries, at, value) => {
      const bytes = encodeEntries(plan, entries);
      for (let cut = 0; cut < Math.min(bytes.length, 60); cut++) {
        assert.equal(decodeEntries(plan, bytes.subarray(0, cut)).ok, false);
      }
      const altered = bytes.slice();
      altered[at % altered.length] = value;
      check(altered);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 1000 });
  const header = encodeEntries(plan, []).subarray(0, 6);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (tail) => check(Buffer.concat([header, tail]))),
    { numRuns: 1000 },
  );
});

test("another subnet, format or trailing bytes are refused whole", () => {
  const bytes = encodeEntries(plan, birthRing(plan.dynamic).records);
  const other = decodeEntries(addressPlan("10.0.0.0/12"), bytes);
  assert.deepEqual(other, { ok: false, reason: "subnet", subnet: "10.32.0.0/12" });
  const newer = Uint8Array.from([2, ...bytes.subarray(1)]);
  assert.deepEqual(decodeEntries(plan, newer), { ok: false, reason: "format" });
  assert.deepEqual(decodeEntries(plan, Uint8Array.from([...bytes, 0])), {
    ok: false,
    reason: "malformed",
  });
});

test("a usual grant takes less than 50 bytes", () => {
  const start = plan.dynamic.start;
  const grant = [
    { start, end: start + 65536, owner: 1, version: 2, free: 65536 },
    { start: start + 65536, end: start + 131072, owner: 5, version: 1, free: 65536 },
  ];
  assert.ok(encodeEntries(plan, grant).length < 50);
});

test("rings survive JSON and damage is seen", () => {
  const dynamic = merge(birthRing(plan.dynamic), [
    { start: plan.dynamic.start + 7, end: plan.dynamic.start + 9, owner: 5, version: 3, free: 1 },
  ]).ring;
  const rings = {
    format: 1,
    subnet: "10.32.0.0/12",
    self: 1,
    dynamic: ringToRows(dynamic),
    fixed: ringToRows(birthRing(plan.fixed)),
  };
  const read = parsePersistedRings(plan, JSON.parse(JSON.stringify(rings)));
  assert.deepEqual(read, rings);
  assert.deepEqual(rowsToRing(plan.dynamic, read?.dynamic ?? []), dynamic);
  assert.deepEqual(read && entriesOf(read).map((entry) => entry.version), [3]);
  const damaged = [
    null,
    7,
    {},
    { ...rings, format: 2 },
    { ...rings, subnet: "10.0.0.0/8" },
    { ...rings, dynamic: [] },
    { ...rings, dynamic: rings.fixed },
    { ...rings, dynamic: [...rings.dynamic].reverse() },
    { ...rings, dynamic: [...rings.dynamic, [1, 2, 3]] },
    { ...rings, dynamic: [...rings.dynamic, ["x", 2, 3, 4, 5]] },
    { ...rings, self: "1" },
  ];
  for (const value of damaged) assert.equal(parsePersistedRings(plan, value), undefined);
});
