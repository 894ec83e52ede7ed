import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToIp, ipToBytes } from "../values/ip-bytes.ts";
import { plainLinks } from "../values/node-link.ts";
import { formatMemberName, parseMemberName } from "./member-name.ts";
import { decodeMetadata, encodeMetadata, type NodeMetadata } from "./metadata.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const word = (max: number) => fc.string({ unit: "grapheme-ascii", maxLength: max });
const fingerprint = u32.map((value) => value.toString(16).padStart(8, "0"));
const ip = fc
  .oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  .map((bytes) => bytesToIp(bytes) ?? "");
const port = fc.integer({ min: 1, max: 65535 });

const links = fc
  .subarray([0, 1, 2, 3, 4, 5, 6, 7])
  .chain((numbers) =>
    fc.tuple(
      ...numbers.map((number) =>
        fc.record(
          { number: fc.constant(number), address: ip, priority: fc.integer({ min: 0, max: 255 }) },
          { noNullPrototype: true },
        ),
      ),
    ),
  );

const metadata: fc.Arbitrary<NodeMetadata> = fc.record(
  {
    id: port,
    name: word(63),
    keyFingerprint: fingerprint,
    binding: u32,
    boot: u32,
    engineId: word(64),
    role: fc.constant("peer" as const),
    links,
    ports: fc.record({ gossip: port, overlay: port, api: port }, { noNullPrototype: true }),
    wireguardKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    version: word(32),
    store: fc.option(
      fc.record(
        { id: word(36).filter((id) => id !== ""), generation: u32 },
        { noNullPrototype: true },
      ),
      {
        nil: undefined,
      },
    ),
    encryption: fc.constantFrom("wireguard" as const, "none" as const),
    subnet: fc
      .record({ address: u32, prefix: fc.integer({ min: 8, max: 30 }) }, { noNullPrototype: true })
      .map(({ address, prefix }) => ({ base: address - (address % 2 ** (32 - prefix)), prefix })),
    raftPort: port,
  },
  { noNullPrototype: true },
);

test("metadata survives encoding and fits into a member", () => {
  fc.assert(
    fc.property(metadata, (node) => {
      const bytes = encodeMetadata(node);
      assert.ok(bytes.length <= 512);
      assert.deepEqual(decodeMetadata(bytes), node);
    }),
  );
});

test("what a later version appends is ignored", () => {
  fc.assert(
    fc.property(metadata, fc.uint8Array({ maxLength: 60 }), (node, extra) => {
      const bytes = Uint8Array.from([...encodeMetadata(node), ...extra]);
      bytes[1] = 2;
      assert.deepEqual(decodeMetadata(bytes), node);
    }),
  );
});

test("garbage, other members' metadata and anything cut short are foreign", () => {
  assert.equal(decodeMetadata(new Uint8Array()), undefined);
  assert.equal(decodeMetadata(new TextEncoder().encode("a memberlist member")), undefined);
  assert.equal(decodeMetadata(new Uint8Array(513)), undefined);
  fc.assert(
    fc.property(
      metadata,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (node, share) => {
        const bytes = encodeMetadata(node);
        const length = Math.floor(bytes.length * share);
        const found = decodeMetadata(bytes.slice(0, length));
        // Builds that knew no priorities ended before the links' numbers,
        // those without a store before its port, those that served no other machines before the port of the API.
        const plain = { ...node, links: plainLinks(node.links.map(({ address }) => address)) };
        const storeless = { ...plain, raftPort: 9212 };
        const earlier = { ...storeless, ports: { ...node.ports, api: 1443 } };
        const whole = bytes.length - 2 * node.links.length;
        const former = new Map([
          [whole, plain],
          [whole - 2, storeless],
          [whole - 4, earlier],
        ]);
        assert.deepEqual(found, former.get(length));
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 520 }), (bytes) => {
      decodeMetadata(bytes);
      decodeMetadata(Uint8Array.from([0x48, 1, ...bytes]));
    }),
  );
});

test("fields beyond their bounds are refused", () => {
  const [node] = fc.sample(metadata, { numRuns: 1, seed: 5 }) as [NodeMetadata];
  const wrong: Partial<NodeMetadata>[] = [
    { id: 0 },
    { name: "x".repeat(64) },
    { keyFingerprint: "XYZ" },
    { links: plainLinks(new Array(9).fill("10.0.0.1")) },
    { links: plainLinks(["host1"]) },
    { links: [{ number: 8, address: "10.0.0.1", priority: 1 }] },
    { links: [{ number: 0, address: "10.0.0.1", priority: 256 }] },
    { ports: { gossip: 0, overlay: 1, api: 2 } },
    { wireguardKey: new Uint8Array(31) },
    { subnet: { base: 1, prefix: 12 } },
  ];
  for (const field of wrong) {
    assert.throws(() => encodeMetadata({ ...node, ...field }), RangeError, JSON.stringify(field));
  }
});

test("a control character in a name makes the member foreign", () => {
  const [node] = fc.sample(metadata, { numRuns: 1, seed: 5 }) as [NodeMetadata];
  assert.equal(decodeMetadata(encodeMetadata({ ...node, name: "a\u001b[2Jb" })), undefined);
});

test("address literals survive their bytes in the canonical spelling", () => {
  for (const text of ["10.1.2.3", "::", "::1", "fe80::1:0:0:2", "2001:db8::", "1:2:3:4:5:6:7:8"]) {
    assert.equal(bytesToIp(ipToBytes(text) ?? new Uint8Array()), text);
  }
  assert.equal(bytesToIp(ipToBytes("0:0:0:0:0:ffff:1.2.3.4")!), "1.2.3.4");
  for (const text of ["", "1.2.3", "01.2.3.4", ":", ":::", "1:2:3", "g::", "1::2::3"]) {
    assert.equal(ipToBytes(text), undefined, text);
  }
  fc.assert(fc.property(ip, (text) => assert.equal(bytesToIp(ipToBytes(text)!), text)));
});

test("member names carry id and key, all others are foreign", () => {
  assert.equal(formatMemberName({ id: 7, keyFingerprint: "0123abcd" }), "7-0123abcd");
  assert.deepEqual(parseMemberName("65535-ffffffff"), { id: 65535, keyFingerprint: "ffffffff" });
  for (const name of [
    "",
    "7",
    "0-0123abcd",
    "65536-0123abcd",
    "07-0123abcd",
    "7-0123ABCD",
    "7-0123abc",
    "7-0123abcd-1",
  ]) {
    assert.equal(parseMemberName(name), undefined, name);
  }
  assert.throws(() => formatMemberName({ id: 70_000, keyFingerprint: "0123abcd" }), RangeError);
});
