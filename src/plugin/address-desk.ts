/**
 * Where addresses are handed out: the lease book, its journal, and the wait for space that the daemon may bring.
 *
 * Invariant: what a method returned is written down; what it threw changed nothing. Between the look into the book and the write
 * nothing else runs, so two requests never see the same free address.
 */
import { ERRORS, type ErrorCode, HansaError } from "../errors.ts";
import type { Clock } from "../host/clock.ts";
import type { LeaseBook, LeaseRefusal } from "../ipam/lease-book.ts";
import type { Space } from "../ipam/lease-record.ts";
import type { Cession } from "../ipam/step.ts";
import type { Range } from "../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../values/ipv4.ts";
import type { Usage } from "./control-codec.ts";
import type { LeaseJournal } from "./lease-journal.ts";

/** What the daemon said to a claim. */
export type ClaimResult =
  | { readonly ok: true }
  /** `code` is of the table in src/errors.ts; `message` one sentence without the code. */
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The port to who can widen our space. */
export interface Claims {
  readonly connected: boolean;
  /** Asks for `address`, or for any space; undefined when the connection was lost or the time went by. */
  claim(address: Ipv4 | undefined, withinMs: number): Promise<ClaimResult | undefined>;
}

/** The daemon's sentence shall come before ours: it knows the reason. */
const MARGIN_MS = 300;
/** Between two claims of one request, when the first was granted and somebody else was quicker. */
const AGAIN_MS = 50;

export class AddressDesk {
  readonly #journal: LeaseJournal;
  readonly #clock: Clock;
  readonly #claims: Claims;
  readonly #wakers = new Set<() => void>();
  #changed: (() => void) | undefined;

  constructor(journal: LeaseJournal, clock: Clock, claims: Claims) {
    this.#journal = journal;
    this.#clock = clock;
    this.#claims = claims;
  }

  get book(): LeaseBook {
    return this.#journal.book;
  }

  get epoch(): string {
    return this.#journal.epoch;
  }

  /** From now on `changed` is told when leases or space changed, so that their counts may have. */
  watch(changed: () => void): void {
    this.#changed = changed;
  }

  usage(): Usage {
    return this.book.counts(this.#clock.wallMs());
  }

  /**
   * A lease for `wanted`, or for any address, waiting at most `withinMs` for space that the daemon may bring.
   *
   * Throws IPAM_NOT_READY, IPAM_EXHAUSTED, IPAM_ADDRESS_IN_USE, IPAM_ADDRESS_RESERVED, IPAM_OWNER_UNREACHABLE, what the daemon
   * answers, or STATE_UNWRITABLE. An aborted `signal` ends the wait and nothing is leased.
   */
  async take(wanted: Ipv4 | "any", withinMs: number, signal: AbortSignal): Promise<Ipv4> {
    const deadline = this.#clock.monotonicMs() + withinMs;
    let claim: "none" | "asked" | ClaimResult = "none" as "none" | "asked" | ClaimResult;
    for (;;) {
      signal.throwIfAborted();
      const given = this.#lease(wanted);
      if (typeof given === "number") return given;
      if (!isWorthAClaim(given)) throw refusal(given, wanted);
      if (typeof claim === "object" && !claim.ok) throw daemonRefusal(claim);
      const left = deadline - this.#clock.monotonicMs();
      if (left <= 0) throw tooLate(given, wanted, withinMs, this.#claims.connected);
      if (typeof claim === "object") {
        claim = "none";
        await this.#sleep(Math.min(AGAIN_MS, left), signal);
        continue;
      }
      if (claim === "none" && this.#claims.connected) {
        claim = "asked";
        const address = wanted === "any" ? undefined : wanted;
        const askMs = Math.max(left - MARGIN_MS, left / 2);
        void this.#claims.claim(address, askMs).then((result) => {
          claim = result ?? "none";
          this.wake();
        });
      }
      await this.#sleep(left, signal);
    }
  }

  /** Ends a lease; true when there was one. Throws STATE_UNWRITABLE. */
  release(address: Ipv4): boolean {
    return this.free([address]) === 1;
  }

  /** Ends those leases that there are; how many. Throws STATE_UNWRITABLE. */
  free(addresses: readonly Ipv4[]): number {
    const records = this.book.free(addresses, this.#clock.wallMs());
    this.#append(records, false);
    return records.length;
  }

  /** Takes over the space that the ring gives us; the ranges that hold leases outside of it. On disk when it returns. */
  setSpace(space: Space): readonly Range[] {
    const { kept, record } = this.book.setSpace(space);
    if (record) {
      this.#append([record], true);
      this.wake();
    }
    return kept;
  }

  /** Gives up a part of our space for good; empty when it may not. On disk when it returns. */
  cede(want: Cession): readonly Range[] {
    const { ranges, record } = this.book.cede(want, this.#clock.wallMs());
    if (record) this.#append([record], true);
    return ranges;
  }

  /** Lets everybody who waits look again: the space changed, or the daemon came. */
  wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }

  #append(...change: Parameters<LeaseJournal["append"]>): void {
    this.#journal.append(...change);
    this.#changed?.();
  }

  #lease(wanted: Ipv4 | "any"): Ipv4 | LeaseRefusal {
    const answer = this.book.request(wanted, this.#clock.wallMs());
    if (!answer.ok) return answer.reason;
    this.#append([answer.record], false);
    return answer.address;
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#wakers.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#clock.after(ms, done);
      this.#wakers.add(done);
      signal.addEventListener("abort", done);
    });
  }
}

function isWorthAClaim(reason: LeaseRefusal): boolean {
  return reason === "no-space" || reason === "not-ready" || reason === "not-ours";
}

function refusal(reason: LeaseRefusal, wanted: Ipv4 | "any"): HansaError {
  const address = wanted === "any" ? "any address" : formatIpv4(wanted);
  if (reason === "in-use") {
    const text = `${address} is in use by another container of this host`;
    return new HansaError("IPAM_ADDRESS_IN_USE", text);
  }
  if (reason === "held-elsewhere") {
    const text = `${address} is held by a container of another node, though it is this node's: see hansa status`;
    return new HansaError("IPAM_ADDRESS_IN_USE", text);
  }
  const why =
    reason === "outside"
      ? "is outside the cluster's subnet"
      : "is kept for nodes or for the network itself";
  return new HansaError("IPAM_ADDRESS_RESERVED", `${address} ${why}`);
}

function daemonRefusal(said: { readonly code: string; readonly message: string }): HansaError {
  const code = said.code in ERRORS ? (said.code as ErrorCode) : "INTERNAL";
  return new HansaError(code, said.message);
}

function tooLate(
  reason: LeaseRefusal,
  wanted: Ipv4 | "any",
  withinMs: number,
  connected: boolean,
): HansaError {
  const why = connected
    ? `no node that could give it answered within ${withinMs / 1000} s`
    : "the daemon, which would ask other nodes, is not running";
  if (reason === "not-ready") {
    return new HansaError("IPAM_NOT_READY", `this node has no address space yet and ${why}`);
  }
  if (wanted === "any") {
    return new HansaError("IPAM_EXHAUSTED", `every address of this node is in use and ${why}`);
  }
  const text = `${formatIpv4(wanted)} is not in this node's part of the subnet and ${why}`;
  return new HansaError("IPAM_OWNER_UNREACHABLE", text);
}
