/**
 * Where nodes with several addresses are reached now, and which questions may have been lost on the way that was left.
 *
 * Invariant: nothing is kept while no node has another place than the one it announces.
 */
import type { Message } from "../membership/message.ts";
import type { Endpoint } from "../values/endpoint.ts";

/** A ping is answered within the probe's interval, or in vain. */
const KEPT_MS = 1_000;
const MAX_KEPT = 256;

export interface Question {
  readonly to: Endpoint;
  readonly messages: readonly Message[];
}

export class PacketRoutes {
  #routes: ReadonlyMap<string, string> = new Map();
  #hasChoice = false;
  #asked: (Question & { readonly atMs: number; readonly via: string })[] = [];

  /** Where the node at `to` is reached. */
  of(to: Endpoint): Endpoint {
    const ip = this.#routes.get(to.ip);
    return ip === undefined ? to : { ip, port: to.port };
  }

  /** A packet goes out: questions in it are kept for a moment. */
  note({ to, messages }: Question, nowMs: number): void {
    if (!this.#hasChoice || !messages.some(isQuestion)) return;
    this.#asked = this.#asked.filter(({ atMs }) => nowMs - atMs < KEPT_MS).slice(-MAX_KEPT);
    this.#asked.push({
      to,
      messages: messages.filter(isQuestion),
      atMs: nowMs,
      via: this.of(to).ip,
    });
  }

  /** Takes new routes; the questions of the last moment that went another way than they would now. */
  set(routes: ReadonlyMap<string, string>, nowMs: number): Question[] {
    this.#routes = routes;
    this.#hasChoice = routes.size > 0;
    const moved = this.#asked.filter(
      ({ to, via, atMs }) => nowMs - atMs < KEPT_MS && via !== this.of(to).ip,
    );
    this.#asked = this.#asked.map((each) =>
      moved.includes(each) ? { ...each, via: this.of(each.to).ip } : each,
    );
    return moved;
  }
}

function isQuestion({ type }: Message): boolean {
  return type === "ping" || type === "indirectPing";
}
