/**
 * DNS messages on the wire (RFC 1035, EDNS of RFC 6891), as far as a name server and its tests need them.
 *
 * Invariant: the decoder never throws and never loops: a compression pointer must point before the name that has it, no
 * name is above 255 bytes, and all names together take no more steps than the message has bytes (and some): a message of nothing
 * but pointers to a long name would cost a thousand times its size. Numbers are big endian.
 */
import { type DomainName, MAX_LABEL } from "./domain-name.ts";

export const TYPE = { A: 1, NS: 2, SOA: 6, PTR: 12, AAAA: 28, OPT: 41, ANY: 255 } as const;
export const CLASS = { IN: 1, ANY: 255 } as const;
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Its upper 8 bits travel in the OPT record. */
  BADVERS: 16,
} as const;

export const HEADER_BYTES = 12;
const MAX_NAME_BYTES = 255;
/** Records of one message that are read at most. */
const MAX_RECORDS = 4_096;
/** Labels and pointers that the names of a message may have, besides one for each of its bytes. */
const SPARE_STEPS = 512;
/** The furthest that a compression pointer reaches. */
const MAX_POINTER = 0x3fff;

export interface Question {
  readonly name: DomainName;
  readonly type: number;
  readonly class: number;
}

/** What follows a record's header, by kind; what we do not know stays bytes. */
export type RecordData =
  | { readonly kind: "address"; readonly address: number }
  | { readonly kind: "name"; readonly name: DomainName }
  | {
      readonly kind: "soa";
      readonly server: DomainName;
      readonly mailbox: DomainName;
      /** serial, refresh, retry, expire, minimum. */
      readonly numbers: readonly [number, number, number, number, number];
    }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

export interface ResourceRecord {
  readonly name: DomainName;
  readonly type: number;
  /** For OPT: the sender's UDP payload size. */
  readonly class: number;
  /** Seconds. For OPT: extended code, version, flags. */
  readonly ttl: number;
  readonly data: RecordData;
}

export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly isAuthoritative: boolean;
  readonly isTruncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  /** The header's 4 bits. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
}

/** The message, or undefined when malformed. Bytes after it are ignored. */
export function decodeDnsMessage(bytes: Uint8Array): DnsMessage | undefined {
  const reader = new Reader(bytes);
  const [id, flags] = [reader.u16(), reader.u16()];
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  if (counts[0] + counts[1] + counts[2] + counts[3] > MAX_RECORDS) return undefined;
  const questions: Question[] = [];
  for (let index = 0; index < counts[0] && !reader.hasFailed; index++) {
    questions.push({ name: reader.name(), type: reader.u16(), class: reader.u16() });
  }
  const answers = reader.records(counts[1]);
  const authority = reader.records(counts[2]);
  const additional = reader.records(counts[3]);
  if (reader.hasFailed) return undefined;
  return {
    id,
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >>> 11) & 15,
    isAuthoritative: (flags & 0x400) !== 0,
    isTruncated: (flags & 0x200) !== 0,
    recursionDesired: (flags & 0x100) !== 0,
    recursionAvailable: (flags & 0x80) !== 0,
    rcode: flags & 15,
    questions,
    answers,
    authority,
    additional,
  };
}

