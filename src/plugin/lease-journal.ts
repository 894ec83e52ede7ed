/**
 * The lease book on disk: one file, `leases.log`, that is a snapshot and the records since.
 *
 *     hansa-leases 1 <epoch>
 *     <crc32 of the rest, 8 hex> {"type":"snapshot",…}
 *     <crc32> {"type":"leased",…}
 *
 * Invariant: after `append` returned, a kill -9 at any moment loses nothing of it; when `append` throws, book and file are as
 * before. Space and cessions share the file with the leases, so that their order needs no second file; they are fsynced. Leases are
 * not: after a power cut no container lives and Docker asks anew for each, so only the order between processes matters, and
 * the kernel's page cache keeps that. Every byte of a line is covered by its sum; a torn tail is cut off.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { HansaError, isErrno } from "../errors.ts";
import { atomicWriteSync } from "../host/files.ts";
import type { Logger } from "../host/logger.ts";
import { applyRecord, LeaseBook } from "../ipam/lease-book.ts";
import { type LeaseRecord, parseLeaseRecord } from "../ipam/lease-record.ts";
import { crc32 } from "../values/crc32.ts";

const HEADER = "hansa-leases 1";
/** Another one at each reading: node:crypto, for one of its own, is a tenth of this process's start. */
const KERNEL_UUID = "/proc/sys/kernel/random/uuid";

export interface LeaseJournalOptions {
  readonly logger: Logger;
  /** Records after which the file is written anew as a snapshot; default 4096. */
  readonly compactAbove?: number;
  /** Replaces fs.writeSync, to try a full disk. */
  readonly write?: (file: number, bytes: Uint8Array) => number;
}

interface Loaded {
  readonly book: LeaseBook;
  readonly epoch: string;
  readonly records: number;
  /** Bytes up to the first line that is not whole. */
  readonly goodBytes: number;
  /** Good lines came after a bad one: not a torn tail but damage. */
  readonly damaged: boolean;
}

export class LeaseJournal {
  readonly path: string;
  readonly #logger: Logger;
  readonly #compactAbove: number;
  readonly #write: (file: number, bytes: Uint8Array) => number;
  #file = -1;
  #size = 0;
  #records = 0;
  #epoch = "";
  #book = new LeaseBook();

