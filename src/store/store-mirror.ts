/**
 * All of the store as this node last knew it: in memory for who reads, and on disk for the next daemon and for recovery.
 *
 * Invariants: within one generation of a store its revision only grows; what is read is the store as it was at one revision; the memory never waits for the disk,
 * and a disk that takes nothing costs a warning.
 */
import { codedSentence, isHansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import { MirrorEntries } from "./mirror-entries.ts";
import { type LoadedMirror, MirrorFiles } from "./mirror-files.ts";
import { encodeJournalRecord, type JournalRecord } from "./mirror-journal.ts";
import type { Change, Entry, Revision } from "./store.ts";
import type { NamedStore, StoreCopy } from "./store-copy.ts";
import { isOutlived, isSameStore } from "./store-mark.ts";

export interface MirrorOptions {
  /** Its own; made at the first write. */
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** There may be another problem. */
  readonly changed: () => void;
}

/** Changes wait so long for others before they are appended together: a write to disk costs more than the change. */
const GATHER_MS = 100;
/** After the last append, until what was appended is made to survive a power cut: 1 s after the last change. */
const SYNC_MS = 1000 - GATHER_MS;
/** How much older the disk may say that the mirror is, while nothing changes. */
const NOTE_MS = 60_000;
/** Times of changes that are remembered: as many revisions as the store keeps. */
const MAX_SEEN = 10_000;
/** After a write that failed. */
const RETRY_MS = 10_000;

interface Held extends LoadedMirror {
  readonly revision: Revision;
}

export class StoreMirror {
  readonly #options: MirrorOptions;
  readonly #files: MirrorFiles;
  #held: Held | undefined;
  /** Records that are not on disk yet; undefined: the whole copy is to be written. */
  #unwritten: Buffer[] | undefined = [];
  #writing: Promise<void> | undefined;
  readonly #seenAtMs = new Map<Revision, number>();
  #notedAtMs = 0;
  /** When it was last known to be current, by the monotonic clock; undefined: not in this life. */
  #currentAtMonotonicMs: number | undefined;
  #problem: string | undefined;
  #cancelSync = (): void => undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelGather: (() => void) | undefined;
  #closed = false;

  /** A disk that cannot be read costs what is on it, and never the daemon its start. */
  static async load(options: MirrorOptions): Promise<StoreMirror> {
    const mirror = new StoreMirror(options);
    try {
      mirror.#held = await mirror.#files.load((reason) =>
        options.logger.error("the mirror of the store is damaged and begun anew", { reason }),
      );
    } catch (error) {
      options.logger.error("the mirror of the store cannot be read", { error: `${error}` });
      const said = error instanceof Error ? error.message : `${error}`;
      mirror.#problem = `STATE_DAMAGED: ${options.dir} cannot be read: ${said}, so this node has no copy of the store until the next change of it`;
    }
    mirror.#notedAtMs = mirror.#held?.currentAtMs ?? 0;
    return mirror;
  }

  private constructor(options: MirrorOptions) {
    this.#options = options;
    this.#files = new MirrorFiles(options.dir);
  }

  /** Of which store it is; undefined: nothing was ever seen of any. */
  get store(): NamedStore | undefined {
    return this.#held?.store;
  }

  get revision(): Revision {
    return this.#held?.revision ?? 0n;
  }

  /** How long ago the store was known to be as this says: by the monotonic clock where that was in this life, else by the wall clock, which may have been set since. */
  get ageMs(): number | undefined {
    const { clock } = this.#options;
    if (this.#held === undefined) return undefined;
    const sinceMs = this.#currentAtMonotonicMs;
    if (sinceMs !== undefined) return Math.max(0, clock.monotonicMs() - sinceMs);
    return Math.max(0, clock.wallMs() - this.#held.currentAtMs);
  }

  /** Why it is not on disk, while that is so. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Not to be changed. */
  get(key: string): Entry | undefined {
    return this.#held?.entries.get(key);
  }

  /** In the order of their keys' bytes. Not to be changed. */
  list(prefix: string): readonly Entry[] {
    return this.#held?.entries.list(prefix) ?? [];
  }

  /** When the change of that revision came, by the wall clock; undefined for one from before this daemon, or long ago. */
  seenAtMs(revision: Revision): number | undefined {
    return this.#seenAtMs.get(revision);
  }

  /** All of it, as a backup has it; undefined when nothing was ever seen. */
  copy(): StoreCopy | undefined {
    if (this.#held === undefined) return undefined;
    const { store, entries, revision, currentAtMs } = this.#held;
    return { store, revision, takenAtMs: Math.floor(currentAtMs), entries: entries.list("") };
  }

  /** The store is this from now on, and was at `atMs` by the wall clock. False, and nothing is changed, for an earlier revision of the same generation, or an earlier generation. */
  replace(store: NamedStore, entries: readonly Entry[], revision: Revision, atMs: number): boolean {
    const known = this.#held;
    if (known && isOutlived(store, known.store)) return false;
    const isSame = known !== undefined && isSameStore(store, known.store);
    if (isSame && revision < known.revision) return false;
    const isNewer = !isSame || this.#isNewer(atMs);
    const currentAtMs = isNewer ? atMs : known.currentAtMs;
    this.#held = { store, entries: new MirrorEntries(entries), revision, currentAtMs };
    if (isNewer) this.#currentAtMonotonicMs = this.#monotonicOf(atMs);
    this.#unwritten = undefined;
    this.#write();
    return true;
  }

  /** What came after `revision`, up to this one. */
  apply(changes: readonly Change[], revision: Revision): void {
    const held = this.#held;
    if (held === undefined || revision <= held.revision) return;
    held.entries.apply(changes);
    this.#remember(changes);
    this.#held = { ...held, revision };
    this.#note({ type: "changes", atMs: Math.floor(held.currentAtMs), revision, changes });
  }

  /** At `atMs`, by the wall clock, the store was at `revision`. Counts when the mirror has that. */
  confirm(revision: Revision, atMs: number): void {
    const held = this.#held;
    if (held === undefined || held.revision < revision || !this.#isNewer(atMs)) return;
    this.#held = { ...held, currentAtMs: atMs };
    this.#currentAtMonotonicMs = this.#monotonicOf(atMs);
    // A clock that was set back is written down too.
    if (Math.abs(atMs - this.#notedAtMs) >= NOTE_MS) this.#noteTime();
  }

  /** It will not be confirmed for a while: the disk should know when it last was. */
  settle(): void {
    if (this.#held && Math.floor(this.#held.currentAtMs) !== this.#notedAtMs) this.#noteTime();
  }

  /** What can be read now is in the files, or could not be written: a daemon that dies after this does not go back behind it. */
  async written(): Promise<void> {
    await this.#writing;
    if (this.#cancelGather === undefined) return;
    this.#write();
    await this.#writing;
  }

  async close(): Promise<void> {
    this.settle();
    this.#closed = true;
    this.#cancelSync();
    this.#cancelRetry?.();
    await this.written();
    this.#cancelGather?.();
    try {
      await this.#files.close();
    } catch (error) {
      this.#failed(error);
    }
  }

  #remember(changes: readonly Change[]): void {
    const nowMs = this.#options.clock.wallMs();
    for (const change of changes) {
      const revision = change.type === "put" ? change.entry.revision : change.revision;
      this.#seenAtMs.set(revision, nowMs);
    }
    for (const revision of this.#seenAtMs.keys()) {
      if (this.#seenAtMs.size <= MAX_SEEN) break;
      this.#seenAtMs.delete(revision);
    }
  }

  /** Whether a time by the wall clock, a moment ago, is after the last one, which may be of a clock that was set since. */
  #isNewer(atMs: number): boolean {
    const lastMs = this.#currentAtMonotonicMs;
    if (lastMs !== undefined) return this.#monotonicOf(atMs) > lastMs;
    const held = this.#held;
    const isAhead = held !== undefined && held.currentAtMs > this.#options.clock.wallMs();
    return held === undefined || isAhead || atMs > held.currentAtMs;
  }

  #monotonicOf(atMs: number): number {
    const { clock } = this.#options;
    return clock.monotonicMs() - Math.max(0, clock.wallMs() - atMs);
  }

  #noteTime(): void {
    if (this.#held === undefined) return;
    const { currentAtMs, revision } = this.#held;
    this.#note({ type: "current", atMs: Math.floor(currentAtMs), revision });
  }

  #note(record: JournalRecord): void {
    this.#notedAtMs = record.atMs;
    this.#unwritten?.push(encodeJournalRecord(record));
    this.#writeSoon();
  }

  /** Together with what comes until then. */
  #writeSoon(): void {
    if (this.#cancelGather !== undefined || this.#writing !== undefined) return;
    this.#cancelGather = this.#options.clock.after(GATHER_MS, () => {
      this.#cancelGather = undefined;
      this.#write();
    });
  }

  /** Writes what there is to write, unless it is being written or was refused a moment ago. */
  #write(): void {
    if (this.#writing !== undefined || this.#cancelRetry !== undefined) return;
    this.#cancelGather?.();
    this.#cancelGather = undefined;
    this.#writing = this.#writeAll().then((isDone) => {
      this.#writing = undefined;
      // Some may have come after the last look at it.
      if (isDone && this.#isUnwritten) this.#writeSoon();
    });
  }

  get #isUnwritten(): boolean {
    return this.#unwritten === undefined || this.#unwritten.length > 0;
  }

  /** False when it failed. */
  async #writeAll(): Promise<boolean> {
    try {
      while (this.#isUnwritten) {
        const records = this.#unwritten && Buffer.concat(this.#unwritten);
        this.#unwritten = [];
        if (records && this.#files.takes(records.length)) await this.#files.append(records);
        else await this.#writeCopy();
      }
      this.#tell(undefined);
      if (!this.#closed) this.#syncLater();
      return true;
    } catch (error) {
      this.#unwritten = undefined;
      this.#failed(error);
      if (this.#closed) return false;
      this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => {
        this.#cancelRetry = undefined;
        this.#write();
      });
      return false;
    }
  }

  async #writeCopy(): Promise<void> {
    const copy = this.copy();
    if (copy) await this.#files.writeCopy(copy);
  }

  #syncLater(): void {
    this.#cancelSync();
    this.#cancelSync = this.#options.clock.after(SYNC_MS, () => {
      this.#files.sync().catch((error: unknown) => this.#failed(error));
    });
  }

  #failed(error: unknown): void {
    const said = error instanceof Error ? error.message : `${error}`;
    const why = isHansaError(error)
      ? codedSentence(error)
      : `STATE_UNWRITABLE: ${this.#options.dir} cannot be written: ${said}`;
    this.#options.logger.error("the mirror of the store cannot be written", { error: `${error}` });
    this.#tell(`${why}, so this node's copy of the store is not kept across restarts`);
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.changed();
  }
}
