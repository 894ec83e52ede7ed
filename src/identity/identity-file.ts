/**
 * identity.json: a node's roots and keys on disk, mode 0600.
 *
 * Invariant: what is read back is complete and well formed or refused as STATE_DAMAGED; no secret is in an error text.
 */
import { join } from "node:path";
import { HansaError } from "../errors.ts";
import { atomicWrite, ensureDir, readJson } from "../host/files.ts";
import type { Identity, RootEntry } from "./identity.ts";
import { isKeyText, type KeyPair } from "./node-key.ts";

/** The file's name inside the state directory. */
export const IDENTITY_FILE = "identity.json";

const VERSION = 1;
const MAX_TOKEN = 4096;

/** The identity in the state directory `dir`, or undefined when there is none. Throws STATE_DAMAGED when it cannot be trusted. */
export async function loadIdentity(dir: string): Promise<Identity | undefined> {
  const path = join(dir, IDENTITY_FILE);
  const value = await readJson(path);
  return value === undefined ? undefined : decode(path, value);
}

/** Writes the identity to `dir` (made 0700 when it is new): whole or not at all, on disk before it returns, 0600. */
export async function saveIdentity(dir: string, identity: Identity): Promise<void> {
  await ensureDir(dir, 0o700);
  const value = {
    version: VERSION,
    roots: identity.roots.map(({ root, since }) => ({
      root: Buffer.from(root).toString("base64"),
      since,
    })),
    nodeKey: identity.nodeKey,
    wireguard: identity.wireguard,
    binding: identity.binding,
    ...(identity.token !== undefined && { token: identity.token }),
  };
  await atomicWrite(join(dir, IDENTITY_FILE), `${JSON.stringify(value, null, 2)}\n`, 0o600);
}

function decode(path: string, value: unknown): Identity {
  const file = record(path, value, "the file");
  if (file["version"] !== VERSION) {
    throw new HansaError("STATE_DAMAGED", `${path} has a version that this hansa does not know`, {
      hint: "run the hansa version that wrote it, or a newer one",
    });
  }
  const roots = file["roots"];
  if (!Array.isArray(roots) || roots.length === 0 || roots.length > 64) damaged(path, "roots");
  const binding = file["binding"];
  if (!Number.isSafeInteger(binding) || Number(binding) < 0) damaged(path, "binding");
  const { token } = file;
  const isToken = typeof token === "string" && token.length > 0 && token.length <= MAX_TOKEN;
  if (token !== undefined && !isToken) damaged(path, "token");
  return {
    roots: roots.map((entry) => decodeRoot(path, entry)),
    nodeKey: decodePair(path, file["nodeKey"], "nodeKey"),
    wireguard: decodePair(path, file["wireguard"], "wireguard"),
    binding: Number(binding),
    ...(token !== undefined && { token }),
  };
}

function decodeRoot(path: string, value: unknown): RootEntry {
  const { root, since } = record(path, value, "roots");
  if (!isKeyText(root) || typeof since !== "string") damaged(path, "roots");
  return { root: new Uint8Array(Buffer.from(root, "base64")), since };
}

function decodePair(path: string, value: unknown, field: string): KeyPair {
  const { privateKey, publicKey } = record(path, value, field);
  if (!isKeyText(privateKey) || !isKeyText(publicKey)) damaged(path, field);
  return { privateKey, publicKey };
}

function record(path: string, value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) damaged(path, field);
  return value as Record<string, unknown>;
}

function damaged(path: string, field: string): never {
  throw new HansaError("STATE_DAMAGED", `${path} is damaged: ${field} is missing or malformed`);
}
