/**
 * The files of a node's mirror: a copy of the whole store, and a journal of what changed since.
 *
 * Invariants: whatever byte a write was broken off at, what is read is the store as it was at one revision; the copy is written anew when the journal has
 * grown as large as it, so that a byte of change costs a few bytes of writing. The former store's copy is kept once when another takes its place.
 */
import { type FileHandle, link, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "../errors.ts";
import { atomicWrite, ensureDir, readIfExists } from "../host/files.ts";
import { MirrorEntries } from "./mirror-entries.ts";
import { decodeJournal, encodeJournalHead } from "./mirror-journal.ts";
import type { Revision } from "./store.ts";
import { decodeStoreCopy, encodeStoreCopy, type NamedStore, type StoreCopy } from "./store-copy.ts";

/** What lies on disk. */
export interface LoadedMirror {
  readonly store: NamedStore;
  readonly entries: MirrorEntries;
  readonly revision: Revision;
  readonly currentAtMs: number;
}

/** A copy smaller than this is not worth being written anew for every few changes. */
const MIN_JOURNAL_BYTES = 1024 * 1024;

export class MirrorFiles {
  readonly #dir: string;
  #copyBytes = 0;
  #journalBytes = 0;
  #journal: FileHandle | undefined;
  /** Of the store that the copy is of. */
  #mark: string | undefined;
  #isUnsynced = false;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Undefined where there is none; `damaged` is told of what cannot be read, which is set aside. Throws the system's errors. */
  async load(damaged: (reason: string) => void): Promise<LoadedMirror | undefined> {
    const bytes = await readIfExists(this.#path("copy"));
    if (bytes === undefined) return undefined;
    const decoded = decodeStoreCopy(bytes);
    if (!decoded.ok) {
      damaged(`${this.#path("copy")} ${decoded.reason}`);
      await rename(this.#path("copy"), this.#path("copy.damaged"));
      return undefined;
    }
    const { copy } = decoded;
    this.#mark = markOf(copy.store);
    this.#copyBytes = bytes.length;
    const loaded = withJournal(copy, await readIfExists(this.#path("journal")));
    // Nothing may come after a record that is not whole; and what belongs to another copy ends here.
    if (loaded.length !== undefined) await this.#reopen(loaded.length);
    return loaded;
  }

  /** Whether the journal may grow by so many bytes; else, or where there is none, the copy is to be written. */
  takes(bytes: number): boolean {
    const most = Math.max(MIN_JOURNAL_BYTES, this.#copyBytes);
    return this.#journal !== undefined && this.#journalBytes + bytes <= most;
  }

  /** Records, encoded. Throws the system's errors; the journal is then not good for more. */
  async append(bytes: Uint8Array): Promise<void> {
    const journal = this.#journal;
    if (journal === undefined) return;
    try {
      // It appends: the file was opened so.
      await journal.appendFile(bytes);
      this.#journalBytes += bytes.length;
      this.#isUnsynced = true;
    } catch (error) {
      // Part of it may be there, and what came after it would not be read.
      await this.#closeJournal();
      throw error;
    }
  }

  /** Makes what was appended survive a power cut. */
  async sync(): Promise<void> {
    if (!this.#isUnsynced) return;
    this.#isUnsynced = false;
    await this.#journal?.datasync();
  }

  /** Throws STATE_UNWRITABLE, and the system's other errors. */
  async writeCopy(copy: StoreCopy): Promise<void> {
    await ensureDir(this.#dir, 0o700);
    await this.#closeJournal();
    const mark = markOf(copy.store);
    if (this.#mark !== undefined && this.#mark !== mark) await this.#setAside();
    const bytes = encodeStoreCopy(copy);
    await atomicWrite(this.#path("copy"), bytes, 0o600);
    this.#mark = mark;
    this.#copyBytes = bytes.length;
    // A daemon that dies here leaves the former journal: what is in it is in the copy, or of another store.
    const head = encodeJournalHead(copy.store);
    await atomicWrite(this.#path("journal"), head, 0o600);
    await this.#reopen(head.length);
  }

  async close(): Promise<void> {
    await this.sync();
    await this.#closeJournal();
  }

  async #reopen(length: number): Promise<void> {
    const journal = await open(this.#path("journal"), "a", 0o600);
    try {
      await journal.truncate(length);
    } catch (error) {
      await journal.close();
      throw error;
    }
    this.#journal = journal;
    this.#journalBytes = length;
  }

  async #closeJournal(): Promise<void> {
    const journal = this.#journal;
    this.#journal = undefined;
    await journal?.close();
  }

  /** By a second name, so that there is never none: the new copy then takes the place of the first. */
  async #setAside(): Promise<void> {
    await rm(this.#path("copy.former"), { force: true });
    try {
      await link(this.#path("copy"), this.#path("copy.former"));
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }
}

/** The copy with the journal's changes; `length` is how much of the journal is good, undefined when it belongs to another copy or is none. */
function withJournal(
  copy: StoreCopy,
  bytes: Uint8Array | undefined,
): LoadedMirror & { readonly length: number | undefined } {
  const entries = new MirrorEntries(copy.entries);
  let { revision, takenAtMs: currentAtMs } = copy;
  const journal = bytes && decodeJournal(bytes);
  const isOurs = journal !== undefined && markOf(journal.mark) === markOf(copy.store);
  for (const record of isOurs ? journal.records : []) {
    if (record.type === "changes" && record.revision > revision) {
      entries.apply(record.changes.filter((change) => revisionOf(change) > copy.revision));
      revision = record.revision;
    }
    // The last one counts, also where the clock was set back in between.
    currentAtMs = record.atMs;
  }
  return {
    store: copy.store,
    entries,
    revision,
    currentAtMs,
    length: isOurs ? journal.length : undefined,
  };
}

function revisionOf(change: { entry: { revision: Revision } } | { revision: Revision }): Revision {
  return "entry" in change ? change.entry.revision : change.revision;
}

function markOf({ id, generation }: { readonly id: string; readonly generation: number }): string {
  return `${id} ${generation}`;
}
