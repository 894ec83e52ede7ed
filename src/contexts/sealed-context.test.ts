import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { type ClusterContext, isPlace, parseContext } from "./context.ts";
import { openContext, sealContext } from "./sealed-context.ts";

const CONTEXT: ClusterContext = {
  version: 1,
  api: ["host1:1443", "192.0.2.7:1443", "[2001:db8::1]:1443"],
  ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  certificate: "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n",
  privateKey: "-----BEGIN PRIVATE KEY-----\nCCCC\n-----END PRIVATE KEY-----\n",
};
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const refused = (error: unknown): boolean => isHansaError(error, "CONTEXT_BLOB_INVALID");

test("what is sealed is opened again, and shows nothing of itself", () => {
  fc.assert(
    fc.property(bytes(32), bytes(12), (key, nonce) => {
      const sealed = sealContext(CONTEXT, key, nonce);
      assert.match(sealed.blob, /^[0-9a-f]+$/);
      assert.match(sealed.key, /^[0-9a-f]{64}$/);
      assert.ok(!Buffer.from(sealed.blob, "hex").includes("host1"));
      assert.deepEqual(openContext(sealed.blob, sealed.key), CONTEXT);
    }),
  );
});

test("one digit changed, of blob or key, and nothing is opened", () => {
  const key = Buffer.alloc(32, 7);
  const sealed = sealContext(CONTEXT, key, Buffer.alloc(12, 9));
  const flip = (text: string, at: number): string =>
    `${text.slice(0, at)}${text[at] === "0" ? "1" : "0"}${text.slice(at + 1)}`;
  for (let at = 0; at < sealed.blob.length; at++) {
    assert.throws(() => openContext(flip(sealed.blob, at), sealed.key), refused, `digit ${at}`);
  }
  for (let at = 0; at < 64; at++) {
    assert.throws(() => openContext(sealed.blob, flip(sealed.key, at)), refused, `digit ${at}`);
  }
});

test("garbage, what is cut short, and a bomb under the right key are refused in one sentence", () => {
  const good = sealContext(CONTEXT, Buffer.alloc(32, 1), Buffer.alloc(12, 2));
  fc.assert(
    fc.property(fc.string(), fc.string(), (blob, key) => {
      assert.throws(() => openContext(blob, key), refused);
      assert.throws(() => openContext(blob, good.key), refused);
    }),
  );
  for (let length = 0; length < good.blob.length; length += 3) {
    assert.throws(() => openContext(good.blob.slice(0, length), good.key), refused);
  }
  const bomb = { ...CONTEXT, ca: "A".repeat(50_000_000) };
  const packed = sealContext(bomb, Buffer.alloc(32, 1), Buffer.alloc(12, 3));
  assert.throws(() => openContext(packed.blob, packed.key), refused);
});

test("what is no context is none", () => {
  fc.assert(fc.property(fc.anything(), (value) => assert.equal(parseContext(value), undefined)));
  for (const change of [
    { version: 2 },
    { api: [] },
    { api: ["host1"] },
    { api: Array(65).fill("a:1") },
    { ca: "" },
    { privateKey: CONTEXT.certificate },
  ]) {
    assert.equal(parseContext({ ...CONTEXT, ...change }), undefined, JSON.stringify(change));
  }
  for (const place of ["a:0", "a:65536", "a b:1", "::1:1443", "-", "https://a:1"]) {
    assert.equal(isPlace(place), false, place);
  }
});
