/**
 * What an entry of the configuration was: the revisions of it that the store still keeps.
 *
 * Invariant: `isWhole` only where the first one told is the entry's making.
 */
import { isHansaError } from "../../errors.ts";
import type { Change, Entry, Revision, Store } from "../../store/store.ts";

export interface EntryHistory {
  /** The oldest first. */
  readonly changes: readonly Change[];
  /** Nothing of this entry is forgotten since it was made, after its last removal or ever. */
  readonly isWhole: boolean;
}

/** Of an entry that is gone there is no last change to wait for: so long after the last one that came. */
const QUIET_MS = 400;

/** Throws as the store does. */
export async function historyOf(
  store: Pick<Store, "get" | "watch">,
  key: string,
): Promise<EntryHistory> {
  const { entry, revision: now } = await store.get(key);
  const { changes, oldest } = await changesSince(store, key, 1n, entry, now);
  if (oldest === undefined) return { changes, isWhole: true };
  // What it was when the store forgot everything before.
  const base = await entryAt(store, key, oldest);
  const later =
    oldest < now ? (await changesSince(store, key, oldest + 1n, entry, now)).changes : [];
  const all: Change[] = [...(base ? [{ type: "put", entry: base } as const] : []), ...later];
  return { changes: all, isWhole: base !== undefined && base.created === base.revision };
}

async function entryAt(
  store: Pick<Store, "get">,
  key: string,
  at: Revision,
): Promise<Entry | undefined> {
  try {
    return (await store.get(key, { at })).entry;
  } catch (error) {
    // Forgotten in the meantime, or of a former generation.
    if (isHansaError(error, "STORE_COMPACTED")) return undefined;
    throw error;
  }
}

/** Those of exactly this key, up to `now`; `oldest` where the store has forgotten `from`. */
async function changesSince(
  store: Pick<Store, "watch">,
  key: string,
  from: Revision,
  entry: Entry | undefined,
  now: Revision,
): Promise<{ readonly changes: Change[]; readonly oldest?: Revision }> {
  const changes: Change[] = [];
  const ending = new AbortController();
  const end = (): void => ending.abort();
  let quiet = setTimeout(end, QUIET_MS);
  // Where it is there, its last change is known, and worth any wait; the store's own deadline is not for watches.
  if (entry !== undefined) clearTimeout(quiet);
  try {
    if (entry !== undefined && entry.revision < from) return { changes };
    for await (const event of store.watch(key, from, ending.signal)) {
      if (event.type === "compacted") return { changes, oldest: event.oldest };
      changes.push(
        ...event.changes.filter((change) => isOf(change, key) && revisionOf(change) <= now),
      );
      if (entry !== undefined && event.revision >= entry.revision) break;
      if (entry === undefined) {
        clearTimeout(quiet);
        quiet = setTimeout(end, QUIET_MS);
      }
    }
    return { changes };
  } finally {
    clearTimeout(quiet);
    end();
  }
}

function isOf(change: Change, key: string): boolean {
  return (change.type === "put" ? change.entry.key : change.key) === key;
}

function revisionOf(change: Change): Revision {
  return change.type === "put" ? change.entry.revision : change.revision;
}
