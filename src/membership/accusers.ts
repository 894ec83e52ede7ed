/**
 * Answers to old news. A stale alive: the member lives but does not know that it is held dead, so it is told, at once and by gossip, and can refute.
 * A stale suspicion: whoever tells it missed the refutation or the death, and is told.
 *
 * Without the first a mass restart with forgotten incarnations never heals (memberlist's pull request 345). Invariant: one answer per member
 * and interval.
 */
import type { Endpoint } from "../values/endpoint.ts";
import type { Context } from "./context.ts";
import type { Dead, Message, Suspect } from "./message.ts";

/** Names remembered for the interval; beyond that the oldest may be answered early. */
const MAX_REMEMBERED = 1024;

export class Accusers {
  readonly #context: Context;
  readonly #lastMs = new Map<string, number>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether `name` was not answered within the interval; counts as an answer when so. */
  mayAnswer(name: string): boolean {
    const { nowMs, timing } = this.#context;
    const last = this.#lastMs.get(name);
    if (last !== undefined && nowMs - last < timing.accuseIntervalMs) return false;
    this.#lastMs.delete(name);
    this.#lastMs.set(name, nowMs);
    if (this.#lastMs.size > MAX_REMEMBERED) {
      for (const oldest of this.#lastMs.keys()) {
        this.#lastMs.delete(oldest);
        break;
      }
    }
    return true;
  }

  /** Sends `news` of `name` to `to`, who told us something older. */
  correct(name: string, news: Message, to: Endpoint): void {
    if (this.mayAnswer(name)) this.#context.outbox.send(to, [news]);
  }

  /** Sends `accusation` to the accused at `to`, and to everybody by gossip. */
  accuse(accusation: Suspect | Dead, to: Endpoint): void {
    if (!this.mayAnswer(accusation.node)) return;
    const { outbox } = this.#context;
    outbox.send(to, [accusation]);
    outbox.spread(accusation.node, accusation);
  }
}
