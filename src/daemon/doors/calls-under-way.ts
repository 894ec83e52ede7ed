/**
 * What is under way at one other node, and when it is given up: by TCP alone who asks a node that is dead, or over a link that was cut, waits for a quarter
 * of an hour.
 */
import type { LinkView } from "../../links/link-paths.ts";

export interface Call {
  /** The node is held dead. */
  readonly failed: (reason: string) => void;
  /** The link that it goes by is left. */
  readonly cut: (error: Error) => void;
  /** The address that it goes to; undefined while it is not connected. */
  readonly at: () => string | undefined;
  /** It does not end by itself and is easily begun anew, so it leaves a link that works as well. */
  readonly lasts: boolean;
}

const CUT = "the link was cut";

export class CallsUnderWay {
  readonly #calls = new Set<Call>();

  /** Returns what ends the watch over it. */
  add(call: Call): () => void {
    this.#calls.add(call);
    return () => this.#calls.delete(call);
  }

  fail(reason: string): void {
    for (const { failed } of [...this.#calls]) failed(reason);
  }

  /** Another of these links is used now: what goes by one that is down is cut, what lasts by each but that one. What goes inside of the overlay stays. */
  moved(links: readonly Pick<LinkView, "theirs" | "state" | "inUse">[]): void {
    for (const { at, lasts, cut } of [...this.#calls]) {
      const address = at();
      const link = links.find(({ theirs }) => theirs === address);
      if (link && !link.inUse && (lasts || link.state !== "up")) cut(new Error(CUT));
    }
  }
}

/** Whether `error` is what a call was cut with. */
export function isCut(error: unknown): boolean {
  return error instanceof Error && error.message === CUT;
}
