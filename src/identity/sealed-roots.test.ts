import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { isHansaError } from "../errors.ts";
import { createNodeKey } from "./node-key.ts";
import {
  createOneTimeKey,
  isNodeKeyProven,
  type Joiner,
  type JoinSecrets,
  openRoots,
  proveNodeKey,
  SEAL_NONCE_BYTES,
  type SealedRoots,
  sealRoots,
} from "./sealed-roots.ts";

const node = createNodeKey();
const oneTime = createOneTimeKey();
const joiner: Joiner = { nodeKey: node.publicKey, oneTimeKey: oneTime.publicKey, id: 3 };
const secrets: JoinSecrets = {
  roots: [{ root: new Uint8Array(randomBytes(32)), since: "2026-01-01T00:00:00.000Z" }],
  token: "made by hansa",
};

function seal(of: JoinSecrets = secrets): SealedRoots {
  return sealRoots(of, joiner, createOneTimeKey(), randomBytes(SEAL_NONCE_BYTES));
}

const notSealed = (error: unknown): boolean => isHansaError(error, "API_ANSWER_INVALID");

test("what is sealed for a joiner comes out with its one-time key, and no secret is readable in it", () => {
  const sealed = seal();
  assert.deepEqual(openRoots(sealed, joiner, oneTime), secrets);
  const { token, ...rootsOnly } = secrets;
  assert.deepEqual(openRoots(seal(rootsOnly), joiner, oneTime), rootsOnly);
  const clear = Buffer.from(sealed.box, "base64");
  assert.equal(clear.indexOf(Buffer.from(secrets.roots[0]?.root ?? [])), -1);
  assert.equal(clear.indexOf(`${token}`), -1);
  assert.notEqual(seal().box, sealed.box);
});

test("another one-time key, another id or another node key opens nothing", () => {
  const sealed = seal();
  const stranger = createOneTimeKey();
  assert.throws(() => openRoots(sealed, joiner, stranger), notSealed);
  assert.throws(() => openRoots(sealed, { ...joiner, id: 4 }, oneTime), notSealed);
  const other = createNodeKey().publicKey;
  assert.throws(() => openRoots(sealed, { ...joiner, nodeKey: other }, oneTime), notSealed);
});

test("a changed or random seal is refused in one sentence", () => {
  const { publicKey, box } = seal();
  const bytes = Buffer.from(box, "base64");
  const flipped = fc.nat(bytes.length - 1).map((at) => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return { publicKey, box: copy.toString("base64") };
  });
  const garbage = fc.record({ publicKey: fc.string(), box: fc.base64String() });
  fc.assert(
    fc.property(fc.oneof(flipped, garbage), (sealed) => {
      assert.throws(() => openRoots(sealed, joiner, oneTime), notSealed);
    }),
    { numRuns: 100 },
  );
});

test("a point of small order as one-time key is refused: every secret with it would be the same", () => {
  const weak = { ...joiner, oneTimeKey: Buffer.alloc(32).toString("base64") };
  assert.throws(
    () => sealRoots(secrets, weak, createOneTimeKey(), randomBytes(SEAL_NONCE_BYTES)),
    (error) => isHansaError(error, "USAGE"),
  );
});

test("a proof is good for its key, its one-time key and its name, and for nothing else", () => {
  const proof = proveNodeKey(node, oneTime.publicKey, "host3");
  assert.ok(isNodeKeyProven(node.publicKey, oneTime.publicKey, "host3", proof));
  assert.ok(!isNodeKeyProven(node.publicKey, oneTime.publicKey, "host4", proof));
  assert.ok(!isNodeKeyProven(node.publicKey, createOneTimeKey().publicKey, "host3", proof));
  assert.ok(!isNodeKeyProven(createNodeKey().publicKey, oneTime.publicKey, "host3", proof));
  fc.assert(
    fc.property(fc.string(), fc.string(), (key, text) => {
      assert.equal(isNodeKeyProven(key, oneTime.publicKey, "host3", proof), false);
      assert.equal(isNodeKeyProven(node.publicKey, oneTime.publicKey, "host3", text), false);
    }),
    { numRuns: 100 },
  );
});
