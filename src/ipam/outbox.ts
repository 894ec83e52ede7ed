/**
 * Collects what one input leads to and puts it in order. Invariant: "persist" comes before anything that tells
 * others about a ring; "space" comes before a claim that it satisfies, and before a "cede" that is to follow it.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import type { RingRecord } from "./ring.ts";
import type { IpamMessage, IpamOutput } from "./step.ts";

export class Outbox {
  #persist = false;
  readonly #conflicts: IpamOutput[] = [];
  readonly #sends: IpamOutput[] = [];
  readonly #records = new Map<Ipv4, RingRecord>();
  readonly #after: IpamOutput[] = [];
  #space: IpamOutput | undefined;

  persist(): void {
    this.#persist = true;
  }

  get persists(): boolean {
    return this.#persist;
  }

  conflict(range: Range, other: NodeId): void {
    this.#conflicts.push({ type: "conflict", range, other });
  }

  send(to: NodeId, message: IpamMessage): void {
    this.#sends.push({ type: "send", to, message });
  }

  broadcast(records: readonly RingRecord[]): void {
    for (const record of records) this.#records.set(record.start, record);
  }

  space(ready: boolean, ranges: readonly Range[], avoid: readonly Range[]): void {
    this.#space = { type: "space", ready, ranges, avoid };
  }

  /** A "cede" or a "claim-done". */
  after(output: Extract<IpamOutput, { type: "cede" | "claim-done" }>): void {
    this.#after.push(output);
  }

  /** Everything, in the order in which it must be carried out. */
  flush(): IpamOutput[] {
    const entries = [...this.#records.values()].sort((a, b) => a.start - b.start);
    return [
      ...(this.#persist ? [{ type: "persist" } as const] : []),
      ...this.#conflicts,
      ...this.#sends,
      ...(entries.length > 0 ? [{ type: "broadcast", entries } as const] : []),
      ...(this.#space ? [this.#space] : []),
      ...this.#after,
    ];
  }
}
