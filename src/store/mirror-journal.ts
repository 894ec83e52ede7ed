/**
 * The journal of a node's mirror: what changed since its copy was written, appended record by record.
 *
 * Bytes: version 1; the letters HSJ; the store's id, as its length (1 byte) and text; its generation (4); then records, each as its length (4), CRC-32 (4) and
 * body: a letter, time and revision (8 each), and for changes their number (4) and each one. Invariant: reading stops at the first record that is not
 * whole, and what is before it is good: so a journal that was cut at any byte is a journal. Pure.
 */
import { crc32 } from "node:zlib";
import {
  EntryCursor,
  entryBytes,
  put,
  takenOrUndefined,
  writeEntry,
  writeKey,
} from "./entry-bytes.ts";
import type { Change, Revision } from "./store.ts";
import type { StoreMark } from "./voter-plan.ts";

export type JournalRecord =
  /** After these the mirror is at `revision`; `atMs` is when they came. */
  | {
      readonly type: "changes";
      readonly atMs: number;
      readonly revision: Revision;
      readonly changes: readonly Change[];
    }
  /** At `atMs` the store was known to be at `revision`. */
  | { readonly type: "current"; readonly atMs: number; readonly revision: Revision };

export interface Journal {
  readonly mark: StoreMark;
  readonly records: readonly JournalRecord[];
  /** Bytes up to the end of the last whole record. */
  readonly length: number;
}

const VERSION = 1;
const MAGIC = Buffer.from("HSJ");
const CHANGES = 0x63;
const CURRENT = 0x74;
const PUT = 1;
const REMOVE = 2;
const MIN_BODY = 1 + 8 + 8;
const ID = /^[0-9a-f]{1,32}$/;

export function encodeJournalHead({ id, generation }: StoreMark): Buffer {
  const text = Buffer.from(id);
  const head = Buffer.alloc(1 + MAGIC.length + 1 + text.length + 4);
  head[0] = VERSION;
  const at = put(head, MAGIC, 1);
  head.writeUInt32BE(generation, put(head, text, head.writeUInt8(text.length, at)));
  return head;
}

export function encodeJournalRecord(record: JournalRecord): Buffer {
  const changes = record.type === "changes" ? record.changes : [];
  const keys = changes.map((change) => Buffer.from(keyOf(change)));
  let size = 8 + MIN_BODY + (record.type === "changes" ? 4 : 0);
  for (const [index, change] of changes.entries()) {
    const key = keys[index] ?? Buffer.alloc(0);
    size += 1 + (change.type === "put" ? entryBytes(key, change.entry.value) : 2 + key.length + 8);
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt8(record.type === "changes" ? CHANGES : CURRENT, 8);
  at = bytes.writeBigUInt64BE(BigInt(record.atMs), at);
  at = bytes.writeBigUInt64BE(record.revision, at);
  if (record.type === "changes") at = bytes.writeUInt32BE(changes.length, at);
  for (const [index, change] of changes.entries()) {
    const key = keys[index] ?? Buffer.alloc(0);
    if (change.type === "put") {
      at = writeEntry(bytes, bytes.writeUInt8(PUT, at), key, change.entry);
    } else {
      at = writeKey(bytes, bytes.writeUInt8(REMOVE, at), key);
      at = bytes.writeBigUInt64BE(change.revision, at);
    }
  }
  bytes.writeUInt32BE(size - 8, 0);
  bytes.writeUInt32BE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

/** Undefined for what does not begin as a journal of this version. Values are views of `bytes`. */
export function decodeJournal(bytes: Uint8Array): Journal | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all[0] !== VERSION || !all.subarray(1, 1 + MAGIC.length).equals(MAGIC)) return undefined;
  const cursor = new EntryCursor(all, 1 + MAGIC.length);
  const mark = takenOrUndefined(() => {
    const id = cursor.text(cursor.number(1));
    return { id, generation: cursor.number(4) };
  });
  if (mark === undefined || !ID.test(mark.id) || mark.generation === 0) return undefined;
  const records: JournalRecord[] = [];
  let length = cursor.at;
  for (;;) {
    const record = takenOrUndefined(() => {
      const size = cursor.number(4);
      const sum = cursor.number(4);
      const body = cursor.slice(size);
      if (size < MIN_BODY || crc32(body) !== sum)
        throw new RangeError("a record that is not whole");
      return recordIn(new EntryCursor(body, 0));
    });
    if (record === undefined) return { mark, records, length };
    records.push(record);
    length = cursor.at;
  }
}

function recordIn(cursor: EntryCursor): JournalRecord {
  const kind = cursor.number(1);
  const atMs = cursor.time();
  const revision = cursor.long();
  if (kind === CURRENT) {
    cursor.end();
    return { type: "current", atMs, revision };
  }
  if (kind !== CHANGES) throw new RangeError("a record of another kind");
  const count = cursor.number(4);
  const changes: Change[] = [];
  for (let index = 0; index < count; index++) {
    const type = cursor.number(1);
    const key = cursor.key();
    if (type === PUT) changes.push({ type: "put", entry: cursor.entry(key) });
    else if (type === REMOVE)
      changes.push({ type: "remove", key: cursor.decode(key), revision: cursor.long() });
    else throw new RangeError("a change of another kind");
  }
  cursor.end();
  return { type: "changes", atMs, revision, changes };
}

function keyOf(change: Change): string {
  return change.type === "put" ? change.entry.key : change.key;
}
