import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createAuthority } from "./authority.ts";
import {
  createSigningKey,
  createSigningRequest,
  publicKeyHash,
  selfSigned,
} from "./signing-request.ts";

const root = new Uint8Array(randomBytes(32));

test("a request is answered by a certificate for its key, under the authority's own words", async () => {
  const key = createSigningKey();
  const authority = await createAuthority(root, "hansa");
  const request = await createSigningRequest(key, "node of my own wish");
  const asked = { name: "witness", names: ["localhost"], addresses: ["127.0.0.1"] };
  const certificate = await authority.certify(request, asked);
  assert.ok(certificate);
  const seen = new X509Certificate(certificate);
  assert.equal(seen.subject, "CN=witness\nO=Hansa");
  assert.ok(seen.verify(new X509Certificate(authority.certificate).publicKey));
  assert.equal(publicKeyHash(certificate), publicKeyHash(key));
});

test("what is no request, or was changed after it was signed, gets nothing", async () => {
  const authority = await createAuthority(root, "hansa");
  const asked = { name: "witness", names: [], addresses: [] };
  const request = await createSigningRequest(createSigningKey(), "a");
  const bytes = Buffer.from(request.replace(/-----.*-----|\n/g, ""), "base64");
  bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1;
  const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  const own = await selfSigned(createSigningKey(), "a");
  for (const text of ["", "hello", changed, own, "x".repeat(100_000)]) {
    assert.equal(await authority.certify(text, asked), undefined);
  }
});
