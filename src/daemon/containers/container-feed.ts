/**
 * Events of containers for those who watch them.
 *
 * Invariants: each watcher is told all first and then every change, in order; one that reads too slowly for the changes is told all anew instead, so
 * what is kept for a watcher is bounded; an event is one object for all watchers, so that it is written as JSON once (api/event-stream.ts).
 */
import type { ContainerEvent, Containers } from "../../api/container-schema.ts";
import { Places } from "../../api/places.ts";
import { HansaError } from "../../errors.ts";

/** At one time: each costs a connection, and a reference for each event that it did not read yet. */
export const MAX_CONTAINER_WATCHERS = 1_024;
/** Events that wait for one watcher. */
const MAX_WAITING = 256;
/** All is put together anew after so long even when nothing changed: it says when it was so. */
const KEEP_ALL_MS = 1_000;

interface Watcher {
  waiting: ContainerEvent[];
  /** Whether it is to be told all: at first, and after it fell behind. */
  isBehind: boolean;
  wake: () => void;
}

export class ContainerFeed {
  readonly #list: () => Containers;
  readonly #watchers = new Set<Watcher>();
  readonly #places = new Places(MAX_CONTAINER_WATCHERS);
  /** All as of a moment ago and the last change, for whoever is to be told all. */
  #all: { readonly event: ContainerEvent; readonly atMs: number } | undefined;

  /** `list` gives all containers of the moment. */
  constructor(list: () => Containers) {
    this.#list = list;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** `list` would answer so now. */
  tell(event: ContainerEvent): void {
    this.#all = undefined;
    for (const watcher of this.#watchers) {
      if (watcher.isBehind) continue;
      watcher.waiting.push(event);
      if (watcher.waiting.length > MAX_WAITING) {
        watcher.isBehind = true;
        watcher.waiting = [];
      }
      watcher.wake();
    }
  }

  /** Until `signal` aborts; counted for `who`. Throws API_WATCHERS_MANY at once. */
  watch(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent> {
    const release = this.#places.take(who);
    if (release === undefined) {
      const text = `${this.#places.taken} programs watch this node's containers already, ${this.#places.heldBy(who)} of them with the same certificate`;
      throw new HansaError("API_WATCHERS_MANY", text);
    }
    const watcher: Watcher = { waiting: [], isBehind: true, wake: () => undefined };
    this.#watchers.add(watcher);
    const leave = (): void => {
      this.#watchers.delete(watcher);
      release();
      watcher.wake();
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    return this.#events(watcher, signal, leave);
  }

  /** The same object for readers that come together. */
  #allNow(): ContainerEvent {
    const nowMs = performance.now();
    if (this.#all === undefined || nowMs - this.#all.atMs > KEEP_ALL_MS) {
      this.#all = { event: { type: "all", ...this.#list() }, atMs: nowMs };
    }
    return this.#all.event;
  }

  async *#events(
    watcher: Watcher,
    signal: AbortSignal,
    leave: () => void,
  ): AsyncGenerator<ContainerEvent> {
    try {
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          watcher.wake = resolve;
        });
        if (watcher.isBehind) {
          watcher.isBehind = false;
          watcher.waiting = [];
          yield this.#allNow();
        }
        const event = watcher.waiting.shift();
        if (event) yield event;
        else if (!watcher.isBehind && !signal.aborted) await woken;
      }
    } finally {
      leave();
    }
  }
}
