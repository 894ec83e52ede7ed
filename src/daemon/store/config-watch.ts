/**
 * Changes of the configuration as they come, for one reader of the API: each with a place, at which any node goes on.
 *
 * Invariants: nothing is missed and nothing comes twice, over losses of voters, of the majority and of the reader's own connection; what cannot be told any
 * more, because the store forgot it or was made anew, is said.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { StreamEvent } from "../../api/event-stream.ts";
import { Places } from "../../api/places.ts";
import type { ConfigEvent } from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import { CLUSTER_NAME_KEY } from "../../store/node-registry.ts";
import type { NodeStore, Reached } from "../../store/node-store.ts";
import type { Change, Revision } from "../../store/store.ts";
import type { StoreMark } from "../../store/store-mark.ts";
import { CONFIG_PREFIX, textOf } from "./config-answers.ts";

/** At one time at this node, of which one certificate may have 52: each is a watch of the store. */
const MAX_WATCHERS = 64;
const RETRY_MS = 1000;

export interface ConfigWatchOptions {
  readonly store: Pick<NodeStore, "reach" | "leave">;
  /** A refusal for want of a majority, with the votes that are missing; others unchanged. */
  readonly inPlainWords: (error: unknown) => Promise<unknown>;
}

/** How far a reader is. */
interface Seen {
  readonly mark: StoreMark;
  readonly revision: Revision;
}

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #places = new Places(MAX_WATCHERS);

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
  }

  /** From now on, or behind the place `after`; counted for `who`. The first event tells where it begins. Throws API_WATCHERS_MANY at once. */
  watch(
    prefix: string,
    after: string | undefined,
    signal: AbortSignal,
    who: string,
  ): AsyncIterable<object> {
    const release = this.#places.take(who);
    if (release === undefined) {
      const text = `${this.#places.taken} programs watch the configuration at this node already, ${this.#places.heldBy(who)} of them with the same certificate`;
      throw new HansaError("API_WATCHERS_MANY", text);
    }
    // Nobody may ever ask for the first event.
    if (signal.aborted) release();
    else signal.addEventListener("abort", release, { once: true });
    return this.#told(prefix, placeIn(after), signal, release);
  }

  async *#told(
    prefix: string,
    after: Seen | undefined,
    signal: AbortSignal,
    release: () => void,
  ): AsyncGenerator<StreamEvent> {
    let seen = after;
    let waitsFor: string | undefined;
    try {
      while (!signal.aborted) {
        let reached: Reached | undefined;
        try {
          reached = await this.#options.store.reach();
          const begun = await begin(reached, seen);
          if (begun.isNew || waitsFor !== undefined) {
            yield eventAt(begun.seen, { missed: begun.missed });
          }
          waitsFor = undefined;
          seen = begun.seen;
          const either = AbortSignal.any([signal, reached.ended]);
          const from = seen.revision + 1n;
          for await (const event of reached.store.watch(CONFIG_PREFIX + prefix, from, either)) {
            if (event.type === "compacted") {
              seen = { mark: reached.mark, revision: 0n };
              break;
            }
            seen = { mark: reached.mark, revision: event.revision };
            yield eventAt(seen, { changes: event.changes.map(toldChange) });
          }
        } catch (error) {
          if (signal.aborted) return;
          if (reached) this.#options.store.leave(reached);
          const known = await this.#options.inPlainWords(error);
          if (!isHansaError(known) || known.code === "STORE_NONE") throw known;
          // The reader hears that it waits, once for each reason.
          if (waitsFor !== known.message) yield waiting(seen, known.message);
          waitsFor = known.message;
          await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
        }
      }
    } finally {
      release();
    }
  }
}

/** Where the reader goes on at this voter. */
async function begin(
  { mark, store }: Reached,
  seen: Seen | undefined,
): Promise<{ readonly seen: Seen; readonly isNew: boolean; readonly missed: boolean }> {
  const isSame = seen?.mark.id === mark.id && seen.mark.generation === mark.generation;
  if (seen && isSame && seen.revision > 0n) return { seen, isNew: false, missed: false };
  const { revision } = await store.get(CLUSTER_NAME_KEY);
  return { seen: { mark, revision }, isNew: true, missed: seen !== undefined };
}

function eventAt({ mark, revision }: Seen, part: Partial<ConfigEvent>): StreamEvent {
  const event: ConfigEvent = {
    ...{ revision: `${revision}`, changes: [], missed: false, waitsFor: null },
    ...part,
  };
  return new StreamEvent(`${mark.id}-${mark.generation}-${revision}`, event);
}

function waiting(seen: Seen | undefined, waitsFor: string): StreamEvent {
  return eventAt(seen ?? { mark: { id: "0", generation: 0 }, revision: 0n }, { waitsFor });
}

/** As the API tells it. */
export function toldChange(change: Change): ConfigEvent["changes"][number] {
  if (change.type === "put") return { type: "put", ...textOf(change.entry) };
  const key = change.key.slice(CONFIG_PREFIX.length);
  return { type: "remove", key, revision: `${change.revision}` };
}

/** As `eventAt` made it; of no store: undefined. */
function placeIn(id: string | undefined): Seen | undefined {
  const found = /^([0-9a-f]{1,32})-([1-9]\d{0,9})-([1-9]\d{0,18})$/.exec(id ?? "");
  if (!found) return undefined;
  const [, store = "", generation, revision = "0"] = found;
  return { mark: { id: store, generation: Number(generation) }, revision: BigInt(revision) };
}
