/**
 * What this node knows of certificates for people and programs, kept on disk and told to others: certificates.json.
 *
 * Invariants: a revocation is in force here when `revoke` or `take` returns, and on disk, or `problem` says why not; a certificate that was made is
 * written down before it is handed out. What is news goes on to others, so that all hear of it whoever was told first.
 */
import { randomBytes } from "node:crypto";
import type { Caller } from "../../api/caller.ts";
import type {
  Certificates,
  IssueRequest,
  KnownCertificate,
  Revoked,
  RevokeRequest,
} from "../../api/context-schemas.ts";
import {
  type CertificateRecord,
  decodeRecords,
  encodeRecords,
  type IssuedRecord,
  recordKey,
} from "../../certificates/certificate-record.ts";
import { CertificateRecords } from "../../certificates/certificate-records.ts";
import { codedSentence, HansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import { atomicWriteSync, readJson } from "../../host/files.ts";
import type { Logger } from "../../host/logger.ts";
import { makeSerial, SERIAL_RANDOM_BYTES } from "../../values/certificate-serial.ts";
import type { NodeId } from "../../values/node-id.ts";

/** News of one message that go on by gossip; more than that goes with push/pulls. */
const MAX_PASSED_ON = 32;
const VERSION = 1;
const LAST_SECOND = 2 ** 32 - 2;

export interface CertificateBookOptions {
  readonly path: string;
  readonly self: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  /** To everybody, by gossip. */
  readonly tell: (key: string, body: Uint8Array) => void;
  /** Something was called back. */
  readonly revoked: () => void;
}

export class CertificateBook {
  readonly #options: CertificateBookOptions;
  readonly #records = new CertificateRecords();
  #encoded: Uint8Array | undefined;
  #problem: string | undefined;

  /** Throws STATE_DAMAGED: who lost what was called back would let it in. */
  static async load(options: CertificateBookOptions): Promise<CertificateBook> {
    const book = new CertificateBook(options);
    book.#records.add((await readJson(options.path, { parse: readFile })) ?? [], book.#now);
    return book;
  }

  private constructor(options: CertificateBookOptions) {
    this.#options = options;
  }

  /** Why what is known cannot be written down, while it cannot. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** All of it, for a push/pull. */
  encoded(): Uint8Array {
    this.#encoded ??= encodeRecords(this.#records.list());
    return this.#encoded;
  }

  /** Takes in what others tell; nothing of it when it cannot be read. */
  take(bytes: Uint8Array): void {
    const records = decodeRecords(bytes);
    if (records) this.#add(records);
    // A disk that was full may be so no more.
    if (this.#problem !== undefined) this.#save();
  }

  /** A serial for a certificate that is to be made for `name` now: one that no revocation known here covers. */
  serialFor(name: string): string {
    const stamp = this.#records.stampFor(name, this.#now);
    return makeSerial(stamp, randomBytes(SERIAL_RANDOM_BYTES));
  }

  /** A certificate was made. Throws STATE_UNWRITABLE; then it must not be handed out. */
  noteIssued(serial: string, { name, role, days }: IssueRequest, by: string): void {
    const now = this.#now;
    const expires = Math.min(LAST_SECOND, now + days * 86_400);
    const node = this.#options.self;
    this.#add([{ kind: "issued", serial, name, role, at: now, expires, by, node }]);
    if (this.#problem !== undefined) throw new HansaError("STATE_UNWRITABLE", this.#problem);
  }

  /** Throws REVOCATIONS_MANY, and STATE_UNWRITABLE when it is in force and told but not on disk. */
  revoke({ name, serial }: RevokeRequest, by: string): Omit<Revoked, "unreached"> {
    const records = this.#records;
    if (!records.hasRoom) {
      throw new HansaError("REVOCATIONS_MANY", "no more certificates can be called back");
    }
    const stood = new Set(this.#standing());
    if (serial !== undefined) this.#add([records.revocation(serial, by, this.#now)]);
    if (name !== undefined) this.#add([records.shuttingOut(name, by, this.#now)]);
    if (this.#problem !== undefined) {
      const text = `it is revoked, but a restart of this node may forget it: ${this.#problem}`;
      throw new HansaError("STATE_UNWRITABLE", text);
    }
    const standing = this.#standing();
    const revoked = [...stood].filter((record) => !standing.includes(record));
    const holders = new Set(revoked.map((record) => record.name));
    if (name !== undefined) holders.add(name);
    const theirs = standing.filter((record) => holders.has(record.by));
    const view = (record: IssuedRecord): KnownCertificate => this.#view(record);
    return { revoked: revoked.map(view), theirs: theirs.map(view) };
  }

  /** Why a caller's certificate is not good any more, in a sentence. Nodes' own are not called back: a node is shut out by taking it over. */
  revocationOf({
    name,
    role,
    serial,
  }: Pick<Caller, "name" | "role" | "serial">): string | undefined {
    if (serial === undefined || role === "node") return undefined;
    const record = this.#records.revocationOf({ name, serial });
    if (record === undefined) return undefined;
    return `the certificate of ${name} was revoked at ${time(record.at)} by ${record.by}`;
  }

  list(): Certificates {
    const { issued, revoked, shutOut } = this.#records;
    const known = new Set(issued.map(({ serial }) => serial));
    const strangers = revoked.filter(({ serial }) => !known.has(serial));
    return {
      certificates: [
        ...issued.map((record) => this.#view(record)),
        ...strangers.map(({ serial, expires, at, by }) => ({
          ...{ serial, name: null, role: null, madeAt: null, madeBy: null, node: null },
          expiresAt: time(expires),
          revoked: { at: time(at), by },
        })),
      ],
      holdersRevoked: shutOut.map(({ name, at, by }) => ({ name, at: time(at), by })),
    };
  }

  get #now(): number {
    const seconds = Math.floor(this.#options.clock.wallMs() / 1_000);
    return Math.min(LAST_SECOND, Math.max(0, seconds));
  }

  #standing(): IssuedRecord[] {
    return this.#records.issued.filter((record) => !this.#records.revocationOf(record));
  }

  #add(records: readonly CertificateRecord[]): void {
    const news = this.#records.add(records, this.#now);
    if (news.length === 0) return;
    this.#encoded = undefined;
    this.#save();
    if (news.length <= MAX_PASSED_ON) {
      for (const record of news) this.#options.tell(recordKey(record), encodeRecords([record]));
    }
    if (news.every(({ kind }) => kind === "issued")) return;
    this.#options.logger.info("certificates are revoked", { count: news.length });
    this.#options.revoked();
  }

  #save(): void {
    const { path, logger } = this.#options;
    const records = Buffer.from(this.encoded()).toString("base64");
    try {
      atomicWriteSync(path, `${JSON.stringify({ version: VERSION, records })}\n`, 0o600);
      this.#problem = undefined;
    } catch (error) {
      this.#problem = codedSentence(error);
      logger.error("certificates cannot be written down", { error: `${error}` });
    }
  }

  #view(record: IssuedRecord): KnownCertificate {
    const { serial, name, role, at, by, node, expires } = record;
    const revocation = this.#records.revocationOf(record);
    return {
      ...{ serial, name, role, madeAt: time(at), madeBy: by, node, expiresAt: time(expires) },
      revoked: revocation ? { at: time(revocation.at), by: revocation.by } : null,
    };
  }
}

function readFile(value: unknown): readonly CertificateRecord[] {
  const { version, records } = value as Readonly<Record<string, unknown>>;
  const decoded =
    version === VERSION && typeof records === "string"
      ? decodeRecords(Buffer.from(records, "base64"))
      : undefined;
  if (decoded === undefined) throw new RangeError("certificates.json");
  return decoded;
}

function time(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}
