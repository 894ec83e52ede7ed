/**
 * Who may make the store anew at a moment: one node at a time, of all that hear each other.
 *
 * It asks every node that it hears, itself too, for a promise to let no other one do it, in the order of their ids. Whoever has the promise of the lowest of
 * those that two have in common goes on, the other is refused there; so one of both always does (locks taken in one order). Invariants: a promise is held for
 * one node; it ends by itself, so that a node that died in the middle holds nobody up for long.
 */
import type { RecoveryTurn, RecoveryTurnRequest } from "../../api/store-schemas.ts";
import { HansaError, isHansaError } from "../../errors.ts";
import type { Clock } from "../../host/clock.ts";
import type { StoreMark } from "../../store/store-mark.ts";
import type { NodeId } from "../../values/node-id.ts";

interface Node {
  readonly id: NodeId;
  readonly name: string;
}

export interface RecoveryTurnsOptions {
  readonly self: Node;
  /** All others that are heard. */
  readonly heard: () => readonly Node[];
  /** Throws NODE_UNREACHABLE, and as the other one's `give`. */
  readonly ask: (node: Node, request: RecoveryTurnRequest) => Promise<RecoveryTurn>;
  /** What this node's etcd holds to. */
  readonly mark: () => StoreMark | undefined;
  readonly clock: Clock;
}

/** Asked for again long before. */
const PROMISE_MS = 60_000;
const AGAIN_MS = 15_000;

export class RecoveryTurns {
  readonly #options: RecoveryTurnsOptions;
  #promised: { readonly to: Node; readonly untilMs: number } | undefined;
  #isTaken = false;

  constructor(options: RecoveryTurnsOptions) {
    this.#options = options;
  }

  /** Promises the turn to a node, or lets it end, and says what this node holds to. Throws STORE_REFUSED while it is another one's. */
  give({ node, name, release }: RecoveryTurnRequest): RecoveryTurn {
    const { clock, mark } = this.#options;
    const nowMs = clock.monotonicMs();
    const held = this.#promised;
    const isAnothers = held && held.untilMs > nowMs && held.to.id !== node;
    if (isAnothers && !release) throw underWay(held.to);
    if (!isAnothers) {
      const to = { id: node, name };
      this.#promised = release ? undefined : { to, untilMs: nowMs + PROMISE_MS };
    }
    const own = mark();
    return { store: own ? { id: own.id, generation: own.generation } : null };
  }

  /** Does `work` in this node's turn; `work` is given what others said they hold to. Throws STORE_REFUSED while another node's recovery is under way, and as `work`. */
  async hold<T>(work: (told: readonly StoreMark[]) => Promise<T>): Promise<T> {
    const { self, heard } = this.#options;
    if (this.#isTaken) throw underWay(self);
    this.#isTaken = true;
    const promisers: Node[] = [];
    let stop = (): void => undefined;
    try {
      const told: StoreMark[] = [];
      for (const node of [self, ...heard()].sort((a, b) => a.id - b.id)) {
        const turn = await this.#ask(node, false);
        if (turn === undefined) continue;
        promisers.push(node);
        if (turn.store) told.push(turn.store);
      }
      stop = this.#keepAsking(promisers);
      return await work(told);
    } finally {
      stop();
      await Promise.allSettled(promisers.map((node) => this.#ask(node, true)));
      this.#isTaken = false;
    }
  }

  #keepAsking(promisers: readonly Node[]): () => void {
    const { clock } = this.#options;
    let cancel = (): void => undefined;
    const again = (): void => {
      cancel = clock.after(AGAIN_MS, () => {
        // Whose promise ended meanwhile is told of the store as everybody is.
        void Promise.allSettled(promisers.map((node) => this.#ask(node, false)));
        again();
      });
    };
    again();
    return () => cancel();
  }

  /** Undefined for a node that does not answer, or knows no turns: it holds nobody up. Throws STORE_REFUSED. */
  async #ask(node: Node, release: boolean): Promise<RecoveryTurn | undefined> {
    const { self, ask } = this.#options;
    const request = { node: self.id, name: self.name, release };
    try {
      return node.id === self.id ? this.give(request) : await ask(node, request);
    } catch (error) {
      if (!isHansaError(error) || isHansaError(error, "STORE_REFUSED")) throw error;
      return undefined;
    }
  }
}

function underWay({ id, name }: Node): HansaError {
  const text = `node ${id} (${name}) is making the store anew at this moment: nothing was changed`;
  return new HansaError("STORE_REFUSED", text, { hint: "look at it first: hansa store" });
}
