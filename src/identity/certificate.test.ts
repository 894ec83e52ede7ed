import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { type CertificateContent, certificateBody, signedCertificate } from "./certificate.ts";

const issuing = generateKeyPairSync("ec", { namedCurve: "P-256" });
const holding = generateKeyPairSync("ec", { namedCurve: "P-256" });
const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

const content: CertificateContent = {
  serial: "4a0b",
  subject: { commonName: "host1", organization: "Hansa", unit: "node" },
  issuer: { commonName: "hansa", organization: "Hansa" },
  ...{ notBefore: new Date("2026-01-02T03:04:05Z"), notAfter: new Date("2027-01-02T03:04:05Z") },
  ...{ publicKey: holding.publicKey, issuerKey: issuing.publicKey, use: "both" },
  ...{ names: ["hansa", "host1"], addresses: ["10.32.0.1", "fd00::1"] },
};

/** The same by a library, so that what is written is no invention of ours. */
async function byLibrary(of: CertificateContent): Promise<Buffer> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(crypto);
  const imported = (key: KeyObject) =>
    crypto.subtle.importKey("jwk", key.export({ format: "jwk" }), SIGNING, true, ["verify"]);
  const [publicKey, issuerKey] = await Promise.all([
    imported(of.publicKey),
    imported(of.issuerKey),
  ]);
  const own = issuing.privateKey.export({ format: "jwk" });
  const signingKey = await crypto.subtle.importKey("jwk", own, SIGNING, true, ["sign"]);
  const named = ({ commonName, organization, unit }: CertificateContent["subject"]) => [
    { CN: [commonName] },
    { O: [organization] },
    ...(unit === undefined ? [] : [{ OU: [unit] }]),
  ];
  const isAuthority = of.use === "authority";
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const names = [
    ...of.names.map((value) => ({ type: "dns" as const, value })),
    ...of.addresses.map((value) => ({ type: "ip" as const, value })),
  ];
  const made = await x509.X509CertificateGenerator.create({
    ...{ notBefore: of.notBefore, notAfter: of.notAfter, serialNumber: of.serial ?? "01" },
    ...{ subject: named(of.subject), issuer: named(of.issuer), publicKey, signingKey },
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, isAuthority ? 0 : undefined, true),
      new x509.KeyUsagesExtension(isAuthority ? keyCertSign | cRLSign : digitalSignature, true),
      ...(isAuthority
        ? []
        : [
            new x509.ExtendedKeyUsageExtension([
              clientAuth,
              ...(of.use === "both" ? [serverAuth] : []),
            ]),
          ]),
      ...(of.use === "both" ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ...(isAuthority ? [] : [await x509.AuthorityKeyIdentifierExtension.create(issuerKey)]),
    ],
  });
  return Buffer.from(made.rawData);
}

test("what is signed is byte for byte what the library writes, for each use", async () => {
  const authority = { ...content.issuer, organization: "Hansa" };
  const cases: readonly CertificateContent[] = [
    content,
    { ...content, use: "client", subject: { commonName: "Zoë, 中", organization: "Hansa" } },
    { ...content, use: "authority", subject: authority, publicKey: issuing.publicKey },
    { ...content, notBefore: new Date(0), notAfter: new Date("9999-12-31T23:59:59Z") },
    { ...content, serial: "ff".repeat(16), names: [], addresses: ["::1"] },
    { ...content, names: Array.from({ length: 40 }, (_, index) => `host${index}.example.org`) },
  ];
  for (const each of cases) {
    const whole = await byLibrary(each);
    const body = certificateBody(each);
    assert.ok(whole.includes(body), Buffer.from(body).toString("hex"));
  }
});

test("whatever its names, dates and serial, it is read back as it was meant and is signed", () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,20}$/);
  fc.assert(
    fc.property(
      fc
        .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
        .filter((name) => /^[^\p{C}]+$/u.test(name)),
      fc.array(label, { maxLength: 20 }),
      fc.stringMatching(/^[1-9a-f][0-9a-f]{0,31}$/),
      fc.date({
        ...{ min: new Date("1970-01-01"), max: new Date("9999-12-31"), noInvalidDate: true },
      }),
      (commonName, names, serial, notAfter) => {
        const subject = { commonName, organization: "Hansa", unit: "admin" };
        const pem = signedCertificate(
          { ...content, subject, names, serial, notAfter },
          issuing.privateKey,
        );
        const read = new X509Certificate(pem);
        assert.ok(read.verify(issuing.publicKey));
        assert.equal(BigInt(`0x${read.serialNumber}`), BigInt(`0x${serial}`));
        assert.equal(read.validToDate.getTime(), Math.floor(notAfter.getTime() / 1000) * 1000);
        const expected = [...names.map((name) => `DNS:${name}`), "IP Address:10.32.0.1"];
        assert.ok(read.subjectAltName?.startsWith(expected.join(", ")), `${read.subjectAltName}`);
        assert.equal(read.toLegacyObject().subject["CN"], commonName);
      },
    ),
    { numRuns: 60 },
  );
});

test("a serial of one's own making is positive and is another each time", () => {
  const rest = { ...content, serial: undefined };
  const serials = Array.from(
    { length: 20 },
    () => new X509Certificate(signedCertificate(rest, issuing.privateKey)).serialNumber,
  );
  assert.equal(new Set(serials).size, 20);
  for (const each of serials) assert.match(each, /^[4-7][0-9A-F]{31}$/);
});
