import assert from "node:assert/strict";
import { test } from "node:test";
import { NonceSource } from "./nonce-source.ts";

test("nonces are 12 bytes, never the same, and stay as they are", () => {
  const source = new NonceSource();
  const nonces = Array.from({ length: 1000 }, () => source.next());
  assert.ok(nonces.every(({ length }) => length === 12));
  assert.equal(new Set(nonces.map((nonce) => Buffer.from(nonce).toString("hex"))).size, 1000);
});
