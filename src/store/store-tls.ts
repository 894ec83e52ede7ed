/**
 * TLS of the store: between voters, and between a voter's etcd and this node's daemon.
 *
 * Invariants: the authority is derived from the root under a purpose of its own, so that no certificate for the API opens the store, nor the other way
 * round; whoever has the root can make one, nobody else. All roots are trusted, the first signs. The certificates have no dates: a voter that
 * was off for a year, or whose clock is wrong, must find its way back, and each start of a daemon makes new ones.
 */
import { ALWAYS, createAuthority } from "../identity/authority.ts";
import { gossipLabel, storeRoot } from "../identity/derived-keys.ts";

export interface StoreTls {
  readonly key: string;
  readonly cert: string;
  /** Of each root; PEM. */
  readonly ca: readonly string[];
}

/** For the voter with these addresses; loopback is always among them. Loads the X.509 library. */
export async function storeTls(
  roots: readonly Uint8Array[],
  addresses: readonly string[],
): Promise<StoreTls> {
  const authorities = await Promise.all(
    roots.map((root) => createAuthority(storeRoot(root), gossipLabel(root), ALWAYS)),
  );
  const [signer] = authorities;
  if (signer === undefined) throw new RangeError("an identity has at least one root");
  const leaf = await signer.mint({
    ...{ name: "store", names: ["localhost"], addresses: ["127.0.0.1", ...addresses] },
  });
  return {
    key: leaf.privateKey,
    cert: leaf.certificate,
    ca: authorities.map(({ certificate }) => certificate),
  };
}
