import assert from "node:assert/strict";
import { createECDH, createPrivateKey, randomBytes, sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createAuthority } from "./authority.ts";
import {
  bitString,
  text as derText,
  integer,
  objectIdentifier,
  sequence,
  setOfOne,
} from "./der.ts";
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

/** Signed by a fresh key, whose point is written in that form. */
function requestWith(form: "uncompressed" | "compressed" | "hybrid"): string {
  const pair = createECDH("prime256v1");
  const open = pair.generateKeys();
  const url = (bytes: Buffer): string => bytes.toString("base64url");
  const [x, y] = [url(open.subarray(1, 33)), url(open.subarray(33))];
  const jwk = { kty: "EC", crv: "P-256", x, y, d: url(pair.getPrivateKey()) };
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  const ids = ["1.2.840.10045.2.1", "1.2.840.10045.3.1.7"].map(objectIdentifier);
  const point = bitString(pair.getPublicKey(null, form));
  const name = sequence(setOfOne(sequence(objectIdentifier("2.5.4.3"), derText("a"))));
  const body = sequence(
    integer(Uint8Array.of(0)),
    name,
    sequence(sequence(...ids), point),
    // No attributes; the tag of a list of them.
    Uint8Array.of(0xa0, 0),
  );
  const signature = bitString(sign("sha256", body, key));
  const der = sequence(body, sequence(objectIdentifier("1.2.840.10045.4.3.2")), signature);
  const lines = Buffer.from(der).toString("base64");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}

test("a key whose point is not written in full gets nothing", async () => {
  const authority = await createAuthority(root, "hansa");
  const asked = { name: "witness", names: [], addresses: [] };
  assert.ok(await authority.certify(requestWith("uncompressed"), asked));
  assert.equal(await authority.certify(requestWith("compressed"), asked), undefined);
  assert.equal(await authority.certify(requestWith("hybrid"), asked), undefined);
});