  /**
   * Opens or makes the journal in `directory`.
   * Throws STATE_DAMAGED when its head is not ours, STATE_UNWRITABLE when the disk refuses.
   */
  constructor(directory: string, options: LeaseJournalOptions) {
    this.path = join(directory, "leases.log");
    this.#logger = options.logger;
    this.#compactAbove = options.compactAbove ?? 4096;
    this.#write = options.write ?? ((file, bytes) => writeSync(file, bytes));
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw unwritable(this.path, error);
    }
    this.#reopen();
  }

  /** The book as it is on disk. It is replaced when a write fails: do not keep it. Throws STATE_UNWRITABLE. */
  get book(): LeaseBook {
    if (this.#file < 0) this.#reopen();
    return this.#book;
  }

  /** Made with the file; another epoch means that the leases of the former are forgotten. */
  get epoch(): string {
    return this.#epoch;
  }

  /**
   * Writes down what the book already did. `durable` waits for the disk.
   *
   * Throws STATE_UNWRITABLE; the book is then again what it was before those records.
   */
  append(records: readonly LeaseRecord[], durable: boolean): void {
    if (records.length === 0) return;
    const bytes = Buffer.from(records.map(encodeLine).join(""));
    try {
      const written = this.#write(this.#file, bytes);
      if (written !== bytes.length) throw new Error("the disk took only a part of a record");
      if (durable) fsyncSync(this.#file);
    } catch (error) {
      this.#undo();
      throw unwritable(this.path, error);
    }
    this.#size += bytes.length;
    this.#records += records.length;
    if (this.#records > this.#compactAbove) this.#compact();
  }

  close(): void {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
  }

  #open(): void {
    const text = readIfExists(this.path);
    if (text === undefined) {
      this.#epoch = readFileSync(KERNEL_UUID, "latin1").trim();
      this.#writeSnapshot();
      return;
    }
    const loaded = load(this.path, text);
    this.#epoch = loaded.epoch;
    this.#book = loaded.book;
    this.#records = loaded.records;
    if (loaded.damaged) {
      this.#setAside(text);
      return;
    }
    this.#file = openSync(this.path, "a");
    this.#size = loaded.goodBytes;
    if (loaded.goodBytes < text.length) {
      ftruncateSync(this.#file, loaded.goodBytes);
      this.#logger.warn("the last record of the lease file was torn and is cut off", {
        file: this.path,
        bytes: text.length - loaded.goodBytes,
      });
    }
  }

  /** What can be read is kept, but nothing is given until the daemon has set the space again. */
  #setAside(text: Uint8Array): void {
    const copy = `${this.path}.damaged`;
    atomicWriteSync(copy, text, 0o600);
    const space = this.#book.space;
    if (space) applyRecord(this.#book, { type: "space", space: { ...space, ready: false } });
    this.#writeSnapshot();
    this.#logger.error("the lease file was damaged: unreadable records are lost", { copy });
  }

  #writeSnapshot(): void {
    const snapshot = encodeLine({ type: "snapshot", ...this.#book.snapshot() });
    const text = `${HEADER} ${this.#epoch}\n${snapshot}`;
    atomicWriteSync(this.path, text, 0o600);
    this.close();
    this.#file = openSync(this.path, "a");
    this.#size = Buffer.byteLength(text);
    this.#records = 0;
  }

  #compact(): void {
    try {
      this.#writeSnapshot();
    } catch (error) {
      // The long file is as good as a short one: go on with it and try again later.
      this.#records = 0;
      this.#logger.warn("the lease file could not be made shorter", { file: this.path, error });
    }
  }

  /** Cuts off what the failed write left; the book is taken from disk again at its next use. */
  #undo(): void {
    try {
      ftruncateSync(this.#file, this.#size);
    } catch (error) {
      // The rest of a line without its sum's match is cut off when the file is read.
      this.#logger.error("a failed write could not be cut off", { file: this.path, error });
    }
    this.close();
  }

  #reopen(): void {
    try {
      this.#open();
    } catch (error) {
      this.close();
      throw unwritable(this.path, error);
    }
  }
}

function encodeLine(value: object): string {
  const json = JSON.stringify(value);
  return `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
}

/** The value of a whole line, or undefined when its sum is wrong. */
function decodeLine(line: string): unknown {
  const json = line.slice(9);
  if (line[8] !== " " || crc32(json).toString(16).padStart(8, "0") !== line.slice(0, 8)) {
    return undefined;
  }
  try {
    return JSON.parse(json);
  } catch {
    // The sum is right but it is no JSON: not written by us.
    return undefined;
  }
}

function load(path: string, bytes: Uint8Array): Loaded {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  // What follows the last newline is torn, or empty.
  lines.pop();
  const [head = "", first = "", ...rest] = lines;
  const epoch = head.startsWith(`${HEADER} `) ? head.slice(HEADER.length + 1) : "";
  const book = LeaseBook.restore(decodeLine(first));
  if (!/^[0-9a-f-]{36}$/.test(epoch) || !book) {
    throw new HansaError("STATE_DAMAGED", `${path} does not begin as a lease file of this version`);
  }
  let goodBytes = Buffer.byteLength(head) + Buffer.byteLength(first) + 2;
  let records = 0;
  let bad = 0;
  let damaged = false;
  for (const line of rest) {
    const record = parseLeaseRecord(decodeLine(line));
    if (!record) {
      bad++;
      continue;
    }
    applyRecord(book, record);
    records++;
    if (bad === 0) goodBytes += Buffer.byteLength(line) + 1;
    else damaged = true;
  }
  return { book, epoch, records, goodBytes, damaged };
}

function readIfExists(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function unwritable(path: string, error: unknown): Error {
  if (error instanceof HansaError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new HansaError("STATE_UNWRITABLE", `${path} cannot be written: ${reason}`, {
    cause: error,
  });
}
