import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  CODE_BYTES,
  claimProof,
  codeOf,
  isProof,
  parseClaim,
  parseCode,
  parseFacts,
  parseMark,
} from "./witness-protocol.ts";

const bytes = fc.uint8Array({ minLength: CODE_BYTES, maxLength: CODE_BYTES });

test("a code is read however it is typed, and nothing else is one", () => {
  fc.assert(
    fc.property(bytes, (random) => {
      const code = codeOf(random);
      assert.match(code, /^([a-z0-9]{4}-){3}[a-z0-9]{4}$/);
      assert.equal(
        parseCode(` ${code.toUpperCase().replaceAll("-", " ").replaceAll("0", "O")}\n`),
        code,
      );
    }),
  );
  for (const text of ["", "abcd", "aaaa-aaaa-aaaa-aaa1", "aaaa-aaaa-aaaa-aaaaa", "ä".repeat(16)]) {
    assert.equal(parseCode(text), undefined);
  }
});

test("a proof is good for one side, one code and one key", () => {
  const [code, key] = ["aaaa-bbbb-cccc-dddd", "sha256:00"];
  const proof = claimProof(code, "node", key);
  assert.ok(isProof(proof, claimProof(code, "node", key)));
  assert.ok(!isProof(proof, claimProof(code, "witness", key)));
  assert.ok(!isProof(proof, claimProof(code, "node", "sha256:01")));
  assert.ok(!isProof(proof, claimProof("aaaa-bbbb-cccc-ddde", "node", key)));
  for (const other of [undefined, 7, "", {}]) assert.ok(!isProof(other, proof));
});

test("what comes in is whole, or refused with a sentence", () => {
  const facts = { version: "1", isTaken: false, raftPort: 9213, problems: ["no etcd"] };
  assert.deepEqual(parseFacts({ ...facts, more: 1 }), facts);
  const claim = { cluster: "hansa", certificate: "c", ca: ["a"] };
  assert.deepEqual(parseClaim(claim), claim);
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), (any) => {
      for (const parse of [parseFacts, parseClaim]) assert.throws(() => parse(any), /malformed/);
    }),
  );
  fc.assert(fc.property(fc.anything(), (any) => assert.equal(parseMark(any), undefined)));
  assert.deepEqual(parseMark({ id: "a1", generation: 2 }), { id: "a1", generation: 2 });
});
