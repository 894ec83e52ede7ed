/**
 * Keeps up with a part of the store: all of it first, then each change, and all of it again when changes were forgotten meanwhile.
 *
 * Invariant: nothing is missed and nothing comes twice: each step begins at the revision after the one that the step before ended at.
 */
import type { Change, Entry, Revision, Store } from "./store.ts";

export type Followed =
  /** What is there now, in place of all that was told before. */
  | { readonly type: "all"; readonly entries: readonly Entry[]; readonly revision: Revision }
  | { readonly type: "changes"; readonly changes: readonly Change[]; readonly revision: Revision };

/** Ends when `signal` aborts; throws as the store does, and is then begun anew, `after` what was seen last where that is known. */
export async function* follow(
  store: Pick<Store, "list" | "watch">,
  prefix: string,
  signal: AbortSignal,
  after?: Revision,
): AsyncIterable<Followed> {
  let seen = after;
  while (!signal.aborted) {
    if (seen === undefined) {
      const { entries, revision } = await store.list(prefix);
      seen = revision;
      yield { type: "all", entries, revision };
    }
    for await (const event of store.watch(prefix, seen + 1n, signal)) {
      if (event.type === "compacted") {
        seen = undefined;
        break;
      }
      seen = event.revision;
      yield event;
    }
  }
}
