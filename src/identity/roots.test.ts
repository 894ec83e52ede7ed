/** Roots and what is derived from them, against vectors computed by an independent implementation (Python's hashlib and hmac). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { caKey, gossipKey, gossipLabel, pairKey } from "./derived-keys.ts";
import { deriveRoot, isClusterName } from "./roots.ts";

const ROOT = "000e8546298afaf04967230acef87e13a739cb9b1d8063f1d761270db9b5a7be";
const root = new Uint8Array(Buffer.from(ROOT, "hex"));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const key = (byte: number): string => Buffer.alloc(32, byte).toString("base64");

test("the root of the seed's token is the known one, and needs all of the memory-hard cost", async () => {
  assert.equal(hex(await deriveRoot("my-cluster-password", "hansa")), ROOT);
});

test("another cluster name gives another root, another spelling of one Unicode text the same", async () => {
  const [other, composed, decomposed] = await Promise.all([
    deriveRoot("my-cluster-password", "hansb"),
    deriveRoot("Lübeck", "hansa"),
    deriveRoot("Lu\u0308beck", "hansa"),
  ]);
  assert.notEqual(hex(other), ROOT);
  assert.equal(hex(composed), hex(decomposed));
});

test("an empty token and a malformed cluster name are refused", async () => {
  await assert.rejects(deriveRoot("", "hansa"), (error) => isHansaError(error, "USAGE"));
  await assert.rejects(
    deriveRoot("s3cret-s3cret", "no spaces"),
    (error) => isHansaError(error, "USAGE") && !error.message.includes("s3cret"),
  );
  for (const name of ["", "-a", "a-", "a b", "a/b", "a\0b", "x".repeat(64)]) {
    assert.equal(isClusterName(name), false, name);
  }
  for (const name of ["a", "hansa", "eu-1.prod_2", "x".repeat(63)]) {
    assert.equal(isClusterName(name), true, name);
  }
});

test("gossip key, label, CA key and pair key are the known ones", () => {
  assert.equal(
    hex(gossipKey(root)),
    "dadd0ed97e5a19bc5790a854df94c82d067be31897d872a975b2781b2ef5a20a",
  );
  assert.equal(gossipLabel(root), "6b4aa784d5c7f4f9");
  assert.equal(
    hex(caKey(root).privateKey),
    "cb25dd928851add89201b04b747262133d9f460c935c73bd7931e9896600b007",
  );
  assert.equal(pairKey(root, key(1), key(2)), "Tlqp7huZ90F4SedJ4aPHqTLnV8zQrFS3iduuNvIW/qA=");
});

test("a pair key is the same from both ends and differs for another pair", () => {
  assert.equal(pairKey(root, key(2), key(1)), pairKey(root, key(1), key(2)));
  assert.notEqual(pairKey(root, key(1), key(3)), pairKey(root, key(1), key(2)));
});
