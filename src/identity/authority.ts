/**
 * The cluster's certificate authority, which every peer makes anew from the root: same key, same subject, no other node needed.
 *
 * Invariants: leaves of any peer verify under the CA certificate of any other, because they name the issuer's key id and never a
 * CA certificate's serial; trust is the hash of the CA's public key, not one certificate's. Dates start an hour in the past
 * for clocks that differ. The X.509 library is heavy, so it is loaded at the first use.
 */
import { createHash, createPublicKey, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { isDnsName } from "../values/dns-name.ts";
import type { Role } from "../values/role.ts";
import { caKey } from "./derived-keys.ts";
import { requestedKey } from "./signing-request.ts";

/** A certificate with its private key and issuer, PEM with trailing newlines: ready for node:tls, etcd or a file. */
export interface Leaf {
  readonly certificate: string;
  readonly privateKey: string;
  readonly ca: string;
}

export interface LeafRequest {
  /** The subject. */
  readonly name: string;
  /** The DNS names that it is valid for, best first; a text that is none is left out. */
  readonly names: readonly string[];
  /** IPv4 and IPv6 literals under which the node is reached. */
  readonly addresses: readonly string[];
  /**
   * What its holder may do over the API; absent: nothing there. With another one than `node` it serves nobody: it has no names but its
   * subject's, and is for clients only, so that who holds it cannot pass for a node.
   */
  readonly role?: Role;
  /** How long it is good, default 365 days. */
  readonly days?: number;
  /** Lower-case hex, positive; default: random. */
  readonly serial?: string;
}

export interface Authority {
  /** The CA's certificate as this peer made it, PEM. */
  readonly certificate: string;
  /** What others pin: see `caPublicKeyHash`. */
  readonly publicKeyHash: string;
  /** A leaf with a fresh P-256 key, good for server and client, valid for a year unless the authority's dates say otherwise. */
  mint(request: LeafRequest): Promise<Leaf>;
  /**
   * The same for the key of a certificate request (PKCS #10, PEM), whose private part stays where it is: what the request itself wishes for is not looked at. PEM.
   * Undefined for a text that is no request, or is not signed by the key that it names.
   */
  certify(signingRequest: string, request: LeafRequest): Promise<string | undefined>;
}

/** From when until when a certificate that is to live for `days` is good. */
export type Validity = (days: number) => { readonly notBefore: Date; readonly notAfter: Date };

/** From an hour ago, by the wall clock `nowMs`. */
export function fromNow(nowMs: () => number = Date.now): Validity {
  return (days) => ({
    notBefore: new Date(nowMs() - BACKDATE_MS),
    notAfter: new Date(nowMs() + days * DAY_MS),
  });
}

/** Whatever a clock shows: for certificates that live in a process's memory only. 9999 is X.509's "without end" (RFC 5280, section 4.1.2.5). */
export const ALWAYS: Validity = () => ({
  notBefore: new Date(0),
  notAfter: new Date("9999-12-31T23:59:59Z"),
});

const SIGNING = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const BACKDATE_MS = 3600_000;
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** Browsers refuse leaves of more than 398 days. */
const LEAF_DAYS = 365;

/** "sha256:" and the hex SHA-256 of the CA's public key (DER SubjectPublicKeyInfo), from the root alone. */
export function caPublicKeyHash(root: Uint8Array): string {
  const key = createPublicKey({ format: "jwk", key: publicJwk(root) });
  const der = key.export({ format: "der", type: "spki" });
  return `sha256:${createHash("sha256").update(der).digest("hex")}`;
}

/** The authority of the cluster named `cluster` under `root`; `dates` are those of its own certificate and of all that it signs. */
export async function createAuthority(
  root: Uint8Array,
  cluster: string,
  dates: Validity = fromNow(),
): Promise<Authority> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(crypto);
  const publicKey = await importKey(publicJwk(root), "verify");
  const signingKey = await importKey(privateJwk(root), "sign");
  const subject = [{ CN: [cluster] }, { O: ["Hansa"] }];
  const own = await x509.X509CertificateGenerator.create({
    ...dates(CA_DAYS),
    serialNumber: serialNumber(),
    subject,
    issuer: subject,
    publicKey,
    signingKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  const ca = pem(own.toString("pem"));
  const issue = async (key: CryptoKey, request: LeafRequest): Promise<string> => {
    const isServer = request.role === undefined || request.role === "node";
    const certificate = await x509.X509CertificateGenerator.create({
      ...dates(request.days ?? LEAF_DAYS),
      serialNumber: request.serial ?? serialNumber(),
      subject: [
        { CN: [request.name] },
        { O: ["Hansa"] },
        ...(request.role === undefined ? [] : [{ OU: [request.role] }]),
      ],
      issuer: subject,
      publicKey: key,
      signingKey,
      signingAlgorithm: SIGNING,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.clientAuth,
          ...(isServer ? [x509.ExtendedKeyUsage.serverAuth] : []),
        ]),
        ...(isServer ? [new x509.SubjectAlternativeNameExtension(alternativeNames(request))] : []),
        await x509.SubjectKeyIdentifierExtension.create(key),
        // By key id only: issuer and serial would tie the leaf to one peer's CA certificate.
        await x509.AuthorityKeyIdentifierExtension.create(publicKey),
      ],
    });
    return pem(certificate.toString("pem"));
  };
  return {
    certificate: ca,
    publicKeyHash: caPublicKeyHash(root),
    async mint(request) {
      const keys = await crypto.subtle.generateKey(SIGNING, true, ["sign", "verify"]);
      const certificate = await issue(keys.publicKey, request);
      const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
      const privateKey = pem(x509.PemConverter.encode(pkcs8, "PRIVATE KEY"));
      return { certificate, privateKey, ca };
    },
    async certify(signingRequest, request) {
      const key = await requestedKey(signingRequest);
      return key && (await issue(key, request));
    },
  };
}

function alternativeNames(request: LeafRequest): { type: "dns" | "ip"; value: string }[] {
  const names = [...new Set(request.names)].filter(isDnsName);
  const addresses = [...new Set(request.addresses)].filter((address) => isIP(address) !== 0);
  return [
    ...names.map((value) => ({ type: "dns" as const, value })),
    ...addresses.map((value) => ({ type: "ip" as const, value })),
  ];
}

/** 16 random bytes, the first bit clear: serials are positive (RFC 5280). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

/** The library's PEM lacks the last newline, and two such texts joined are no PEM. */
function pem(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function publicJwk(root: Uint8Array): { kty: string; crv: string; x: string; y: string } {
  const { x, y } = caKey(root);
  return { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) };
}

function privateJwk(root: Uint8Array): ReturnType<typeof publicJwk> & { d: string } {
  return { ...publicJwk(root), d: base64url(caKey(root).privateKey) };
}

function importKey(jwk: ReturnType<typeof publicJwk>, use: "sign" | "verify") {
  return crypto.subtle.importKey("jwk", jwk, SIGNING, true, [use]);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
