/**
 * Writes a copy of a store into an empty one, in few commits.
 *
 * Invariant: the values are the copy's, byte for byte; the revisions are the new store's own.
 */
import { isHansaError } from "../errors.ts";
import { type Entry, MAX_OPERATIONS, type Store, type Write } from "./store.ts";
import type { StoreCopy } from "./store-copy.ts";

/** Of keys and values in one commit; etcd takes 1.5 MiB, and one value may have 1 MiB. */
const MAX_BATCH_BYTES = 1024 * 1024;
/** On a slow disk. */
const MAX_TRIES = 10;

/** Throws as the store does. */
export async function writeCopy(store: Pick<Store, "commit">, copy: StoreCopy): Promise<void> {
  for (const batch of batches(copy.entries)) {
    await written(store, batch.map(write));
  }
}

/** Written again where no answer came in time: it is the only one who writes, so that twice is as once. */
async function written(store: Pick<Store, "commit">, writes: readonly Write[]): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await store.commit({ conditions: [], writes });
      return;
    } catch (error) {
      if (tries === MAX_TRIES || !isHansaError(error, "STORE_NO_QUORUM")) throw error;
    }
  }
}

/** Parts that each fit into one commit, in order. */
export function batches(entries: readonly Entry[]): Entry[][] {
  const parts: Entry[][] = [];
  let size = 0;
  for (const entry of entries) {
    const bytes = Buffer.byteLength(entry.key) + entry.value.length;
    const last = parts.at(-1);
    const fits = last && last.length < MAX_OPERATIONS && size + bytes <= MAX_BATCH_BYTES;
    if (fits) {
      last.push(entry);
      size += bytes;
    } else {
      parts.push([entry]);
      size = bytes;
    }
  }
  return parts;
}

function write({ key, value }: Entry): Write {
  return { type: "put", key, value };
}
