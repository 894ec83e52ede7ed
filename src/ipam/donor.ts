/**
 * The giving side: asks of other nodes, one at a time, each by way of the plugin.
 *
 * Invariants: the plugin has ceded a range, and answered to the newest question, before the ring gives it away;
 * setting the plugin's space puts everything back, so each such setting asks the running question anew and the old
 * answer counts for nothing. Tables are bounded; what does not fit is refused.
 */
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import type { Outbox } from "./outbox.ts";
import { countAddresses, intersectRanges } from "./range-set.ts";
import type { Rings } from "./rings.ts";
import type { Cession, IpamMessage } from "./step.ts";

/** How long the plugin may take for one cession. */
export const CEDE_MS = 2000;
const MAX_WAITING = 256;
const MAX_ANSWERS = 512;

interface Donation {
  readonly to: NodeId;
  /** Undefined for a hand-over, which nobody asked for. */
  readonly request: number | undefined;
  readonly address: Ipv4 | undefined;
}

type Refusal = Extract<IpamMessage, { type: "refused" }>["reason"];

export class Donor {
  readonly #self: NodeId;
  readonly #rings: Rings;
  readonly #waiting: Donation[] = [];
  /** Answers by asker and request, so that a repeated ask gets the same one. */
  readonly #answers = new Map<string, IpamMessage>();
  #running: { donation: Donation; cede: number; untilMs: number } | undefined;
  #nextCede: number;

  /** `firstCede` numbers the questions to the plugin; random, so that answers to a former life count for nothing. */
  constructor(self: NodeId, rings: Rings, firstCede: number) {
    this.#self = self;
    this.#rings = rings;
    this.#nextCede = firstCede;
  }

  /** When the plugin's answer is overdue; Infinity when none is awaited. */
  get deadlineMs(): number {
    return this.#running?.untilMs ?? Number.POSITIVE_INFINITY;
  }

  /** Another node asks; `open` is false while we may not give (fenced, leaving). */
  ask(from: NodeId, request: number, address: Ipv4 | undefined, open: boolean, out: Outbox): void {
    const donation: Donation = { to: from, request, address };
    const known = this.#answers.get(keyOf(donation));
    if (known) {
      out.send(from, known);
      return;
    }
    const same = (other: Donation | undefined) => other && keyOf(other) === keyOf(donation);
    if (same(this.#running?.donation) || this.#waiting.some(same)) return;
    const reason = open ? this.#objection(donation) : "not-ready";
    if (reason) this.#refuse(donation, reason, out);
    else if (this.#waiting.length >= MAX_WAITING) this.#refuse(donation, "not-ready", out);
    else this.#waiting.push(donation);
  }

  /** All that we own goes to `heir`, before any other donation. */
  handOver(heir: NodeId): void {
    this.#waiting.unshift({ to: heir, request: undefined, address: undefined });
  }

  /**
   * Refuses all that runs or waits. True when a question was running; the caller then sets the space again, for the
   * plugin may have ceded already.
   */
  close(out: Outbox): boolean {
    const running = this.#running;
    this.#running = undefined;
    if (running) this.#refuse(running.donation, "not-ready", out);
    for (const donation of this.#waiting.splice(0)) this.#refuse(donation, "not-ready", out);
    return running !== undefined;
  }

  /**
   * The plugin gave up `ranges`: they go to who asked. False when they do not, or not all; the caller sets the space
   * again, so that no range is left with nobody.
   */
  ceded(cede: number, ranges: readonly Range[], out: Outbox): boolean {
    if (this.#running?.cede !== cede) return true;
    const { donation } = this.#running;
    this.#running = undefined;
    const given = intersectRanges(this.#rings.owned(), this.#fitting(donation, ranges));
    const written = this.#rings.grant(given, donation.to);
    if (written.length === 0) {
      this.#refuse(donation, donation.address === undefined ? "none-free" : "in-use", out);
      return false;
    }
    const { to, request = 0 } = donation;
    const message: IpamMessage = { type: "granted", request, entries: written };
    out.persist();
    out.send(to, message);
    out.broadcast(written);
    if (donation.request !== undefined) this.#remember(keyOf(donation), message);
    return countAddresses(given) === countAddresses(ranges);
  }

  /** Gives up on an overdue answer, and on all that waits: the plugin is away. Returns as `close` does. */
  expire(nowMs: number, out: Outbox): boolean {
    return this.#running !== undefined && nowMs >= this.#running.untilMs && this.close(out);
  }

  /** Puts the next question to the plugin; `spaceSet` when the space was set in this very turn. */
  advance(nowMs: number, spaceSet: boolean, out: Outbox): void {
    if (this.#running && spaceSet) {
      this.#running.cede = this.#nextCede++;
      const want = this.#wantOf(this.#running.donation);
      out.after({ type: "cede", request: this.#running.cede, want });
    }
    while (!this.#running) {
      const donation = this.#waiting.shift();
      if (!donation) return;
      const reason = this.#objection(donation);
      if (reason) {
        this.#refuse(donation, reason, out);
        continue;
      }
      this.#running = { donation, cede: this.#nextCede++, untilMs: nowMs + CEDE_MS };
      const want = this.#wantOf(donation);
      out.after({ type: "cede", request: this.#running.cede, want });
    }
  }

  /** Why it cannot be given without asking the plugin, or undefined. A grant made before is told again. */
  #objection(donation: Donation): Refusal | undefined {
    if (donation.request === undefined) return undefined;
    if (donation.address === undefined) {
      if (countAddresses(this.#rings.ownedDynamic()) > 0) return undefined;
      return this.#rings.unborn ? "not-ready" : "none-free";
    }
    const record = this.#rings.recordAt(donation.address);
    if (record?.owner !== this.#self) return "not-owner";
    return record.version === 0 ? "not-ready" : undefined;
  }

  #wantOf(donation: Donation): Cession {
    if (donation.request === undefined) return { kind: "ranges", ranges: [...this.#rings.owned()] };
    if (donation.address !== undefined) return { kind: "address", address: donation.address };
    return { kind: "space", within: this.#rings.ownedDynamic() };
  }

  /** The part of what the plugin ceded that answers the question. */
  #fitting(donation: Donation, ranges: readonly Range[]): readonly Range[] {
    const { address } = donation;
    if (address === undefined) return ranges;
    return intersectRanges(ranges, [{ start: address, end: address + 1 }]);
  }

  #refuse(donation: Donation, reason: Refusal, out: Outbox): void {
    const { address, to, request } = donation;
    if (request === undefined) return;
    // The asker owns it already: an answer of ours was lost.
    if (reason === "not-owner" && address !== undefined) {
      const record = this.#rings.recordAt(address);
      if (record?.owner === to && record.version > 0) {
        const entries = this.#rings.recordsIn([{ start: address, end: address + 1 }]);
        out.send(to, { type: "granted", request, entries });
        return;
      }
    }
    // Not kept among the answers: the same ask may find us in another mood.
    out.send(to, { type: "refused", request, reason });
  }

  #remember(key: string, message: IpamMessage): void {
    this.#answers.set(key, message);
    if (this.#answers.size <= MAX_ANSWERS) return;
    for (const oldest of this.#answers.keys()) {
      this.#answers.delete(oldest);
      break;
    }
  }
}

function keyOf(donation: Donation): string {
  return `${donation.to} ${donation.request}`;
}
