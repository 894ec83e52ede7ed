/**
 * The first message of WireGuard's handshake (Noise IKpsk2), written by us from a key that only asks: a real WireGuard on the other
 * side answers it, so the answer proves that its port is open to us. No tunnel comes of it.
 *
 * Pure: keys, index and time come in. Source: the WireGuard paper, sections 5.4.2 and 5.4.4 (wireguard.com/papers/wireguard.pdf).
 */
import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import { blake2sMac } from "./blake2s.ts";

export const INITIATION_BYTES = 148;
const RESPONSE_BYTES = 92;
const COOKIE_BYTES = 64;
/** International atomic time is ahead of 1970's clock by this, in the form of TAI64. */
const TAI64_EPOCH = 2n ** 62n + 10n;
/** DER of an X25519 private and public key up to the 32 bytes (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b656e032100", "hex");

export interface InitiationRequest {
  /** The asker's X25519 private key, 32 bytes, and a fresh one for this message alone. */
  readonly privateKey: Uint8Array;
  readonly ephemeralKey: Uint8Array;
  /** The public key of the WireGuard asked, 32 bytes. */
  readonly peerKey: Uint8Array;
  /** 32 random bits, by which the answer is known again. */
  readonly index: number;
  /** Wall clock; a WireGuard answers only messages younger than the last from the same key. */
  readonly wallMs: number;
}

/** The datagram to send to the peer's WireGuard port. */
export function handshakeInitiation(request: InitiationRequest): Uint8Array {
  const own = privateKeyOf(request.privateKey);
  const ephemeral = privateKeyOf(request.ephemeralKey);
  const peer = publicKeyOf(request.peerKey);
  const message = Buffer.alloc(INITIATION_BYTES);
  message[0] = 1;
  message.writeUInt32LE(request.index >>> 0, 4);
  let chain = hash(Buffer.from("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"));
  let seen = hash(chain, Buffer.from("WireGuard v1 zx2c4 Jason@zx2c4.com"));
  seen = hash(seen, request.peerKey);
  const ephemeralPublic = rawPublicKey(ephemeral);
  message.set(ephemeralPublic, 8);
  seen = hash(seen, ephemeralPublic);
  [chain] = derive(chain, ephemeralPublic);
  let key: Buffer;
  [chain, key] = derive(chain, diffieHellman({ privateKey: ephemeral, publicKey: peer }));
  const sealedKey = seal(key, rawPublicKey(own), seen);
  message.set(sealedKey, 40);
  seen = hash(seen, sealedKey);
  [chain, key] = derive(chain, diffieHellman({ privateKey: own, publicKey: peer }));
  message.set(seal(key, timestamp(request.wallMs), seen), 88);
  const macKey = hash(Buffer.from("mac1----"), request.peerKey);
  message.set(blake2sMac(macKey, message.subarray(0, 116)), 116);
  return message;
}

/** The index that `bytes`, a datagram from a WireGuard, answers; undefined when it is no answer to an initiation. */
export function answeredIndex(bytes: Uint8Array): number | undefined {
  const isResponse = bytes.length === RESPONSE_BYTES && bytes[0] === 2;
  // A WireGuard under load asks for a cookie first: it was reached all the same.
  const isCookie = bytes.length === COOKIE_BYTES && bytes[0] === 3;
  if (!isResponse && !isCookie) return undefined;
  if (bytes[1] !== 0 || bytes[2] !== 0 || bytes[3] !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(isResponse ? 8 : 4, true);
}

/** The public key of an X25519 private key, 32 bytes each. */
export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  return rawPublicKey(privateKeyOf(privateKey));
}

function privateKeyOf(bytes: Uint8Array): KeyObject {
  const key = Buffer.concat([PRIVATE_PREFIX, bytes]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

function publicKeyOf(bytes: Uint8Array): KeyObject {
  const key = Buffer.concat([PUBLIC_PREFIX, bytes]);
  return createPublicKey({ key, format: "der", type: "spki" });
}

function rawPublicKey(key: KeyObject): Uint8Array {
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(PUBLIC_PREFIX.length));
}

function hash(...parts: readonly Uint8Array[]): Buffer {
  const digest = createHash("blake2s256");
  for (const part of parts) digest.update(part);
  return digest.digest();
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const digest = createHmac("blake2s256", key);
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** The next chaining key and a key for one message (HKDF with two outputs). */
function derive(chain: Uint8Array, input: Uint8Array): [chain: Buffer, key: Buffer] {
  const secret = hmac(chain, input);
  const first = hmac(secret, Uint8Array.of(1));
  return [first, hmac(secret, first, Uint8Array.of(2))];
}

/** ChaCha20-Poly1305 with the nonce 0: each key seals one message. */
function seal(key: Uint8Array, text: Uint8Array, seen: Uint8Array): Buffer {
  const cipher = createCipheriv("chacha20-poly1305", key, Buffer.alloc(12), { authTagLength: 16 });
  cipher.setAAD(seen, { plaintextLength: text.length });
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** TAI64N, 12 bytes. */
function timestamp(wallMs: number): Uint8Array {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(TAI64_EPOCH + BigInt(Math.floor(wallMs / 1000)), 0);
  bytes.writeUInt32BE(Math.floor(wallMs % 1000) * 1_000_000, 8);
  return bytes;
}
