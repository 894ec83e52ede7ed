/**
 * Keys of a cluster, derived from its root by HKDF-SHA256 (RFC 5869), each under a purpose of its own.
 *
 * Invariant: pure and the same on every peer; knowing one derived key tells nothing about the root or another key.
 */
import { createECDH, hkdfSync } from "node:crypto";

/** The order n of the group P-256 (FIPS 186-5, SEC 2). */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** A P-256 key pair as raw numbers: `privateKey` 32 bytes, `x` and `y` 32 bytes each. */
export interface P256Key {
  readonly privateKey: Uint8Array;
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

/** The AES-256-GCM key of gossip: 32 bytes. */
export function gossipKey(root: Uint8Array): Uint8Array {
  return expand(root, "gossip key", 32);
}

/**
 * The label that travels in clear before each gossip packet: 16 hex digits.
 *
 * It keeps clusters on one network apart without showing the cluster's name; testing a guessed token against it costs
 * a whole derivation of the root.
 */
export function gossipLabel(root: Uint8Array): string {
  return Buffer.from(expand(root, "label", 8)).toString("hex");
}

/**
 * The private and public key of the cluster's CA.
 *
 * 48 bytes reduced mod n-1, plus 1 (FIPS 186-5, A.2.1: the 16 surplus bytes make the bias negligible), so that
 * every root has a valid key.
 */
export function caKey(root: Uint8Array): P256Key {
  const wide = BigInt(`0x${Buffer.from(expand(root, "ca key", 48)).toString("hex")}`);
  const scalar = (wide % (P256_ORDER - 1n)) + 1n;
  const privateKey = Buffer.from(scalar.toString(16).padStart(64, "0"), "hex");
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(privateKey);
  const point = curve.getPublicKey();
  return {
    privateKey: new Uint8Array(privateKey),
    x: new Uint8Array(point.subarray(1, 33)),
    y: new Uint8Array(point.subarray(33, 65)),
  };
}

/**
 * The WireGuard pre-shared key of two nodes, as base64 of 32 bytes: the same in whichever order their public keys are given.
 *
 * Both keys are WireGuard's base64 of 32 bytes.
 */
export function pairKey(root: Uint8Array, keyA: string, keyB: string): string {
  const [low = "", high = ""] = [keyA, keyB].sort();
  return Buffer.from(expand(root, `pair key\0${low}\0${high}`, 32)).toString("base64");
}

/**
 * The private key, X25519 and 32 bytes, with which the node of the WireGuard public key `wireguardKey` asks other nodes' tunnels whether they
 * can be reached directly. Every peer can derive it, so that it knows whose question to answer.
 */
export function askingKey(root: Uint8Array, wireguardKey: string): Uint8Array {
  return expand(root, `asking key\0${wireguardKey}`, 32);
}

/**
 * The root of the store's own authority: 32 bytes. Apart from the cluster's, so that a certificate that the cluster made for a person, a program or a node's
 * API is worth nothing to etcd, which lets everybody in whom its authority signed.
 */
export function storeRoot(root: Uint8Array): Uint8Array {
  return expand(root, "store root", 32);
}

function expand(root: Uint8Array, purpose: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", root, "", `hansa v1 ${purpose}`, bytes));
}
