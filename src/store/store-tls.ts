/**
 * TLS of the store: between voters, and between a voter's etcd and this node's daemon.
 *
 * Invariants: the authority is derived from the root under a purpose of its own, so that no certificate for the API opens the store, nor the other way
 * round; whoever has the root can make one, nobody else. All roots are trusted, the first signs. The certificates have no dates: a voter that
 * was off for a year, or whose clock is wrong, must find its way back, and each start of a daemon makes new ones.
 */
import { ALWAYS, type Authority, createAuthority } from "../identity/authority.ts";
import { gossipLabel, storeRoot } from "../identity/derived-keys.ts";

export interface StoreTls {
  readonly key: string;
  readonly cert: string;
  /** Of each root; PEM. */
  readonly ca: readonly string[];
}

/**
 * For the voter with these addresses; loopback is always among them. With the role `node` it is what a node shows to the witness, which is let in by no other.
 */
export async function storeTls(
  roots: readonly Uint8Array[],
  addresses: readonly string[],
  role?: "node",
): Promise<StoreTls> {
  const authorities = await authoritiesOf(roots);
  const leaf = await authorities[0].mint({
    ...{ name: "store", names: ["localhost"], addresses: ["127.0.0.1", ...addresses] },
    ...(role && { role }),
  });
  return {
    key: leaf.privateKey,
    cert: leaf.certificate,
    ca: authorities.map(({ certificate }) => certificate),
  };
}

/** What a voter without the root gets for its request: it is reached on loopback only. `certificate` is undefined for a text that is no request. */
export async function certifyVoter(
  roots: readonly Uint8Array[],
  signingRequest: string,
): Promise<{ readonly certificate: string | undefined; readonly ca: readonly string[] }> {
  const authorities = await authoritiesOf(roots);
  const certificate = await authorities[0].certify(signingRequest, {
    ...{ name: "witness", names: ["localhost"], addresses: ["127.0.0.1"] },
  });
  return { certificate, ca: authorities.map((authority) => authority.certificate) };
}

async function authoritiesOf(roots: readonly Uint8Array[]): Promise<[Authority, ...Authority[]]> {
  const [first, ...rest] = await Promise.all(
    roots.map((root) => createAuthority(storeRoot(root), gossipLabel(root), ALWAYS)),
  );
  if (first === undefined) throw new RangeError("an identity has at least one root");
  return [first, ...rest];
}
