/**
 * Claims of the plugin: certain addresses that others own, and "any" when it has none.
 *
 * Invariant: every claim gets exactly one answer, at its deadline at the latest. The table is bounded.
 */
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import type { Outbox } from "./outbox.ts";
import type { Rings } from "./rings.ts";
import type { IpamMessage, IpamOutput } from "./step.ts";

export const MAX_CLAIMS = 1024;
/** An ask for a certain address is repeated after this long. */
export const REPEAT_MS = 1000;

export type ClaimResult = Extract<IpamOutput, { type: "claim-done" }>["result"];

/** What the rest of the machine knows at this moment. */
export interface ClaimContext {
  readonly self: NodeId;
  readonly nowMs: number;
  /** False while fenced or leaving. */
  readonly open: boolean;
  /** False while it may still come out who is where: wait rather than refuse. */
  readonly settled: boolean;
  /** Free dynamic addresses of ours, as far as known. */
  readonly free: number;
  readonly reachable: ReadonlySet<NodeId>;
}

interface Claim {
  readonly address: Ipv4 | undefined;
  readonly deadlineMs: number;
  /** Where the address was asked for last. */
  asked:
    | { readonly owner: NodeId; readonly request: number; readonly repeatMs: number }
    | undefined;
}

export class Claims {
  readonly #rings: Rings;
  readonly #claims = new Map<number, Claim>();
  #nextRequest: number;

  constructor(rings: Rings, firstRequest: number) {
    this.#rings = rings;
    this.#nextRequest = firstRequest;
  }

  add(request: number, address: Ipv4 | undefined, deadlineMs: number, out: Outbox): void {
    if (this.#claims.has(request)) return;
    if (this.#claims.size >= MAX_CLAIMS) this.#done(request, "not-ready", undefined, out);
    else this.#claims.set(request, { address, deadlineMs, asked: undefined });
  }

  /** Whether a claim of any address waits. */
  get anyWaits(): boolean {
    for (const claim of this.#claims.values()) if (claim.address === undefined) return true;
    return false;
  }

  get deadlineMs(): number {
    let deadline = Number.POSITIVE_INFINITY;
    for (const claim of this.#claims.values()) {
      deadline = Math.min(deadline, claim.deadlineMs, claim.asked?.repeatMs ?? claim.deadlineMs);
    }
    return deadline;
  }

  /** An owner refused a certain address. */
  refused(from: NodeId, message: Extract<IpamMessage, { type: "refused" }>, out: Outbox): void {
    for (const [request, claim] of this.#claims) {
      if (claim.asked?.owner !== from || claim.asked.request !== message.request) continue;
      const final = message.reason === "in-use" || message.reason === "none-free";
      if (final) this.#done(request, "in-use", from, out);
    }
  }

  /**
   * Answers what can be answered, asks owners for the rest. After merges and after the space was set. Returns how many
   * claims of any address it granted: each will take one of the free ones.
   */
  advance(context: ClaimContext, out: Outbox): number {
    let granted = 0;
    for (const [request, claim] of this.#claims) {
      const { address } = claim;
      if (!context.open) this.#done(request, "not-ready", undefined, out);
      else if (address !== undefined) this.#advanceAddress(request, claim, address, context, out);
      else if (granted < context.free) {
        granted++;
        this.#done(request, "granted", undefined, out);
      } else if (context.nowMs >= claim.deadlineMs) {
        const result = this.#rings.ownedDynamic().length > 0 ? "no-space" : "not-ready";
        this.#done(request, result, undefined, out);
      }
    }
    return granted;
  }

  #advanceAddress(
    request: number,
    claim: Claim,
    address: Ipv4,
    context: ClaimContext,
    out: Outbox,
  ): void {
    const record = this.#rings.recordAt(address);
    const overdue = context.nowMs >= claim.deadlineMs;
    if (record?.owner === context.self) {
      if (record.version > 0) this.#done(request, "granted", undefined, out);
      else if (overdue) this.#done(request, "not-ready", undefined, out);
      claim.asked = undefined;
      return;
    }
    const owner = record?.owner;
    const reachable = owner !== undefined && context.reachable.has(owner);
    if (overdue || (!reachable && context.settled)) {
      this.#done(request, "owner-unreachable", owner, out);
      return;
    }
    if (!reachable) {
      claim.asked = undefined;
      return;
    }
    const asked = claim.asked;
    if (asked && asked.owner === owner && context.nowMs < asked.repeatMs) return;
    // The same number as before to the same owner, who then knows it for a repetition.
    const number = asked?.owner === owner ? asked.request : this.#nextRequest++;
    claim.asked = { owner, request: number, repeatMs: context.nowMs + REPEAT_MS };
    out.send(owner, { type: "ask-address", request: number, address });
  }

  #done(request: number, result: ClaimResult, owner: NodeId | undefined, out: Outbox): void {
    this.#claims.delete(request);
    const done = { type: "claim-done", request, result } as const;
    out.after(owner === undefined ? done : { ...done, owner });
  }
}
