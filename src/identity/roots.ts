/**
 * From the cluster's token to its root: the 32 secret bytes from which every other key of the cluster is derived.
 *
 * Invariant: the only way from a token to a root is scrypt at this one strength, so nothing that an outsider sees can be
 * tested against guessed tokens more cheaply than one full derivation each.
 */
import { scrypt } from "node:crypto";
import { HansaError } from "../errors.ts";

/** Cost of one derivation: about 0.3 s and 128 MiB on a 2020s server core. Part of the wire format: never change it. */
export const SCRYPT_COST = { N: 2 ** 17, r: 8, p: 1 } as const;

/** Seconds that one guess at a token costs, for messages to people. */
export const GUESS_SECONDS = 0.3;

export const ROOT_BYTES = 32;

const CLUSTER_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** True for 1 to 63 letters, digits, dots, hyphens and underscores that begin and end with a letter or digit. */
export function isClusterName(text: string): boolean {
  return CLUSTER_NAME.test(text);
}

/**
 * The root of the cluster `cluster` under `token`: scrypt, salted with the name, off the main thread.
 *
 * The token is taken in Unicode form NFC, so that it does not depend on the keyboard it was typed on. Throws USAGE for
 * an empty token or a malformed name; the token is in no error text. The caller keeps the root secret.
 */
export async function deriveRoot(token: string, cluster: string): Promise<Uint8Array> {
  if (token.length === 0) throw new HansaError("USAGE", "the token is empty");
  if (!isClusterName(cluster)) {
    throw new HansaError("USAGE", `invalid cluster name: ${JSON.stringify(cluster.slice(0, 80))}`, {
      hint: "use 1 to 63 letters, digits, dots, hyphens and underscores",
    });
  }
  const { N, r } = SCRYPT_COST;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const salt = `hansa root v1\0${cluster}`;
  // Node's own limit stops at N = 2^14; scrypt needs 128·N·r bytes and a little more.
  const options = { ...SCRYPT_COST, maxmem: 130 * N * r };
  scrypt(token.normalize("NFC"), salt, ROOT_BYTES, options, (error, key) => {
    if (error) reject(error);
    else resolve(new Uint8Array(key));
  });
  return promise;
}
