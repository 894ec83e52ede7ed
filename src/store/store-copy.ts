/**
 * All of a store at one revision, and how it lies in a file: a node's mirror, a backup.
 *
 * Bytes: version 1; the letters HSC; store id and name, each as its length (1 byte) and UTF-8; generation (4); revision, time (8 each); how many entries (4); each entry
 * as its key (length in 2 bytes), value (length in 4), revision and creation (8 each); SHA-256 of all that. Numbers are big-endian; entries are in the order of
 * their keys' bytes. Invariant: what decodes is whole: a file that was torn, lengthened or damaged anywhere is refused, never half read. Pure.
 */
import { createHash } from "node:crypto";
import { EntryCursor, entryBytes, put, takenOrUndefined, writeEntry } from "./entry-bytes.ts";
import type { Entry, Revision } from "./store.ts";
import type { StoreMark } from "./voter-plan.ts";

/** Which store: `id` is hex, up to 32 digits, `name` as `create` was given it. */
export type NamedStore = StoreMark & { readonly name: string };

export interface StoreCopy {
  readonly store: NamedStore;
  /** Of the store when it was as in `entries`; at least that of each of them. */
  readonly revision: Revision;
  /** Milliseconds since 1970, by the clock of the node that made it: when the store was last known to be so. */
  readonly takenAtMs: number;
  /** Each key once. */
  readonly entries: readonly Entry[];
}

export type DecodedCopy =
  | { readonly ok: true; readonly copy: StoreCopy }
  /** `reason` completes "the file …": is cut short, for one. */
  | { readonly ok: false; readonly reason: string };

const VERSION = 1;
const MAGIC = Buffer.from("HSC");
const SUM_BYTES = 32;
const MAX_NAME_BYTES = 255;
/** Twice the store's quota. */
const MAX_BYTES = 1024 ** 3;
const ID = /^[0-9a-f]{1,32}$/;

/** Orders the entries itself. Throws RangeError for what no store holds: a key twice, an empty or long one, a long value. */
export function encodeStoreCopy({ store, revision, takenAtMs, entries }: StoreCopy): Uint8Array {
  const keyed = entries
    .map((entry) => ({ entry, key: Buffer.from(entry.key) }))
    .sort((a, b) => Buffer.compare(a.key, b.key));
  const [id, name] = [Buffer.from(store.id), Buffer.from(store.name)];
  let size = 1 + MAGIC.length + 2 + id.length + name.length + 4 + 8 + 8 + 4 + SUM_BYTES;
  for (const { entry, key } of keyed) size += entryBytes(key, entry.value);
  if (size > MAX_BYTES) throw new RangeError(`a copy of ${size} bytes is too large`);
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = VERSION;
  let at = put(bytes, MAGIC, 1);
  for (const text of [id, name]) {
    if (text.length > MAX_NAME_BYTES) throw new RangeError("a store's name is too long");
    at = put(bytes, text, bytes.writeUInt8(text.length, at));
  }
  at = bytes.writeUInt32BE(store.generation, at);
  at = bytes.writeBigUInt64BE(revision, at);
  at = bytes.writeBigUInt64BE(BigInt(takenAtMs), at);
  at = bytes.writeUInt32BE(keyed.length, at);
  let before: Buffer | undefined;
  for (const { entry, key } of keyed) {
    if (before?.equals(key)) throw new RangeError(`the key ${entry.key} is there twice`);
    before = key;
    at = writeEntry(bytes, at, key, entry);
  }
  put(bytes, sumOf(bytes.subarray(0, at)), at);
  return bytes;
}

/** Values are views of `bytes`. */
export function decodeStoreCopy(bytes: Uint8Array): DecodedCopy {
  const refuse = (reason: string): DecodedCopy => ({ ok: false, reason });
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all.length === 0) return refuse("is empty");
  if (!all.subarray(1, 1 + MAGIC.length).equals(MAGIC)) return refuse("is no copy of a store");
  if (all[0] !== VERSION) return refuse(`has the format ${all[0]}, this version reads ${VERSION}`);
  if (all.length > MAX_BYTES) return refuse("is larger than a store");
  const end = all.length - SUM_BYTES;
  if (end < 0 || !sumOf(all.subarray(0, end)).equals(all.subarray(end))) {
    return refuse("is cut short or damaged");
  }
  // Whoever wrote it may have made the checksum of what no store holds.
  const copy = takenOrUndefined(() =>
    readCopy(new EntryCursor(all.subarray(0, end), 1 + MAGIC.length)),
  );
  return copy ? { ok: true, copy } : refuse("holds what no store does");
}

function readCopy(cursor: EntryCursor): StoreCopy {
  const id = cursor.text(cursor.number(1));
  const name = cursor.text(cursor.number(1));
  const generation = cursor.number(4);
  if (!ID.test(id) || generation === 0) throw new RangeError("no store's mark");
  const revision = cursor.long();
  const takenAtMs = cursor.time();
  const count = cursor.number(4);
  const entries: Entry[] = [];
  let before: Buffer | undefined;
  for (let index = 0; index < count; index++) {
    const key = cursor.key();
    if (before && Buffer.compare(before, key) >= 0) throw new RangeError("keys out of order");
    before = key;
    const entry = cursor.entry(key);
    if (entry.revision > revision) throw new RangeError("an entry of later");
    entries.push(entry);
  }
  cursor.end();
  return { store: { id, name, generation }, revision, takenAtMs, entries };
}

function sumOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
