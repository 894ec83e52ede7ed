import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Message, Versions } from "../message.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { anyMessage, comparable } from "./test-messages.ts";

const GOLDEN: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "golden/memberlist.json"), "utf8"),
);
const LONG = "a-name-of-more-than-thirty-one-bytes-00000001";
const META = Uint8Array.from({ length: 300 }, (_, index) => index & 255);
const VERSIONS: Versions = [1, 5, 2, 0, 0, 0];
const V6 = "fd00::1";
const NONE = new Uint8Array(0);

const CASES: Readonly<Record<string, Message>> = {
  ping: { type: "ping", seq: 7, node: "n1" },
  "ping with source": {
    type: "ping",
    seq: 70000,
    node: LONG,
    source: { ip: "10.0.0.1", port: 6783 },
    sourceNode: "n2",
  },
  indirectPing: {
    type: "indirectPing",
    seq: 300,
    target: { ip: "10.0.0.2", port: 6783 },
    node: "n3",
    nack: true,
    source: { ip: V6, port: 7 },
    sourceNode: "n1",
  },
  "indirectPing without source": {
    type: "indirectPing",
    seq: 300,
    target: { ip: V6, port: 200 },
    node: "n3",
    nack: false,
  },
  ack: { type: "ack", seq: 4294967295, payload: NONE },
  "ack with payload": { type: "ack", seq: 255, payload: Uint8Array.of(1, 2, 3) },
  nack: { type: "nack", seq: 128 },
  suspect: { type: "suspect", incarnation: 1, node: "n1", from: "n2" },
  dead: { type: "dead", incarnation: 65536, node: "n1", from: "n1" },
  alive: {
    type: "alive",
    incarnation: 3,
    node: LONG,
    endpoint: { ip: "10.0.0.1", port: 6783 },
    meta: META,
    versions: VERSIONS,
  },
  "alive without meta": {
    type: "alive",
    incarnation: 3,
    node: "n",
    endpoint: { ip: V6, port: 1 },
    meta: NONE,
    versions: VERSIONS,
  },
  user: { type: "user", payload: Buffer.from("hello") },
  error: { type: "error", text: "it went wrong" },
};

for (const [name, message] of Object.entries(CASES)) {
  test(`${name} has the bytes that memberlist writes, and is read from them`, () => {
    const golden = Buffer.from(GOLDEN[name] ?? "", "hex");
    assert.equal(Buffer.from(encodeMessage(message)).toString("hex"), golden.toString("hex"));
    assert.deepEqual(comparable(decodeMessage(golden)), comparable(message));
  });
}

test("any message survives encoding and decoding", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      assert.deepEqual(comparable(decodeMessage(encodeMessage(message))), comparable(message));
    }),
  );
});

test("no garbage and no truncation makes the decoder throw", () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), fc.nat(), fc.nat(255), (message, cut, at, value) => {
      const bytes = encodeMessage(message);
      decodeMessage(bytes.subarray(0, cut % bytes.length));
      bytes[at % bytes.length] = value;
      decodeMessage(bytes);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      decodeMessage(bytes);
    }),
    { numRuns: 2000 },
  );
});

test("fields that we do not know are skipped, also nested ones", () => {
  const known = Buffer.from(encodeMessage({ type: "nack", seq: 5 }));
  const nested = Buffer.from(
    "0b 83 a141 93 01 c402ffff 81a178cb0000000000000000 a142 d40500".replaceAll(" ", ""),
    "hex",
  );
  assert.deepEqual(decodeMessage(Buffer.concat([nested, known.subarray(2)])), {
    type: "nack",
    seq: 5,
  });
});

test("nesting beyond any use is refused", () => {
  const deep = Buffer.concat([Buffer.from("0b82a141", "hex"), Buffer.alloc(5000, 0x91)]);
  assert.equal(decodeMessage(deep), undefined);
});

test("values out of range are refused", () => {
  const alive = CASES["alive"] as Message & { type: "alive" };
  assert.throws(() => encodeMessage({ ...alive, meta: new Uint8Array(513) }), RangeError);
  assert.throws(
    () => encodeMessage({ ...alive, endpoint: { ip: "host", port: 1 } }),
    /"host" is no IP address/,
  );
  assert.throws(() => encodeMessage({ type: "nack", seq: 2 ** 32 }), RangeError);
  assert.throws(() => encodeMessage({ type: "nack", seq: -1 }), RangeError);
  // SeqNo of 2^32, -1, 1.5, "x", and a name that is not UTF-8.
  for (const value of ["cf0000000100000000", "ff", "d0ff", "cb3ff8000000000000", "a178"]) {
    assert.equal(decodeMessage(Buffer.from(`0b81a55365714e6f${value}`, "hex")), undefined, value);
  }
  assert.equal(decodeMessage(Buffer.from("0081a44e6f6465a1ff", "hex")), undefined);
  // alive without an address, suspect of nobody.
  assert.equal(decodeMessage(Buffer.from("0481a44e6f6465a16e", "hex")), undefined);
  assert.equal(decodeMessage(Buffer.from("0380", "hex")), undefined);
});

test("versions given as an array of integers are read too", () => {
  const text = (GOLDEN["alive without meta"] ?? "").replace("a6010502000000", "96010502000000");
  assert.deepEqual(
    comparable(decodeMessage(Buffer.from(text, "hex"))),
    comparable(CASES["alive without meta"]),
  );
});