/** Names are compressed. Throws RangeError for a label that is empty or above 63 bytes. */
export function encodeDnsMessage(message: DnsMessage): Uint8Array {
  const writer = new Writer();
  writer.u16(message.id);
  writer.u16(
    (message.isResponse ? 0x8000 : 0) |
      ((message.opcode & 15) << 11) |
      (message.isAuthoritative ? 0x400 : 0) |
      (message.isTruncated ? 0x200 : 0) |
      (message.recursionDesired ? 0x100 : 0) |
      (message.recursionAvailable ? 0x80 : 0) |
      (message.rcode & 15),
  );
  const sections = [message.answers, message.authority, message.additional];
  for (const section of [message.questions, ...sections]) writer.u16(section.length);
  for (const question of message.questions) {
    writer.name(question.name);
    writer.u16(question.type);
    writer.u16(question.class);
  }
  for (const record of sections.flat()) writer.record(record);
  return writer.finish();
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  hasFailed = false;
  /** Labels and pointers that may still be followed. */
  #stepsLeft: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#stepsLeft = bytes.length + SPARE_STEPS;
  }

  u8(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.hasFailed = true;
    this.#at++;
    return byte ?? 0;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  u32(): number {
    return this.u16() * 65536 + this.u16();
  }

  name(): DomainName {
    const labels: string[] = [];
    let size = 1;
    let at = this.#at;
    /** A pointer must go before everything read so far, so each leads to smaller offsets and the walk ends. */
    let limit = at;
    let end: number | undefined;
    for (;;) {
      const length = this.#bytes[at];
      if (length === undefined || this.#stepsLeft === 0) return this.#failName();
      this.#stepsLeft--;
      if (length === 0) {
        this.#at = end ?? at + 1;
        return labels;
      }
      if (length >= 0xc0) {
        const low = this.#bytes[at + 1];
        if (low === undefined) return this.#failName();
        end ??= at + 2;
        at = (length & 0x3f) * 256 + low;
        if (at >= limit) return this.#failName();
        limit = at;
        continue;
      }
      size += 1 + length;
      if (length > MAX_LABEL || size > MAX_NAME_BYTES) return this.#failName();
      const label = this.#bytes.subarray(at + 1, at + 1 + length);
      if (label.length < length) return this.#failName();
      labels.push(String.fromCharCode(...label));
      at += 1 + length;
    }
  }

  records(count: number): ResourceRecord[] {
    const records: ResourceRecord[] = [];
    for (let index = 0; index < count && !this.hasFailed; index++) {
      const [name, type, kind, ttl] = [this.name(), this.u16(), this.u16(), this.u32()];
      const length = this.u16();
      const start = this.#at;
      if (start + length > this.#bytes.length) this.hasFailed = true;
      if (this.hasFailed) break;
      const data = this.#data(type, length);
      // What a record says of its own length must be so.
      if (this.#at !== start + length) this.hasFailed = true;
      records.push({ name, type, class: kind, ttl, data });
    }
    return records;
  }

  #data(type: number, length: number): RecordData {
    if (type === TYPE.A && length === 4) return { kind: "address", address: this.u32() };
    if (type === TYPE.PTR || type === TYPE.NS) return { kind: "name", name: this.name() };
    if (type === TYPE.SOA) {
      const [server, mailbox] = [this.name(), this.name()];
      const numbers = [this.u32(), this.u32(), this.u32(), this.u32(), this.u32()] as const;
      return { kind: "soa", server, mailbox, numbers };
    }
    const bytes = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    return { kind: "bytes", bytes };
  }

  #failName(): DomainName {
    this.hasFailed = true;
    return [];
  }
}

class Writer {
  readonly #bytes: number[] = [];
  /** Where each name that was written begins, by its labels as text. */
  readonly #names = new Map<string, number>();

  u16(value: number): void {
    this.#bytes.push((value >>> 8) & 255, value & 255);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  name(name: DomainName): void {
    for (let index = 0; index < name.length; index++) {
      const rest = JSON.stringify(name.slice(index));
      const known = this.#names.get(rest);
      if (known !== undefined) {
        this.u16(0xc000 | known);
        return;
      }
      if (this.#bytes.length <= MAX_POINTER) this.#names.set(rest, this.#bytes.length);
      const label = name[index] ?? "";
      if (label.length === 0 || label.length > MAX_LABEL) {
        throw new RangeError(`"${label}" is no label of a domain name`);
      }
      this.#bytes.push(label.length);
      for (let at = 0; at < label.length; at++) this.#bytes.push(label.charCodeAt(at) & 255);
    }
    this.#bytes.push(0);
  }

  record(record: ResourceRecord): void {
    this.name(record.name);
    this.u16(record.type);
    this.u16(record.class);
    this.u32(record.ttl);
    this.u16(0);
    const start = this.#bytes.length;
    this.#data(record.data);
    const length = this.#bytes.length - start;
    this.#bytes[start - 2] = length >>> 8;
    this.#bytes[start - 1] = length & 255;
  }

  #data(data: RecordData): void {
    if (data.kind === "address") this.u32(data.address);
    else if (data.kind === "name") this.name(data.name);
    else if (data.kind === "bytes") for (const byte of data.bytes) this.#bytes.push(byte);
    else {
      this.name(data.server);
      this.name(data.mailbox);
      for (const number of data.numbers) this.u32(number);
    }
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
