/**
 * The cluster's roots on their way to a node that joins by a context: sealed for a key that the joiner made for this once, and a proof that the
 * joiner holds the node key it names.
 *
 * Invariants: the roots are readable by who has the one-time private key and by nobody else, also where the connection that carries them is
 * read; a seal is good for the node key and the id that it was made for, and for no other. X25519, HKDF-SHA256, AES-256-GCM; Ed25519. What
 * is random comes in by parameters.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { HansaError } from "../errors.ts";
import type { NodeId } from "../values/node-id.ts";
import type { RootEntry } from "./identity.ts";
import { isKeyText, type KeyPair } from "./node-key.ts";

/** What a joiner is given of a cluster's secrets. */
export interface JoinSecrets {
  readonly roots: readonly RootEntry[];
  /** The cluster's token where Hansa made it. */
  readonly token?: string;
}

export interface SealedRoots {
  /** The sealer's own one-time key, X25519, base64 of 32 bytes. */
  readonly publicKey: string;
  /** Nonce, ciphertext and tag, base64. */
  readonly box: string;
}

/** Whom a seal is for. */
export interface Joiner {
  /** Ed25519, base64 of 32 bytes. */
  readonly nodeKey: string;
  /** X25519, base64 of 32 bytes. */
  readonly oneTimeKey: string;
  readonly id: NodeId;
}

const CIPHER = "aes-256-gcm";
export const SEAL_NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_BOX_TEXT = 65_536;
const MAX_ROOTS = 64;

/** A key for one exchange, X25519. */
export function createOneTimeKey(): KeyPair {
  const { d = "", x = "" } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  return { privateKey: standard(d), publicKey: standard(x) };
}

/** The joiner's signature over its name and its one-time key, base64: a recorded one is of use only to who has that key. */
export function proveNodeKey(nodeKey: KeyPair, oneTimeKey: string, name: string): string {
  const key = privateKeyOf("Ed25519", nodeKey);
  return sign(null, proofText(oneTimeKey, name), key).toString("base64");
}

/** True when who signed holds the private half of `nodeKey`. Never throws. */
export function isNodeKeyProven(
  nodeKey: string,
  oneTimeKey: string,
  name: string,
  proof: string,
): boolean {
  if (!isKeyText(nodeKey) || !isKeyText(oneTimeKey)) return false;
  const key = publicKeyOf("Ed25519", nodeKey);
  return verify(null, proofText(oneTimeKey, name), key, Buffer.from(proof, "base64"));
}

/** `sealer` and `nonce` must be fresh, never used before. Throws USAGE for a one-time key that is none. */
export function sealRoots(
  secrets: JoinSecrets,
  joiner: Joiner,
  sealer: KeyPair,
  nonce: Uint8Array,
): SealedRoots {
  const secret = agree(privateKeyOf("X25519", sealer), joiner.oneTimeKey);
  const key = boxKey(secret, sealer.publicKey, joiner.oneTimeKey);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(joiner));
  const roots = secrets.roots.map(({ root, since }) => ({
    root: Buffer.from(root).toString("base64"),
    since,
  }));
  const text = JSON.stringify({ ...secrets, roots });
  const box = Buffer.concat([
    nonce,
    cipher.update(text, "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return { publicKey: sealer.publicKey, box: box.toString("base64") };
}

/** Opens what was sealed for `joiner`. Throws API_ANSWER_INVALID in one sentence, whatever was changed. */
export function openRoots(sealed: SealedRoots, joiner: Joiner, oneTime: KeyPair): JoinSecrets {
  const bytes = Buffer.from(sealed.box.slice(0, MAX_BOX_TEXT), "base64");
  try {
    const secret = agree(privateKeyOf("X25519", oneTime), sealed.publicKey);
    const key = boxKey(secret, sealed.publicKey, joiner.oneTimeKey);
    const nonce = bytes.subarray(0, SEAL_NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(joiner));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const body = decipher.update(bytes.subarray(SEAL_NONCE_BYTES, -TAG_BYTES));
    const secrets = parseSecrets(JSON.parse(`${body}${decipher.final("utf8")}`));
    if (secrets !== undefined) return secrets;
  } catch (cause) {
    throw new HansaError("API_ANSWER_INVALID", "the cluster's keys were not sealed for this host", {
      cause,
    });
  }
  throw new HansaError("API_ANSWER_INVALID", "what the cluster sealed for this host are no keys");
}

function parseSecrets(value: unknown): JoinSecrets | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { roots, token } = value as Record<string, unknown>;
  if (!Array.isArray(roots) || roots.length === 0 || roots.length > MAX_ROOTS) return undefined;
  const entries: RootEntry[] = [];
  for (const entry of roots as unknown[]) {
    const { root, since } = (entry ?? {}) as Record<string, unknown>;
    if (!isKeyText(root) || typeof since !== "string" || since.length > 40) return undefined;
    entries.push({ root: new Uint8Array(Buffer.from(root, "base64")), since });
  }
  if (token === undefined) return { roots: entries };
  return typeof token === "string" && token !== "" ? { roots: entries, token } : undefined;
}

/** Throws USAGE: OpenSSL refuses points that make every secret the same. */
function agree(own: KeyObject, theirs: string): Buffer {
  try {
    return diffieHellman({ privateKey: own, publicKey: publicKeyOf("X25519", theirs) });
  } catch (cause) {
    throw new HansaError("USAGE", "the one-time key is no X25519 key", { cause });
  }
}

function boxKey(secret: Uint8Array, sealerKey: string, oneTimeKey: string): Buffer {
  const salt = Buffer.from(sealerKey + oneTimeKey, "ascii");
  return Buffer.from(hkdfSync("sha256", secret, salt, "hansa v1 join", 32));
}

function boundTo({ nodeKey, id }: Joiner): Buffer {
  return Buffer.from(`hansa v1 join\0${nodeKey}\0${id}`, "utf8");
}

function proofText(oneTimeKey: string, name: string): Buffer {
  return Buffer.from(`hansa v1 join proof\0${oneTimeKey}\0${name}`, "utf8");
}

function privateKeyOf(curve: "Ed25519" | "X25519", pair: KeyPair): KeyObject {
  const [d, x] = [urlSafe(pair.privateKey), urlSafe(pair.publicKey)];
  return createPrivateKey({ format: "jwk", key: { kty: "OKP", crv: curve, d, x } });
}

function publicKeyOf(curve: "Ed25519" | "X25519", key: string): KeyObject {
  return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: curve, x: urlSafe(key) } });
}

function standard(text: string): string {
  return Buffer.from(text, "base64url").toString("base64");
}

function urlSafe(text: string): string {
  return Buffer.from(text, "base64").toString("base64url");
}
