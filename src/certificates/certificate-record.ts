/**
 * What nodes tell each other about certificates for people and programs: that one was made, that one is called back, that all of one holder are.
 *
 * Records only ever join: two of one certificate or holder make a third that says at least as much as each. Pure.
 */
import { ByteReader } from "../membership/byte-reader.ts";
import { ByteWriter } from "../membership/byte-writer.ts";
import { isSerial } from "../values/certificate-serial.ts";
import type { NodeId } from "../values/node-id.ts";

/** By their numbers on the wire, which never change meaning. A node's own certificates are not kept. */
export const HOLDER_ROLES = ["viewer", "operator", "admin"] as const;
export type HolderRole = (typeof HOLDER_ROLES)[number];

/** All times are seconds since 1970. */
export interface IssuedRecord {
  readonly kind: "issued";
  /** Lower-case hex. */
  readonly serial: string;
  /** The holder. */
  readonly name: string;
  readonly role: HolderRole;
  readonly at: number;
  readonly expires: number;
  /** Who asked for it: the name in that one's certificate, or "local". */
  readonly by: string;
  /** The node that made it. */
  readonly node: NodeId;
}

export interface RevokedRecord {
  readonly kind: "revoked";
  readonly serial: string;
  readonly at: number;
  readonly by: string;
  /** The certificate is not good any longer than until then. */
  readonly expires: number;
}

/** All certificates of the holder whose stamp is not after `before`, or of a lower generation. */
export interface ShutOutRecord {
  readonly kind: "shut-out";
  readonly name: string;
  readonly before: number;
  readonly generation: number;
  readonly at: number;
  readonly by: string;
}

export type CertificateRecord = IssuedRecord | RevokedRecord | ShutOutRecord;

const KINDS = ["issued", "revoked", "shut-out"] as const;
const FORMAT = 1;
export const MAX_NAME = 63;
const MAX_SERIAL = 20;
/** In one message; as many as all nodes together remember. */
const MAX_RECORDS = 8_192;

/** Two records with one key are about the same thing. */
export function recordKey(record: CertificateRecord): string {
  return record.kind === "shut-out" ? `shut-out ${record.name}` : `${record.kind} ${record.serial}`;
}

/** What the two say together; they have one key. In whichever order: the same. */
export function joined<R extends CertificateRecord>(a: R, b: R): R;
export function joined(a: CertificateRecord, b: CertificateRecord): CertificateRecord {
  // The total order makes all nodes keep the same teller.
  const [first, last] = compare(a, b) <= 0 ? [a, b] : [b, a];
  if (first.kind === "revoked" && last.kind === "revoked") {
    return { ...first, expires: Math.max(first.expires, last.expires) };
  }
  if (first.kind === "shut-out" && last.kind === "shut-out") {
    return { ...last, generation: Math.max(first.generation, last.generation) };
  }
  return first;
}

/** A total order of records with one key: by time, then by all that they hold. Of holders shut out the later time wins, else the earlier one. */
function compare(a: CertificateRecord, b: CertificateRecord): number {
  if (a.kind === "shut-out" && b.kind === "shut-out" && a.before !== b.before) {
    return a.before - b.before;
  }
  if (a.at !== b.at) return a.at - b.at;
  if (a.by !== b.by) return a.by < b.by ? -1 : 1;
  const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
  return a.kind !== "issued" || textA === textB ? 0 : textA < textB ? -1 : 1;
}

/** A byte of version, u16 count, then each record. Throws RangeError for names of more than 63 bytes. */
export function encodeRecords(records: readonly CertificateRecord[]): Uint8Array {
  const writer = new ByteWriter().u8(FORMAT).u16(records.length);
  for (const record of records) {
    writer.u8(KINDS.indexOf(record.kind));
    if (record.kind === "shut-out") writer.text(record.name, MAX_NAME);
    else serialTo(writer, record.serial);
    writer.u32(record.at).text(record.by, MAX_NAME);
    if (record.kind === "shut-out") writer.u32(record.before).u16(record.generation);
    else writer.u32(record.expires);
    if (record.kind === "issued") {
      writer.text(record.name, MAX_NAME).u8(HOLDER_ROLES.indexOf(record.role)).u16(record.node);
    }
  }
  return writer.finish();
}

/** What was encoded, or undefined when malformed. Never throws; trailing bytes are ignored. */
export function decodeRecords(bytes: Uint8Array): CertificateRecord[] | undefined {
  const reader = new ByteReader(bytes);
  reader.demand(reader.u8() === FORMAT);
  const count = reader.u16();
  reader.demand(count <= MAX_RECORDS);
  const records: CertificateRecord[] = [];
  for (let index = 0; index < count && !reader.hasFailed; index++) {
    const record = readRecord(reader);
    if (record === undefined) return undefined;
    records.push(record);
  }
  return reader.hasFailed ? undefined : records;
}

function readRecord(reader: ByteReader): CertificateRecord | undefined {
  const kind = KINDS[reader.u8()];
  if (kind === undefined) return undefined;
  const subject = kind === "shut-out" ? reader.text(MAX_NAME) : readSerialText(reader);
  const at = reader.u32();
  const by = reader.text(MAX_NAME);
  const until = reader.u32();
  reader.demand(subject !== "" && by !== "");
  if (kind === "shut-out") {
    return { kind, name: subject, before: until, generation: reader.u16(), at, by };
  }
  if (kind === "revoked") return { kind, serial: subject, at, by, expires: until };
  const name = reader.text(MAX_NAME);
  const role = HOLDER_ROLES[reader.u8()];
  const node = reader.u16();
  reader.demand(name !== "" && node >= 1);
  if (role === undefined) return undefined;
  return { kind, serial: subject, name, role, at, expires: until, by, node };
}

function serialTo(writer: ByteWriter, serial: string): void {
  if (!isSerial(serial)) throw new RangeError("a serial is 1 to 20 bytes in hex");
  writer.u8(serial.length / 2).raw(Buffer.from(serial, "hex"));
}

function readSerialText(reader: ByteReader): string {
  const length = reader.u8();
  reader.demand(length >= 1 && length <= MAX_SERIAL);
  return reader.hasFailed ? "" : Buffer.from(reader.raw(length)).toString("hex");
}
