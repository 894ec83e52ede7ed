/**
 * The address machine of one node: rings, births, asks, grants and claims. Pure: inputs and time in, outputs out.
 *
 * The promise: two nodes that each know the newest ring record they ever wrote or received never give out one
 * address. It stands on three rules: an owner gives a range away only after its plugin ceded it; a changed own record is on
 * disk before anybody hears of it or it is used; and a record is only ever written by the owner of what it covers.
 */
import { formatCidr, type Range } from "../values/cidr.ts";
import type { NodeId } from "../values/node-id.ts";
import type { AddressPlan } from "./address-plan.ts";
import { type AddressesView, viewOf } from "./addresses-view.ts";
import { Asker, LOW_FREE, type Need } from "./asker.ts";
import { Claims } from "./claims.ts";
import { Donor } from "./donor.ts";
import { MAX_RELEASED } from "./free-pool.ts";
import { Outbox } from "./outbox.ts";
import { countAddresses, intersectRanges, rangeSet, subtractRanges } from "./range-set.ts";
import type { PersistedRings } from "./ring-codec.ts";
import { Rings } from "./rings.ts";
import type { IpamInput, IpamMessage, IpamOutput, RingEntry } from "./step.ts";

export type { AddressesView } from "./addresses-view.ts";
export type { PersistedRings } from "./ring-codec.ts";

export interface AddressesOptions {
  readonly self: NodeId;
  readonly plan: AddressPlan;
  /** At least 0, less than 1. */
  readonly random: () => number;
}

/** Records of others are written to disk at most so often. */
const SAVE_MS = 1000;
/** News of at most so many records are passed on; more come by push/pull. */
const MAX_NEWS = 128;
/** The advertised count follows the plugin's when they differ by more than a tenth, and by so many at least. */
const HINT_STEP = 16;
/**
 * After the space was set, a count of the plugin may be of before, when it comes at most once a second. So long the latest
 * count is held back and ours goes on as an estimate; else an owner that was just born would take itself for full.
 */
const HOLD_MS = 1500;

export class Addresses {
  readonly #self: NodeId;
  readonly #plan: AddressPlan;
  readonly #rings: Rings;
  readonly #donor: Donor;
  readonly #asker: Asker;
  readonly #claims: Claims;
  #reachable: ReadonlySet<NodeId> = new Set();
  #settled = false;
  #fenced = false;
  #leaving = false;
  /** Who gets what we own, and what is still granted to us, while we leave. */
  #heir: NodeId | undefined;
  /** We owned space when we were started, so nothing must settle before we use it. */
  readonly #established: boolean;
  /** Our free dynamic addresses: the plugin's count, corrected by what we gained and gave since. */
  #free: number | undefined;
  #heldFree: number | undefined;
  #holdUntilMs = Number.NEGATIVE_INFINITY;
  #active = 0;
  #conflicts = 0;
  /** What containers of other nodes hold without right. */
  #avoid: readonly Range[] = [];
  /** The last "space", as text to compare with; undefined when it must be set again. */
  #spaceSet: string | undefined;
  /** What that text was made of, the objects themselves: the same again give the same text. */
  #spaceOf: readonly [boolean, readonly Range[], readonly Range[]] | undefined;
  /** The part of it that the plugin's count is about. */
  #countable: string | undefined;
  #saveAtMs = Number.POSITIVE_INFINITY;
  #started = false;

  /** Throws STATE_DAMAGED when `persisted` is damaged or not of this node and subnet. */
  constructor(options: AddressesOptions, persisted?: PersistedRings) {
    this.#self = options.self;
    this.#plan = options.plan;
    this.#rings = new Rings(options.self, options.plan, persisted);
    // Numbers start at random, so that nobody takes our first ask after a restart for an old one.
    const start = () => Math.floor(options.random() * 2 ** 30);
    this.#donor = new Donor(options.self, this.#rings, start());
    this.#claims = new Claims(this.#rings, start());
    this.#asker = new Asker(options.random, 2 ** 31 + start());
    this.#established = this.#rings.owned().length > 0;
    this.#fenced = persisted?.fenced ?? false;
  }

  /** Feeds one input; `nowMs` never runs backwards. Carry the outputs out in order. */
  handle(input: IpamInput, nowMs: number): IpamOutput[] {
    const out = new Outbox();
    this.#started = true;
    this.#take(input, nowMs, out);
    this.#advance(nowMs, out);
    return out.flush();
  }

