import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { Entry } from "./store.ts";
import { decodeStoreCopy, encodeStoreCopy, type StoreCopy } from "./store-copy.ts";

const entries: fc.Arbitrary<Entry[]> = fc.uniqueArray(
  fc
    .record({
      key: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
      value: fc.uint8Array({ maxLength: 20 }),
      created: fc.bigInt({ min: 1n, max: 50n }),
      later: fc.bigInt({ min: 0n, max: 50n }),
    })
    .map(({ key, value, created, later }) => ({ key, value, created, revision: created + later })),
  { selector: ({ key }) => key, maxLength: 8 },
);

const PLAIN = { noNullPrototype: true } as const;
const copies: fc.Arbitrary<StoreCopy> = fc.record(
  {
    store: fc.record(
      {
        id: fc.constantFrom("a1", "0123456789abcdef"),
        name: fc.constantFrom("prod", "größe"),
        generation: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      },
      PLAIN,
    ),
    revision: fc.bigInt({ min: 100n, max: 2n ** 63n }),
    takenAtMs: fc.nat(2 ** 43),
    entries,
  },
  PLAIN,
);

function sealed(body: Uint8Array): Uint8Array {
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

test("a copy that was written is read as it was, its entries in the order of their keys' bytes", () => {
  fc.assert(
    fc.property(copies, (copy) => {
      const decoded = decodeStoreCopy(encodeStoreCopy(copy));
      assert.ok(decoded.ok);
      const keys = decoded.copy.entries.map(({ key }) => Buffer.from(key));
      assert.deepEqual(keys, keys.toSorted(Buffer.compare));
      const byKey = (list: readonly Entry[]): Map<string, unknown> =>
        new Map(list.map((entry) => [entry.key, { ...entry, value: [...entry.value] }]));
      assert.deepEqual(byKey(decoded.copy.entries), byKey(copy.entries));
      assert.deepEqual({ ...decoded.copy, entries: [] }, { ...copy, entries: [] });
    }),
  );
});

test("one that was cut, lengthened or has one other bit is refused", () => {
  fc.assert(
    fc.property(copies, fc.nat(), fc.nat(7), (copy, place, bit) => {
      const bytes = encodeStoreCopy(copy);
      const at = place % bytes.length;
      assert.equal(decodeStoreCopy(bytes.subarray(0, at)).ok, false);
      assert.equal(decodeStoreCopy(Buffer.concat([bytes, Buffer.of(0)])).ok, false);
      const other = Uint8Array.from(bytes);
      other[at] = (other[at] ?? 0) ^ (1 << bit);
      assert.equal(decodeStoreCopy(other).ok, false);
    }),
  );
});

test("what bears a good checksum and holds no store's content is refused, and never thrown at", () => {
  fc.assert(
    fc.property(copies, fc.nat(), fc.uint8Array({ maxLength: 6 }), (copy, place, noise) => {
      const body = encodeStoreCopy(copy).subarray(0, -32);
      const at = place % body.length;
      const mixed = sealed(Buffer.concat([body.subarray(0, at), noise, body.subarray(at + 1)]));
      const decoded = decodeStoreCopy(mixed);
      if (!decoded.ok) return;
      // Where it is taken, it is a copy like any other.
      assert.deepEqual(Buffer.from(encodeStoreCopy(decoded.copy)), Buffer.from(mixed));
    }),
    { numRuns: 1000 },
  );
});

test("a refusal says what the file is", () => {
  const bytes = encodeStoreCopy({
    ...{ store: { id: "a1", name: "prod", generation: 1 }, revision: 3n, takenAtMs: 0 },
    entries: [],
  });
  const newer = Uint8Array.from(bytes);
  newer[0] = 2;
  const reasons = [new Uint8Array(), Buffer.from("#!/bin/sh"), newer, bytes.subarray(0, -1)].map(
    (each) => decodeStoreCopy(each),
  );
  assert.deepEqual(reasons, [
    { ok: false, reason: "is empty" },
    { ok: false, reason: "is no copy of a store" },
    { ok: false, reason: "has the format 2, this version reads 1" },
    { ok: false, reason: "is cut short or damaged" },
  ]);
});

test("what no store holds is not written", () => {
  const entry: Entry = { key: "a", value: new Uint8Array(), revision: 1n, created: 1n };
  const wrong: readonly (readonly Entry[])[] = [
    [entry, entry],
    [{ ...entry, key: "" }],
    [{ ...entry, value: new Uint8Array(2 ** 20 + 1) }],
  ];
  for (const entries of wrong) {
    const store = { id: "a1", name: "prod", generation: 1 };
    assert.throws(
      () => encodeStoreCopy({ store, revision: 3n, takenAtMs: 0, entries }),
      RangeError,
    );
  }
});
