import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Departure,
  Departures,
  decodeDepartures,
  encodeDepartures,
  isDeparture,
  MAX_DEPARTURES,
} from "./departures.ts";

const departure = fc.record(
  {
    id: fc.integer({ min: 1, max: 4 }),
    keyFingerprint: fc.constantFrom("00000001", "abcdef12", "ffffffff"),
    cause: fc.constantFrom("left" as const, "taken-over" as const),
    atSeconds: fc.nat(2 ** 32 - 1),
  },
  { noNullPrototype: true },
);

test("departures heard in any order, twice or in parts end as one set", () => {
  fc.assert(
    fc.property(fc.array(departure), fc.array(departure), (some, others) => {
      const one = new Departures([...some, ...others]);
      const other = new Departures([...others, ...others]);
      other.add(some);
      assert.deepEqual(one.list(), other.list());
      assert.deepEqual(one.add([...others, ...some]), []);
    }),
  );
});

test("only what was not known is news", () => {
  const left: Departure = { id: 3, keyFingerprint: "abcdef12", cause: "left", atSeconds: 7 };
  const departures = new Departures();
  assert.deepEqual(departures.add([left, left]), [left]);
  assert.deepEqual(departures.add([left]), []);
  assert.deepEqual(departures.add([{ ...left, atSeconds: 8 }]), []);
  const taken: Departure = { ...left, cause: "taken-over", atSeconds: 9 };
  assert.deepEqual(departures.add([taken]), [taken]);
  assert.deepEqual(departures.get("3-abcdef12"), taken);
  assert.equal(departures.get("3-abcdef13"), undefined);
});

test("beyond the bound the oldest are forgotten", () => {
  const departures = new Departures();
  for (let id = 1; id <= MAX_DEPARTURES + 2; id++) {
    departures.add([{ id, keyFingerprint: "00000000", cause: "left", atSeconds: id }]);
  }
  assert.equal(departures.list().length, MAX_DEPARTURES);
  assert.equal(departures.get("2-00000000"), undefined);
  assert.ok(departures.get("3-00000000"));
  const old: Departure = { id: 1, keyFingerprint: "00000001", cause: "left", atSeconds: 0 };
  assert.deepEqual(departures.add([old]), []);
});

test("what is encoded is decoded, and hostile bytes are refused without an exception", () => {
  fc.assert(
    fc.property(fc.array(departure), (list) => {
      assert.deepEqual(decodeDepartures(encodeDepartures(list)), list);
      assert.ok(list.every(isDeparture));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const list = decodeDepartures(bytes);
      assert.ok(list === undefined || list.every(isDeparture));
    }),
  );
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(isDeparture(value), false)));
});