  /** When to feed the next "tick", on the clock of `handle`; 0 before the first input, Infinity when idle. */
  nextTickMs(): number {
    if (!this.#started) return 0;
    return Math.min(
      this.#saveAtMs,
      this.#heldFree === undefined ? Number.POSITIVE_INFINITY : this.#holdUntilMs,
      this.#donor.deadlineMs,
      this.#claims.deadlineMs,
      this.#asker.deadlineMs(this.#need()),
    );
  }

  /** What a "persist" writes. */
  persisted(): PersistedRings {
    const rings = this.#rings.persisted();
    return this.#fenced ? { ...rings, fenced: true } : rings;
  }

  /**
   * All records that differ from birth, as they are in memory: a "persist" for some may still be under way, and nobody may
   * hear of those yet. For push/pull take `entriesOf` of the rings that are on disk.
   */
  entries(): readonly RingEntry[] {
    return this.#rings.written();
  }

  /** What is ours by the rings, born, ready or not: a range set. */
  owned(): readonly Range[] {
    return this.#rings.owned();
  }

  view(): AddressesView {
    return viewOf(this.#rings, {
      self: this.#self,
      subnet: formatCidr(this.#plan.subnet),
      dynamic: this.#plan.dynamic,
      ready: this.#ready(),
      fenced: this.#fenced,
      free: this.#freeNow(),
      active: this.#active,
      asking: this.#asker.asking,
      conflicts: this.#conflicts,
    });
  }

  #take(input: IpamInput, nowMs: number, out: Outbox): void {
    switch (input.type) {
      case "message":
        if (input.from !== this.#self) this.#takeMessage(input.from, input.message, nowMs, out);
        return;
      case "entries":
        this.#merge(input.entries, nowMs, out);
        return;
      case "reachable":
        this.#reachable = new Set(input.nodes.filter((node) => node !== this.#self));
        return;
      case "settled":
        this.#settled = true;
        return;
      case "usage":
        this.#active = input.active;
        if (this.#isOfOurSpace(input.free, input.active)) this.#heldFree = input.free;
        return;
      case "ceded": {
        const before = this.#rings.ownedDynamic();
        if (!this.#donor.ceded(input.request, input.ranges, out)) this.#spaceSet = undefined;
        this.#estimate(before);
        return;
      }
      case "claim":
        this.#takeClaim(input, nowMs, out);
        return;
      case "hand-over":
        this.#leaving = true;
        if (this.#donor.close(out)) this.#spaceSet = undefined;
        // The space of a fenced node is its twin's.
        if (this.#fenced || input.heir === this.#self) return;
        this.#heir = input.heir;
        this.#donor.handOver(input.heir);
        return;
      case "take-over":
        this.#takeOver(input.from, out);
        return;
      case "avoid":
        this.#avoid = rangeSet(input.ranges);
        return;
      case "fenced":
        // On disk first: a daemon that starts again apart from its twin must not take the id for its own.
        if (this.#fenced !== input.fenced) out.persist();
        this.#fenced = input.fenced;
        if (input.fenced && this.#donor.close(out)) this.#spaceSet = undefined;
        return;
      case "tick":
        return;
    }
  }

  #takeMessage(from: NodeId, message: IpamMessage, nowMs: number, out: Outbox): void {
    const open = !this.#fenced && !this.#leaving;
    switch (message.type) {
      case "ask-space":
        this.#donor.ask(from, message.request, undefined, open, out);
        return;
      case "ask-address":
        this.#donor.ask(from, message.request, message.address, open, out);
        return;
      case "granted":
        this.#merge(message.entries, nowMs, out);
        this.#asker.answered(from, message.request);
        return;
      case "refused":
        if (!this.#asker.answered(from, message.request)) this.#claims.refused(from, message, out);
        return;
    }
  }

  #takeClaim(input: Extract<IpamInput, { type: "claim" }>, nowMs: number, out: Outbox): void {
    // The plugin found nothing free, unless it asked before it heard of what we just told it.
    const holding = this.#free !== undefined && nowMs < this.#holdUntilMs;
    if (input.address === undefined && !holding) this.#free = 0;
    this.#claims.add(input.request, input.address, input.deadlineMs, out);
  }

  /**
   * Whether a count can be of the space that we set: what is neither free nor leased must be resting. A plugin that was
   * not told its space yet says 0 and 0.
   */
  #isOfOurSpace(free: number, active: number): boolean {
    const owned = countAddresses(this.#rings.ownedDynamic());
    if (owned > 1 && free + active === 0) return false;
    return free + active + MAX_RELEASED + countAddresses(this.#avoid) >= owned;
  }

  /** Takes the plugin's latest count, and advertises it when it is far from what others know. */
  #useCount(nowMs: number, out: Outbox): void {
    if (this.#heldFree === undefined || nowMs < this.#holdUntilMs) return;
    const free = this.#heldFree;
    this.#heldFree = undefined;
    this.#free = free;
    if (this.#fenced || this.#rings.ownedDynamic().length === 0) return;
    const told = this.#rings.ownHint();
    const crossed = free < LOW_FREE !== told < LOW_FREE || (free === 0) !== (told === 0);
    const difference = Math.abs(free - told);
    if (!crossed && difference <= Math.max(HINT_STEP, told / 10)) return;
    const written = this.#rings.refreshFree(free);
    if (written.length === 0) return;
    out.persist();
    out.broadcast(written);
  }

  /** Corrects our count by how our dynamic space has changed since it was `before`. */
  #estimate(before: readonly Range[]): void {
    const after = this.#rings.ownedDynamic();
    const gained = countAddresses(subtractRanges(after, before));
    const lost = countAddresses(subtractRanges(before, after));
    if (before.length === 0) this.#free = gained;
    else if (this.#free !== undefined) this.#free = Math.max(0, this.#free + gained - lost);
  }

  #merge(entries: readonly RingEntry[], nowMs: number, out: Outbox): void {
    const before = this.#rings.ownedDynamic();
    const { changed, touchedOwn, conflicts } = this.#rings.merge(entries);
    // While we are fenced nothing was ours to lose: it is our twin that was contradicted, and that says so.
    if (!this.#fenced) {
      for (const { range, other } of conflicts) out.conflict(range, other);
      this.#conflicts += conflicts.length;
    }
    if (changed.length === 0) return;
    if (touchedOwn) out.persist();
    else this.#saveAtMs = Math.min(this.#saveAtMs, nowMs + SAVE_MS);
    if (changed.length <= MAX_NEWS) out.broadcast(changed);
    this.#estimate(before);
    // An ask of ours from before we left was answered late.
    const isLate = this.#leaving && touchedOwn && this.#rings.owned().length > 0;
    if (isLate && this.#heir !== undefined) this.#donor.handOver(this.#heir);
  }

  #takeOver(from: NodeId, out: Outbox): void {
    // The caller has asked everybody; that we hear it ourselves is reason enough to refuse.
    if (from === this.#self || this.#reachable.has(from) || this.#fenced) return;
    const before = this.#rings.ownedDynamic();
    const written = this.#rings.takeOver(from);
    if (written.length === 0) return;
    this.#estimate(before);
    out.persist();
    out.broadcast(written);
  }

  /** What follows from the state, whatever the input was. The order matters: space before claims and cessions. */
  #advance(nowMs: number, out: Outbox): void {
    if (this.#settled && !this.#fenced && !this.#leaving && this.#rings.unborn) {
      const before = this.#rings.ownedDynamic();
      const written = this.#rings.exerciseBirth();
      if (written.length > 0) {
        this.#estimate(before);
        out.persist();
        out.broadcast(written);
      }
    }
    if (this.#donor.expire(nowMs, out)) this.#spaceSet = undefined;
    if (nowMs >= this.#saveAtMs) out.persist();
    const spaceSet = this.#setSpace(nowMs, out);
    this.#useCount(nowMs, out);
    this.#donor.advance(nowMs, spaceSet, out);
    const granted = this.#claims.advance(
      {
        self: this.#self,
        nowMs,
        open: !this.#fenced && !this.#leaving,
        settled: this.#settled,
        free: this.#ready() ? this.#freeNow() : 0,
        reachable: this.#reachable,
      },
      out,
    );
    if (this.#free !== undefined) this.#free = Math.max(0, this.#free - granted);
    this.#asker.advance(nowMs, this.#need(), this.#reachable, () => this.#rings.freeHints(), out);
    if (out.persists) this.#saveAtMs = Number.POSITIVE_INFINITY;
  }

  #setSpace(nowMs: number, out: Outbox): boolean {
    const ready = this.#ready();
    const ranges = this.#rings.owned();
    const [wasReady, before, avoided] = this.#spaceOf ?? [];
    const isSame = wasReady === ready && before === ranges && avoided === this.#avoid;
    if (isSame && this.#spaceSet !== undefined) return false;
    this.#spaceOf = [ready, ranges, this.#avoid];
    const avoid = intersectRanges(ranges, this.#avoid);
    const text = `${textOf(ready, ranges)} / ${textOf(ready, avoid)}`;
    if (text === this.#spaceSet) return false;
    this.#spaceSet = text;
    // A fixed address more or less changes no count, so the plugin would not repeat what we dropped.
    const countable = textOf(ready, this.#rings.ownedDynamic());
    if (countable !== this.#countable) {
      this.#countable = countable;
      this.#holdUntilMs = nowMs + HOLD_MS;
      this.#heldFree = undefined;
    }
    out.space(ready, ranges, avoid);
    return true;
  }

  #ready(): boolean {
    if (this.#fenced || this.#leaving) return false;
    return this.#rings.owned().length > 0 && (this.#settled || this.#established);
  }

  #freeNow(): number {
    if (this.#rings.ownedDynamic().length === 0) return 0;
    return this.#free ?? 0;
  }

  /** Undefined when we have enough, do not know yet, or may not ask. */
  #need(): Need | undefined {
    if (this.#fenced || this.#leaving) return undefined;
    // A birth may still give us all we need.
    if (this.#rings.unborn && !this.#settled) return undefined;
    const empty = this.#rings.ownedDynamic().length === 0;
    if (!empty && this.#free === undefined) return undefined;
    const free = this.#freeNow();
    if (free >= LOW_FREE) return undefined;
    return { free, urgent: free === 0 || this.#claims.anyWaits };
  }
}

function textOf(ready: boolean, ranges: readonly Range[]): string {
  return `${ready} ${ranges.map(({ start, end }) => `${start}-${end}`).join(" ")}`;
}
