/**
 * The cluster's certificate authority, which every peer makes anew from the root: same key, same subject, no other node needed.
 *
 * Invariants: leaves of any peer verify under the CA certificate of any other, because they name the issuer's key id and never a
 * CA certificate's serial; trust is the hash of the CA's public key, not one certificate's. Dates start an hour in the past
 * for clocks that differ. The X.509 library is heavy, so it is loaded for certificate requests only.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { isDnsName } from "../values/dns-name.ts";
import type { Role } from "../values/role.ts";
import { signedCertificate } from "./certificate.ts";
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

const ORGANIZATION = "Hansa";
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
  const issuerKey = createPublicKey({ format: "jwk", key: publicJwk(root) });
  const signingKey = createPrivateKey({ format: "jwk", key: privateJwk(root) });
  const issuer = { commonName: cluster, organization: ORGANIZATION };
  const ca = signedCertificate(
    {
      ...{ ...dates(CA_DAYS), subject: issuer, issuer, publicKey: issuerKey, issuerKey },
      ...{ use: "authority", names: [], addresses: [] },
    },
    signingKey,
  );
  const issue = (publicKey: KeyObject, request: LeafRequest): string => {
    const { name, names, addresses, role, serial, days = LEAF_DAYS } = request;
    const isServer = role === undefined || role === "node";
    const subject = { commonName: name, organization: ORGANIZATION, unit: role };
    return signedCertificate(
      {
        ...{ ...dates(days), serial, subject, issuer, publicKey, issuerKey },
        use: isServer ? "both" : "client",
        names: [...new Set(names)].filter(isDnsName),
        addresses: [...new Set(addresses)],
      },
      signingKey,
    );
  };
  return {
    certificate: ca,
    publicKeyHash: caPublicKeyHash(root),
    async mint(request) {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const pem = `${privateKey.export({ format: "pem", type: "pkcs8" })}`;
      return { certificate: issue(publicKey, request), privateKey: pem, ca };
    },
    async certify(signingRequest, request) {
      const key = await requestedKey(signingRequest);
      return key && issue(key, request);
    },
  };
}

function publicJwk(root: Uint8Array): { kty: string; crv: string; x: string; y: string } {
  const { x, y } = caKey(root);
  return { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) };
}

function privateJwk(root: Uint8Array): ReturnType<typeof publicJwk> & { d: string } {
  return { ...publicJwk(root), d: base64url(caKey(root).privateKey) };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
