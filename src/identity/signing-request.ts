/**
 * Certificate requests (PKCS #10): how a host without the token asks for a certificate for a key that never leaves it.
 *
 * Invariant: a request is worth nothing without a signature by the key that it names, so nobody gets a certificate for another's key.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  KeyObject,
} from "node:crypto";

const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const MAX_REQUEST = 8192;
/** What the DER of a P-256 key begins with; the point's X and Y follow, 32 bytes each. */
const KEY_HEAD = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const KEY_BYTES = KEY_HEAD.length + 64;

/** A fresh P-256 key, PKCS #8, PEM. */
export function createSigningKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return `${privateKey.export({ format: "pem", type: "pkcs8" })}`;
}

/** "sha256:" and the hex SHA-256 of the public key (DER SubjectPublicKeyInfo) of a private key or certificate in PEM. */
export function publicKeyHash(pem: string): string {
  return derHash(createPublicKey(pem).export({ format: "der", type: "spki" }));
}

/** The same of a DER SubjectPublicKeyInfo. */
export function derHash(spki: Uint8Array): string {
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}

/** A request for a certificate of the key's holder, PEM. Loads the X.509 library. */
export async function createSigningRequest(privateKey: string, name: string): Promise<string> {
  const { x509, keys } = await loaded(privateKey);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    ...{ name: [{ CN: [name] }], keys, signingAlgorithm: SIGNING },
  });
  return withEnd(request.toString("pem"));
}

/** A certificate that the key's holder makes for itself, to be seen until it has a better one; PEM. */
export async function selfSigned(privateKey: string, name: string): Promise<string> {
  const { x509, keys } = await loaded(privateKey);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ name: [{ CN: [name] }], keys, signingAlgorithm: SIGNING, serialNumber: "01" },
    ...{ notBefore: new Date(0), notAfter: new Date("9999-12-31T23:59:59Z") },
  });
  return withEnd(certificate.toString("pem"));
}

/** The public key of a request, when that is whole and signed by it; P-256 only, its point uncompressed, as certificates are made of it. */
export async function requestedKey(signingRequest: string): Promise<KeyObject | undefined> {
  if (signingRequest.length > MAX_REQUEST) return undefined;
  const x509 = await library();
  try {
    const request = new x509.Pkcs10CertificateRequest(signingRequest);
    if (!(await request.verify())) return undefined;
    const key = KeyObject.from(await request.publicKey.export(SIGNING, ["verify"]));
    return isPlain(key) ? key : undefined;
  } catch {
    // Not a request at all, or of another kind of key: the caller refuses it.
    return undefined;
  }
}

function isPlain(key: KeyObject): boolean {
  const der = key.export({ format: "der", type: "spki" });
  return der.length === KEY_BYTES && der.subarray(0, KEY_HEAD.length).equals(KEY_HEAD);
}

async function loaded(privateKey: string) {
  const x509 = await library();
  const jwk = createPrivateKey(privateKey).export({ format: "jwk" });
  const { d: _, ...open } = jwk;
  const [own, shown] = await Promise.all([
    crypto.subtle.importKey("jwk", jwk, SIGNING, true, ["sign"]),
    crypto.subtle.importKey("jwk", open, SIGNING, true, ["verify"]),
  ]);
  return { x509, keys: { privateKey: own, publicKey: shown } };
}

async function library() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(crypto);
  return x509;
}

/** The library's PEM lacks the last newline. */
function withEnd(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
