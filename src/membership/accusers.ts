/**
 * Answers to old news. A stale alive: the member lives but does not know that it is held dead, so it is told, at once and by gossip, and can refute.
 * A stale suspicion: whoever tells it missed the refutation or the death, and is told.
 *
 * Without the first a mass restart with forgotten incarnations never heals (memberlist's pull request 345). Invariants: one answer of each kind per member
 * and interval, and a bound in total for each kind, since one replayed packet holds many suspicions, and one push/pull many members.
 */
import type { Endpoint } from "../values/endpoint.ts";
import type { Context } from "./context.ts";
import type { Dead, Message, Suspect } from "./message.ts";

/** Names remembered for the interval; beyond that the oldest may be answered early. */
const MAX_REMEMBERED = 1024;
/** Stale suspicions answered in one interval. */
const CORRECTIONS_PER_INTERVAL = 8;
/** Stale alives answered straight in one interval: after a split one push/pull tells of half the cluster. */
const ACCUSATIONS_PER_INTERVAL = 32;

export class Accusers {
  readonly #context: Context;
  readonly #answered = new Map<string, number>();
  readonly #corrected = new Map<string, number>();
  #intervalEndsMs = Number.NEGATIVE_INFINITY;
  #corrections = 0;
  #accusations = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether the alive of `name` was not answered within the interval; counts as an answer when so. */
  mayAnswer(name: string): boolean {
    return this.#isFirst(this.#answered, name);
  }

  /** Sends `news` of `name` to `to`, who told us something older. */
  correct(name: string, news: Message, to: Endpoint): void {
    this.#beginInterval();
    if (this.#corrections >= CORRECTIONS_PER_INTERVAL) return;
    if (!this.#isFirst(this.#corrected, name)) return;
    this.#corrections++;
    this.#context.outbox.send(to, [news]);
  }

  /** Sends `accusation` to the accused at `to`, and to everybody by gossip; when there are many, to most of them by gossip alone. */
  accuse(accusation: Suspect | Dead, to: Endpoint): void {
    if (!this.mayAnswer(accusation.node)) return;
    const { outbox } = this.#context;
    outbox.spread(accusation.node, accusation);
    this.#beginInterval();
    if (this.#accusations >= ACCUSATIONS_PER_INTERVAL) return;
    this.#accusations++;
    outbox.send(to, [accusation]);
  }

  #beginInterval(): void {
    const { nowMs, timing } = this.#context;
    if (nowMs < this.#intervalEndsMs) return;
    this.#intervalEndsMs = nowMs + timing.accuseIntervalMs;
    this.#corrections = 0;
    this.#accusations = 0;
  }

  /** Whether `name` was not entered within the interval; enters it when so. */
  #isFirst(lastMs: Map<string, number>, name: string): boolean {
    const { nowMs, timing } = this.#context;
    const last = lastMs.get(name);
    if (last !== undefined && nowMs - last < timing.accuseIntervalMs) return false;
    lastMs.delete(name);
    lastMs.set(name, nowMs);
    if (lastMs.size > MAX_REMEMBERED) {
      for (const oldest of lastMs.keys()) {
        lastMs.delete(oldest);
        break;
      }
    }
    return true;
  }
}
