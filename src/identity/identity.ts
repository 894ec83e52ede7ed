/**
 * Who a node is and which cluster it belongs to: a list of roots, its own keys, and what the daemon derives from them.
 *
 * Invariant: a token that a person chose is not part of it and cannot be had from it; one that Hansa made is, being worth no more than the root
 * beside it. The first root is the one in force, those after it are still accepted while a `rekey` goes through the cluster.
 */
import { timingSafeEqual } from "node:crypto";
import type { NodeId } from "../values/node-id.ts";
import { askingKey, gossipKey, gossipLabel, pairKey } from "./derived-keys.ts";
import { createNodeKey, createWireguardKey, fingerprint, type KeyPair } from "./node-key.ts";
import { deriveRoot } from "./roots.ts";

/** A root and when this node got it (ISO 8601, UTC). */
export interface RootEntry {
  readonly root: Uint8Array;
  readonly since: string;
}

/** All that a node must keep secret, as it lies in identity.json. */
export interface Identity {
  /** At least one; the first is in force. */
  readonly roots: readonly RootEntry[];
  readonly nodeKey: KeyPair;
  readonly wireguard: KeyPair;
  /** How often this installation had to give way to a twin of its id; with the key it decides which twin is the node. */
  readonly binding: number;
  /** The cluster's token, where Hansa made it: then nobody else knows it, and more nodes may be launched with it. */
  readonly token?: string;
}

/** What the daemon works with; see `identityKeys`. */
export interface IdentityKeys {
  /** 32 bytes each, the one to encrypt with first; all are accepted. */
  readonly gossipKeys: Uint8Array[];
  /** The label in force: 16 hex digits. */
  readonly label: string;
  /** 8 hex digits of the node key. */
  readonly fingerprint: string;
  readonly wireguard: KeyPair;
  /** The name of the member with that id on this installation: `<id>-<fingerprint>`. */
  memberName(id: NodeId): string;
  /** The WireGuard pre-shared key with the node of that public key: base64 of 32 bytes, the same on both sides. */
  pairKey(otherPublicKey: string): string;
  /** The private key, 32 bytes, with which the node of that WireGuard public key asks others' tunnels. */
  askingKey(publicKey: string): Uint8Array;
}

export interface Credentials {
  readonly token: string;
  readonly cluster: string;
}

/** A new identity: one derivation of the root (0.3 s, off the main thread) and fresh keys. Writes nothing. Throws USAGE as deriveRoot does. */
export async function createIdentity(
  credentials: Credentials,
  since: Date = new Date(),
): Promise<Identity> {
  const root = await deriveRoot(credentials.token, credentials.cluster);
  return {
    roots: [{ root, since: since.toISOString() }],
    nodeKey: createNodeKey(),
    wireguard: createWireguardKey(),
    binding: 0,
  };
}

/** The keys derived from an identity. Cheap: microseconds, no scrypt. */
export function identityKeys(identity: Identity): IdentityKeys {
  const root = rootInForce(identity);
  const mark = fingerprint(identity.nodeKey.publicKey);
  return {
    gossipKeys: identity.roots.map((entry) => gossipKey(entry.root)),
    label: gossipLabel(root),
    fingerprint: mark,
    wireguard: identity.wireguard,
    memberName: (id) => `${id}-${mark}`,
    pairKey: (other) => pairKey(root, identity.wireguard.publicKey, other),
    askingKey: (publicKey) => askingKey(root, publicKey),
  };
}

/** True when `token` and `cluster` give the root in force. Costs one derivation; the comparison takes constant time. */
export async function tokenMatches(
  identity: Identity,
  token: string,
  cluster: string,
): Promise<boolean> {
  return timingSafeEqual(await deriveRoot(token, cluster), rootInForce(identity));
}

/** The root with which this node encrypts and mints. */
export function rootInForce(identity: Identity): Uint8Array {
  const [first] = identity.roots;
  if (first === undefined) throw new RangeError("an identity has at least one root");
  return first.root;
}
