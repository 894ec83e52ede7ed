import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CLASS,
  type DnsMessage,
  decodeDnsMessage,
  encodeDnsMessage,
  type RecordData,
  type ResourceRecord,
  TYPE,
} from "./dns-message.ts";

const label = fc.string({
  minLength: 1,
  maxLength: 63,
  unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
});
const name = fc.array(fc.oneof(fc.constantFrom("hansa", "web", "node"), label), { maxLength: 3 });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u16 = fc.integer({ min: 0, max: 65535 });

const typed: fc.Arbitrary<{ type: number; data: RecordData }> = fc.oneof(
  u32.map((address) => ({ type: TYPE.A, data: { kind: "address" as const, address } })),
  name.map((to) => ({ type: TYPE.PTR, data: { kind: "name" as const, name: to } })),
  fc.tuple(name, name, fc.tuple(u32, u32, u32, u32, u32)).map(([server, mailbox, numbers]) => ({
    type: TYPE.SOA,
    data: { kind: "soa" as const, server, mailbox, numbers },
  })),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => ({
    type: TYPE.OPT,
    data: { kind: "bytes" as const, bytes },
  })),
);
const record: fc.Arbitrary<ResourceRecord> = fc
  .tuple(name, typed, u16, u32)
  .map(([owner, { type, data }, kind, ttl]) => ({ name: owner, type, class: kind, ttl, data }));
const records = fc.array(record, { maxLength: 4 });

const message: fc.Arbitrary<DnsMessage> = fc.record(
  {
    id: u16,
    isResponse: fc.boolean(),
    opcode: fc.nat(15),
    isAuthoritative: fc.boolean(),
    isTruncated: fc.boolean(),
    recursionDesired: fc.boolean(),
    recursionAvailable: fc.boolean(),
    rcode: fc.nat(15),
    questions: fc.array(fc.record({ name, type: u16, class: u16 }, { noNullPrototype: true }), {
      maxLength: 3,
    }),
    answers: records,
    authority: records,
    additional: records,
  },
  { noNullPrototype: true },
);

test("a message comes back as it was sent, with its names compressed", () => {
  fc.assert(
    fc.property(message, (sent) => {
      assert.deepEqual(decodeDnsMessage(encodeDnsMessage(sent)), sent);
    }),
    { numRuns: 300 },
  );
});

test("hostile bytes never throw, and neither do bytes of a good message with some changed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void decodeDnsMessage(bytes)),
    {
      numRuns: 500,
    },
  );
  fc.assert(
    fc.property(
      message,
      fc.array(fc.tuple(fc.nat(400), fc.nat(255))),
      fc.nat(400),
      (good, changes, cut) => {
        const bytes = encodeDnsMessage(good);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        decodeDnsMessage(bytes);
        decodeDnsMessage(bytes.subarray(0, cut));
      },
    ),
    { numRuns: 500 },
  );
});

const HEADER = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const END = [0, 1, 0, 1];

test("compression pointers to themselves, forward, and round in circles are refused", () => {
  for (const bad of [
    [0xc0, 12],
    [0xc0, 14, 1, 97, 0],
    [1, 97, 0xc0, 12],
    [1, 97, 1, 98, 0xc0, 14],
    [0xc0, 200],
    [0xff, 0xff],
    [0x80, 1, 0],
    [0x40, 1, 0],
    [64, ...Array.from({ length: 64 }, () => 97), 0],
  ]) {
    assert.equal(decodeDnsMessage(Uint8Array.of(...HEADER, ...bad, ...END)), undefined, `${bad}`);
  }
});

test("a name of 255 bytes is taken, one of 256 is not, also when pointers make it so", () => {
  const long = Array.from({ length: 3 }, () => [
    63,
    ...Array.from({ length: 63 }, () => 97),
  ]).flat();
  const tail = (length: number): number[] => [length, ...Array.from({ length }, () => 98)];
  const take = (...bytes: number[]): DnsMessage | undefined =>
    decodeDnsMessage(Uint8Array.of(...HEADER, ...bytes, ...END));
  assert.ok(take(...long, ...tail(61), 0));
  assert.equal(take(...long, ...tail(62), 0), undefined);
});

test("a record whose data is shorter or longer than it says is refused", () => {
  const good: DnsMessage = {
    id: 1,
    isResponse: true,
    opcode: 0,
    isAuthoritative: true,
    isTruncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    rcode: 0,
    questions: [],
    answers: [
      {
        name: ["a"],
        type: TYPE.PTR,
        class: CLASS.IN,
        ttl: 1,
        data: { kind: "name", name: ["b"] },
      },
    ],
    authority: [],
    additional: [],
  };
  const bytes = encodeDnsMessage(good);
  const lengthAt = bytes.length - 4;
  assert.equal(bytes[lengthAt], 3);
  for (const length of [2, 4, 255]) {
    bytes[lengthAt] = length;
    assert.equal(decodeDnsMessage(bytes), undefined);
  }
});
