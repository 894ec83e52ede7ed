/**
 * Keeps this node's mirror at the store: follows all of it by whichever voter answers, and knows when it last was the same.
 *
 * Invariants: the mirror is changed by one voter's stream at a time, which says first whose store it is, and which is this node's own before long where it has
 * a vote; the mirror counts as current only as of a moment before a majority told the store's revision. While nothing changes the daemon wakes for it once in LOOK_MS, and not at all where no voter is heard.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { codedSentence, HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { follow } from "../../store/follow.ts";
import { CLUSTER_NAME_KEY } from "../../store/node-registry.ts";
import type { NodeStore, Reached } from "../../store/node-store.ts";
import type { Revision } from "../../store/store.ts";
import type { NamedStore } from "../../store/store-copy.ts";
import type { StoreMirror } from "../../store/store-mirror.ts";
import { StoreTrouble } from "./store-trouble.ts";

export interface MirrorLoopOptions {
  readonly mirror: StoreMirror;
  readonly store: Pick<NodeStore, "reach" | "leave" | "ownBeside" | "answered">;
  /** Whether any voter is heard. */
  readonly hasWay: () => boolean;
  /** It has something new. */
  readonly news?: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: LOOK_MS. */
  readonly lookMs?: number;
}

/** The mirror's age is known as well as this. */
const LOOK_MS = 10_000;
const MIN_RETRY_MS = 200;
const MAX_RETRY_MS = 2000;

/** At `atMs`, by the wall clock, the store was at `revision`. */
interface Confirmation {
  readonly revision: Revision;
  readonly atMs: number;
}

export class MirrorLoop {
  readonly #options: MirrorLoopOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #wake = (): void => undefined;
  #said: string | undefined;
  /** What a majority told and the mirror has not come to yet. */
  #awaited: Confirmation | undefined;
  /** That it cannot follow the store that there is. */
  readonly #trouble = new StoreTrouble();

  constructor(options: MirrorLoopOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#running = this.#run();
  }

  /** A voter may be heard now. Cheap. */
  changed(): void {
    if (this.#options.hasWay()) this.#wake();
  }

  /** What `status` is to say of it, with its code. */
  get problem(): string | undefined {
    return this.#trouble.sentence(this.#options.clock.monotonicMs());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#running;
    await this.#options.mirror.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let retryMs = MIN_RETRY_MS;
    while (!signal.aborted) {
      if (!this.#options.hasWay()) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = () => undefined;
        continue;
      }
      const began = this.#options.clock.monotonicMs();
      try {
        await this.#follow(await this.#options.store.reach());
      } catch (error) {
        this.#lost(error);
      }
      this.#options.mirror.settle();
      const hasHeld = this.#options.clock.monotonicMs() - began > MAX_RETRY_MS;
      retryMs = hasHeld ? MIN_RETRY_MS : Math.min(2 * retryMs, MAX_RETRY_MS);
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Until the voter, its connection or the majority is lost. */
  async #follow(reached: Reached): Promise<void> {
    const { mirror, logger, clock } = this.#options;
    const beganMs = clock.wallMs();
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, reached.ended, ending.signal]);
    const known = mirror.store;
    const isSame = known?.id === reached.mark.id && known.generation === reached.mark.generation;
    const looking = this.#look(reached, signal, isSame).finally(() => ending.abort());
    // Awaited below, where the stream has ended.
    looking.catch(() => undefined);
    try {
      const after = isSame ? mirror.revision : undefined;
      for await (const step of follow(reached.store, "", signal, after)) {
        if (step.type === "changes") mirror.apply(step.changes, step.revision);
        else if (mirror.replace(reached.mark, step.entries, step.revision, beganMs))
          logger.info("the store is mirrored", { ...reached.mark, revision: `${step.revision}` });
        else throw isBehind(reached.mark, mirror);
        this.#trouble.note(undefined, clock.monotonicMs());
        this.#options.news?.();
        this.#awaited = this.#confirmed(this.#awaited);
        this.#said = undefined;
      }
    } catch (error) {
      this.#options.store.leave(reached);
      throw error;
    } finally {
      ending.abort();
    }
    await looking;
    if (!this.#closing.signal.aborted) this.#options.store.leave(reached);
  }

  /** Asks a majority now and then how far the store is, until the signal aborts or this node's own voter answers as well. */
  async #look(reached: Reached, signal: AbortSignal, isSame: boolean): Promise<void> {
    const { clock, store, lookMs = LOOK_MS } = this.#options;
    this.#awaited = undefined;
    while (!signal.aborted) {
      const atMs = clock.wallMs();
      try {
        const { revision } = await reached.store.get(CLUSTER_NAME_KEY);
        this.#awaited = this.#confirmed({ revision, atMs });
        store.answered(reached);
        if (isSame) this.#trouble.note(undefined, clock.monotonicMs());
      } catch (error) {
        if (!signal.aborted) store.leave(reached);
        throw error;
      }
      if (await this.#ownAnswers(reached)) return;
      await sleep(lookMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** What goes through another node costs both of them, and its voter's other writers, several times as much. */
  async #ownAnswers(reached: Reached): Promise<boolean> {
    try {
      const own = await this.#options.store.ownBeside(reached);
      if (own === undefined) return false;
      // By a majority: a learner, and one that has not caught up, do not answer.
      await own.store.get(CLUSTER_NAME_KEY);
      this.#options.store.answered(own);
      return true;
    } catch (error) {
      if (!isHansaError(error)) throw error;
      this.#options.logger.debug("this node's own part of the store does not answer yet", {
        error: codedSentence(error),
      });
      return false;
    }
  }

  /** Undefined when the mirror has come to it. */
  #confirmed(awaited: Confirmation | undefined): Confirmation | undefined {
    const { mirror } = this.#options;
    if (awaited === undefined || mirror.revision < awaited.revision) return awaited;
    mirror.confirm(awaited.revision, awaited.atMs);
    return undefined;
  }

  #lost(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const sentence = isHansaError(error) ? codedSentence(error) : `${error}`;
    if (isHansaError(error, "STORE_COPY_AHEAD")) {
      this.#trouble.note(sentence, this.#options.clock.monotonicMs());
    }
    if (sentence !== this.#said) {
      this.#options.logger.warn("the store is not followed", { why: sentence });
    }
    this.#said = sentence;
  }
}

function isBehind(reached: NamedStore, { store, revision }: StoreMirror): HansaError {
  const own = `generation ${store?.generation ?? "?"} of ${store?.name ?? "?"}, revision ${revision}`;
  const text = `this node's copy (${own}) is ahead of the store that its votes hold (generation ${reached.generation}): it is kept as it is, and follows no more`;
  return new HansaError("STORE_COPY_AHEAD", text);
}
