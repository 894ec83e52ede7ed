import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeSerial, readSerial } from "../values/certificate-serial.ts";
import {
  type CertificateRecord,
  decodeRecords,
  encodeRecords,
  type IssuedRecord,
} from "./certificate-record.ts";
import { CertificateRecords, MAX_ISSUED, MAX_REVOKED } from "./certificate-records.ts";

const NOW = 1_700_000_000;
const DAY = 86_400;

const serialOf = (madeAt: number, generation: number, tail: number): string =>
  makeSerial({ madeAt, generation }, Buffer.alloc(9, tail));
const holder = fc.constantFrom("ada", "bob@laptop", "eve");
const by = fc.constantFrom("local", "root2");
const serial = fc.constantFrom(serialOf(NOW, 0, 1), serialOf(NOW + 5, 1, 2), "7f", "40".repeat(20));
const seconds = fc.integer({ min: NOW, max: NOW + 9 });
const record: fc.Arbitrary<CertificateRecord> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("issued" as const),
      ...{ serial, name: holder, role: fc.constantFrom("viewer" as const, "admin" as const) },
      ...{ at: seconds, expires: seconds, by, node: fc.integer({ min: 1, max: 65_535 }) },
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constant("revoked" as const), serial, at: seconds, by, expires: seconds },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant("shut-out" as const),
      ...{ name: holder, before: seconds, generation: fc.nat(3), at: seconds, by },
    },
    { noNullPrototype: true },
  ),
);

function setOf(...lists: readonly (readonly CertificateRecord[])[]): CertificateRecords {
  const records = new CertificateRecords();
  for (const list of lists) records.add(list, NOW);
  return records;
}

const issued = (serial: string, name: string, expires = NOW + DAY): IssuedRecord => ({
  ...{ kind: "issued", serial, name, role: "admin", at: NOW, expires, by: "local", node: 1 },
});

test("records heard in any order, twice or in parts end as one set, and nothing of it is news again", () => {
  fc.assert(
    fc.property(fc.array(record), fc.array(record), (some, others) => {
      const one = setOf(some, others);
      const other = setOf(others, some, others);
      assert.deepEqual(one.list(), other.list());
      assert.deepEqual(one.add([...others, ...some], NOW), []);
      const through = new CertificateRecords();
      through.add(one.list(), NOW);
      assert.deepEqual(through.list(), one.list());
    }),
  );
});

test("what is called back stays so, whatever else is heard and whatever the clock shows", () => {
  fc.assert(
    fc.property(
      fc.array(record),
      fc.array(record),
      holder,
      serial,
      fc.nat(2 ** 32 - 1),
      (...of) => {
        const [some, others, name, shown, clock] = of;
        const records = setOf(some);
        const isRefused = records.revocationOf({ name, serial: shown }) !== undefined;
        records.add(others, clock);
        records.prune(2 ** 32 - 1);
        records.prune(0);
        if (isRefused) assert.ok(records.revocationOf({ name, serial: shown }));
      },
    ),
  );
});

test("records are read as they were written, and what is no record is refused", () => {
  fc.assert(
    fc.property(fc.array(record), fc.uint8Array({ maxLength: 200 }), (records, noise) => {
      assert.deepEqual(decodeRecords(encodeRecords(records)), records);
      const bytes = encodeRecords(records);
      for (let end = 0; end < bytes.length; end += 7) {
        assert.equal(decodeRecords(bytes.subarray(0, end)), undefined);
      }
      decodeRecords(noise);
    }),
  );
});

test("by its serial one certificate is called back and no other of its holder", () => {
  const [lost, kept] = [serialOf(NOW, 0, 1), serialOf(NOW, 0, 2)];
  const records = setOf([issued(lost, "ada"), issued(kept, "ada")]);
  records.add([records.revocation(lost, "local", NOW)], NOW);
  assert.equal(records.revocationOf({ name: "ada", serial: lost })?.kind, "revoked");
  assert.equal(records.revocationOf({ name: "ada", serial: kept }), undefined);
});

test("by name all that were made before are, also unknown ones, those of a clock ahead and those without a stamp", () => {
  const records = new CertificateRecords();
  records.add([records.shuttingOut("ada", "local", NOW)], NOW);
  for (const serial of [serialOf(NOW, 0, 1), serialOf(NOW + 99 * DAY, 0, 1), "55".repeat(16)]) {
    assert.equal(records.revocationOf({ name: "ada", serial })?.kind, "shut-out", serial);
    assert.equal(records.revocationOf({ name: "bob", serial }), undefined);
  }
  const slow = NOW - 5 * DAY;
  const next = makeSerial(records.stampFor("ada", slow), Buffer.alloc(9));
  assert.deepEqual(readSerial(next), { madeAt: NOW + 1, generation: 1 });
  assert.equal(records.revocationOf({ name: "ada", serial: next }), undefined);
  records.add([records.shuttingOut("ada", "local", slow)], NOW);
  assert.ok(records.revocationOf({ name: "ada", serial: next }));
});

test("two halves of a split that both shut somebody out leave nothing of before open", () => {
  const one = new CertificateRecords();
  const other = new CertificateRecords();
  one.add([one.shuttingOut("ada", "local", NOW)], NOW);
  const between = makeSerial(one.stampFor("ada", NOW + 10), Buffer.alloc(9));
  other.add([other.shuttingOut("ada", "local", NOW + 20)], NOW);
  one.add(other.list(), NOW);
  assert.ok(one.revocationOf({ name: "ada", serial: between }));
});

test("both sets are bounded: what ended is forgotten first, and a thousand revocations are kept whatever the clock says", () => {
  const records = new CertificateRecords();
  const many = Array.from({ length: MAX_REVOKED + 5 }, (_, index) => index);
  const name = (index: number): string => index.toString(16).padStart(8, "0");
  records.add(
    many.map((index) => ({ ...issued(name(index), "ada", NOW + index) })),
    NOW,
  );
  assert.equal(records.issued.length, MAX_ISSUED);
  records.add(
    many.map((index) => ({
      ...records.revocation(name(index), "local", NOW),
      expires: NOW + index,
    })),
    NOW,
  );
  assert.equal(records.revoked.length, MAX_REVOKED);
  assert.equal(records.hasRoom, false);
  records.prune(NOW + 400 * DAY);
  assert.deepEqual([records.revoked.length, records.issued.length], [1_024, 0]);
  assert.ok(records.revocationOf({ name: "ada", serial: name(MAX_REVOKED + 4) }));
});
