/**
 * The keys that make a node itself, made once at launch: Ed25519 (its identity) and X25519 (its WireGuard key).
 *
 * Invariant: they are random, belong to one installation and never leave its disk; a node's address is never its identity.
 */
import { createHash, generateKeyPairSync } from "node:crypto";

/** Both halves as base64 of 32 bytes; for Ed25519 the private half is the seed of RFC 8032. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** A new Ed25519 key pair: the node's identity. */
export function createNodeKey(): KeyPair {
  return fromJwk(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }));
}

/** A new WireGuard key pair, the private half clamped as `wg genkey` does (RFC 7748), so that `wg show` prints the same text. */
export function createWireguardKey(): KeyPair {
  const pair = fromJwk(generateKeyPairSync("x25519").privateKey.export({ format: "jwk" }));
  const scalar = Buffer.from(pair.privateKey, "base64");
  scalar[0] = (scalar[0] ?? 0) & 248;
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64;
  return { privateKey: scalar.toString("base64"), publicKey: pair.publicKey };
}

/** The first 8 hex digits of SHA-256 over a node's public key: what tells twins of one id apart. */
export function fingerprint(publicKey: string): string {
  const digest = createHash("sha256").update(Buffer.from(publicKey, "base64")).digest("hex");
  return digest.slice(0, 8);
}

/** True for base64 of exactly 32 bytes in its one canonical spelling. */
export function isKeyText(value: unknown): value is string {
  if (typeof value !== "string" || value.length !== 44) return false;
  const bytes = Buffer.from(value, "base64");
  return bytes.length === 32 && bytes.toString("base64") === value;
}

function fromJwk(jwk: { readonly d?: string; readonly x?: string }): KeyPair {
  const standard = (text = ""): string => Buffer.from(text, "base64url").toString("base64");
  return { privateKey: standard(jwk.d), publicKey: standard(jwk.x) };
}
