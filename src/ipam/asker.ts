/**
 * The asking side for space: a round asks one reachable owner after the other, at random by their free hints.
 *
 * Invariant: at most one ask is outstanding; a round asks each node once; rounds start 5 s apart at least, but for one in urgent need.
 * Otherwise two nodes that both have little, with hints that are a second old, hand one block to and fro without end.
 */
import type { NodeId } from "../values/node-id.ts";
import type { Outbox } from "./outbox.ts";

/** Below so many free dynamic addresses a node asks for more. */
export const LOW_FREE = 64;
export const ANSWER_MS = 1000;
export const ROUND_MS = 5000;
export interface Need {
  /** Our free dynamic addresses, as far as known. */
  readonly free: number;
  /** Without space, or with a claim waiting: ask also those who have little. */
  readonly urgent: boolean;
}

export class Asker {
  readonly #random: () => number;
  #nextRequest: number;
  /** `isOver`: what it asked for was given. */
  #round: { startedMs: number; tried: Set<NodeId>; isOver: boolean } | undefined;
  #asked: { node: NodeId; request: number; untilMs: number } | undefined;

  constructor(random: () => number, firstRequest: number) {
    this.#random = random;
    this.#nextRequest = firstRequest;
  }

  get asking(): NodeId | undefined {
    return this.#asked?.node;
  }

  /** When `advance` has something to do although nothing happens. */
  deadlineMs(need: Need | undefined): number {
    if (!need) return Number.POSITIVE_INFINITY;
    if (this.#asked) return this.#asked.untilMs;
    return this.#round ? this.#round.startedMs + ROUND_MS : 0;
  }

  /** Whether `request` is the outstanding ask; it is answered then, whatever the answer. */
  answered(from: NodeId, request: number): boolean {
    if (this.#asked?.node !== from || this.#asked.request !== request) return false;
    this.#asked = undefined;
    return true;
  }

  /** Asks the next node if there is need. `hints`: advertised free addresses of each owner. */
  advance(
    nowMs: number,
    need: Need | undefined,
    reachable: ReadonlySet<NodeId>,
    hints: () => ReadonlyMap<NodeId, number>,
    out: Outbox,
  ): void {
    if (this.#asked && nowMs >= this.#asked.untilMs) this.#asked = undefined;
    if (!need) {
      if (this.#round) this.#round.isOver = true;
      return;
    }
    if (this.#asked) return;
    const round = this.#round;
    const isDue = !round || nowMs >= round.startedMs + ROUND_MS || (round.isOver && need.urgent);
    if (isDue) this.#round = { startedMs: nowMs, tried: new Set(), isOver: false };
    if (!this.#round || this.#round.isOver) return;
    const node = this.#choose(need, this.#round.tried, reachable, hints());
    if (node === undefined) return;
    this.#round.tried.add(node);
    this.#asked = { node, request: this.#nextRequest++, untilMs: nowMs + ANSWER_MS };
    out.send(node, { type: "ask-space", request: this.#asked.request });
  }

  /**
   * In the background only from who has more than twice as much, lest two poor nodes pass the same space to and fro. In need
   * from anyone who says to have some, and when nobody does, from any owner: hints are old.
   */
  #choose(
    need: Need,
    tried: ReadonlySet<NodeId>,
    reachable: ReadonlySet<NodeId>,
    hints: ReadonlyMap<NodeId, number>,
  ): NodeId | undefined {
    const owners = [...hints].filter(([node]) => reachable.has(node) && !tried.has(node));
    owners.sort((a, b) => a[0] - b[0]);
    const enough = need.urgent ? 0 : 2 * need.free;
    const rich = owners.filter(([, free]) => free > enough);
    if (rich.length === 0 && need.urgent) return owners[0]?.[0];
    const total = rich.reduce((sum, [, free]) => sum + free, 0);
    let ticket = this.#random() * total;
    for (const [node, free] of rich) {
      ticket -= free;
      if (ticket < 0) return node;
    }
    return rich.at(-1)?.[0];
  }
}
