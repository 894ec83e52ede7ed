/**
 * AES-GCM as memberlist frames it: [version][nonce 12][ciphertext][tag 16].
 *
 * The first key encrypts, all decrypt, so that keys can be rolled. Version 1 is written; version 0 (PKCS7 padding, protocol 1)
 * is read too. Invariant: the nonce comes from the caller and is random, never a counter, because all nodes share the key. Two of
 * n messages under a key share a nonce with probability n²/2^97: a thousand a second reach 2^-27 in a year. Rolling the key ends it.
 */
import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
} from "node:crypto";

export const NONCE_SIZE = 12;
const TAG_SIZE = 16;
/** Bytes that encryption adds to a message. */
export const ENCRYPTION_OVERHEAD = 1 + NONCE_SIZE + TAG_SIZE;

interface Key {
  readonly algorithm: CipherGCMTypes;
  readonly secret: KeyObject;
}

/** One key or more; the first encrypts. */
export interface Keyring {
  readonly keys: readonly [Key, ...Key[]];
}

/** The keyring of raw keys of 16, 24 or 32 bytes. Throws RangeError for another size or none at all. */
export function makeKeyring(rawKeys: readonly Uint8Array[]): Keyring {
  const [first, ...others] = rawKeys.map(makeKey);
  if (first === undefined) throw new RangeError("a keyring needs a key");
  return { keys: [first, ...others] };
}

function makeKey(raw: Uint8Array): Key {
  if (raw.length !== 16 && raw.length !== 24 && raw.length !== 32) {
    throw new RangeError(`a key has 16, 24 or 32 bytes, not ${raw.length}`);
  }
  return {
    algorithm:
      raw.length === 16 ? "aes-128-gcm" : raw.length === 24 ? "aes-192-gcm" : "aes-256-gcm",
    secret: createSecretKey(raw),
  };
}

const TAG_OPTION = { authTagLength: TAG_SIZE };
const NOTHING = new Uint8Array(0);

/**
 * `plain` encrypted with the first key, `aad` authenticated along. `nonce` has 12 random bytes. `before` are bytes in clear that the
 * result begins with.
 */
export function seal(
  keyring: Keyring,
  plain: Uint8Array,
  aad: Uint8Array,
  nonce: Uint8Array,
  before: Uint8Array = NOTHING,
): Uint8Array {
  const { algorithm, secret } = keyring.keys[0];
  const cipher = createCipheriv(algorithm, secret, nonce, TAG_OPTION);
  if (aad.length > 0) cipher.setAAD(aad);
  const body = cipher.update(plain);
  cipher.final();
  const sealed = Buffer.allocUnsafe(before.length + ENCRYPTION_OVERHEAD + body.length);
  sealed.set(before);
  sealed[before.length] = 1;
  sealed.set(nonce, before.length + 1);
  sealed.set(body, before.length + 1 + NONCE_SIZE);
  sealed.set(cipher.getAuthTag(), sealed.length - TAG_SIZE);
  return sealed;
}

/** What was sealed, or undefined when no key opens it, or it is not of this form. */
export function open(
  keyring: Keyring,
  sealed: Uint8Array,
  aad: Uint8Array,
): Uint8Array | undefined {
  const version = sealed[0];
  if (sealed.length < ENCRYPTION_OVERHEAD || (version !== 0 && version !== 1)) return undefined;
  for (const key of keyring.keys) {
    const plain = openWith(key, sealed, aad);
    if (plain !== undefined) return version === 0 ? withoutPadding(plain) : plain;
  }
  return undefined;
}

function openWith(key: Key, sealed: Uint8Array, aad: Uint8Array): Uint8Array | undefined {
  const end = sealed.length - TAG_SIZE;
  const nonce = sealed.subarray(1, 1 + NONCE_SIZE);
  const decipher = createDecipheriv(key.algorithm, key.secret, nonce, TAG_OPTION);
  if (aad.length > 0) decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(1 + NONCE_SIZE, end));
  try {
    decipher.final();
  } catch {
    // final() throws for one reason only: the tag does not fit. That is an expected answer here, not a failure.
    return undefined;
  }
  return plain;
}

/** Without the PKCS7 padding to 16 bytes. */
function withoutPadding(plain: Uint8Array): Uint8Array | undefined {
  const padding = plain.at(-1) ?? 0;
  if (padding < 1 || padding > 16 || padding > plain.length) return undefined;
  return plain.subarray(0, plain.length - padding);
}
