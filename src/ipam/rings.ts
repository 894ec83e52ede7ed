/**
 * Both rings of one node, and what changes in them mean to it. Invariant: whoever calls a method that returns
 * written records persists the rings before anybody hears of them.
 */
import { HansaError } from "../errors.ts";
import { formatCidr, type Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { type AddressPlan, RING_NAMES, type RingName, ringOf } from "./address-plan.ts";
import { intersectRanges, rangeSet, subtractRanges } from "./range-set.ts";
import {
  birthRing,
  bornRanges,
  endOf,
  indexAt,
  merge,
  type Ring,
  type RingRecord,
  recordAt,
  SPLIT_LIMIT,
  segments,
} from "./ring.ts";
import { type PersistedRings, parsePersistedRings, ringToRows, rowsToRing } from "./ring-codec.ts";
import { exerciseBirth, grant, type RingWrite, refreshFree, takeOver } from "./ring-writes.ts";
import type { RingEntry } from "./step.ts";

export interface Conflict {
  readonly range: Range;
  readonly other: NodeId;
}

export interface MergeReport {
  /** Records that were news to us. */
  readonly changed: readonly RingRecord[];
  /** Whether any of them had been or is now ours: then it must be on disk before we act on it. */
  readonly touchedOwn: boolean;
  /** Evidence that somebody wrote what only we may write, or that two wrote one version. */
  readonly conflicts: readonly Conflict[];
}

/** Contested records that were reported already; the oldest is forgotten, and then reported again. */
const MAX_REPORTED = 256;

export class Rings {
  readonly #self: NodeId;
  readonly #plan: AddressPlan;
  readonly #rings: Record<RingName, Ring>;
  readonly #reported = new Set<string>();
  /** Worked out when asked for; undefined since our records changed. */
  #owned: { readonly all: readonly Range[]; readonly dynamic: readonly Range[] } | undefined;

  /** Throws STATE_DAMAGED when `persisted` is not of this node and subnet. */
  constructor(self: NodeId, plan: AddressPlan, persisted?: PersistedRings) {
    this.#self = self;
    this.#plan = plan;
    this.#rings = { dynamic: birthRing(plan.dynamic), fixed: birthRing(plan.fixed) };
    if (persisted === undefined) return;
    const rings = parsePersistedRings(plan, persisted);
    if (rings?.self !== self) {
      const subnet = formatCidr(plan.subnet);
      throw new HansaError(
        "STATE_DAMAGED",
        `the stored address rings are not those of node ${self} in ${subnet}`,
      );
    }
    for (const name of RING_NAMES) this.#rings[name] = rowsToRing(plan[name], rings[name]);
  }

  ring(name: RingName): Ring {
    return this.#rings[name];
  }

  /** What we own and have born, of both rings, as a range set: the same object until it changes. */
  owned(): readonly Range[] {
    return this.#ours().all;
  }

  /** The dynamic part of `owned`. */
  ownedDynamic(): readonly Range[] {
    return this.#ours().dynamic;
  }

  /** Whether we have a birth record that nobody has touched yet. */
  get unborn(): boolean {
    return RING_NAMES.some((name) =>
      this.#rings[name].records.some((r) => r.owner === this.#self && r.version === 0),
    );
  }

  recordAt(address: Ipv4): RingRecord | undefined {
    const name = ringOf(this.#plan, address);
    return name && recordAt(this.#rings[name], address);
  }

  /** The records that cover `ranges`: what their new owner must know. */
  recordsIn(ranges: readonly Range[]): RingRecord[] {
    const records: RingRecord[] = [];
    for (const name of RING_NAMES) {
      const ring = this.#rings[name];
      for (const range of intersectRanges(ranges, [this.#plan[name]])) {
        for (let i = indexAt(ring, range.start); i < ring.records.length; i++) {
          const record = ring.records[i];
          if (!record || record.start >= range.end) break;
          if (endOf(ring, i) > range.start) records.push(record);
        }
      }
    }
    return records;
  }

  /** All records that somebody wrote; births are known to everyone. */
  written(): RingRecord[] {
    return RING_NAMES.flatMap((name) => this.#rings[name].records.filter((r) => r.version > 0));
  }

  /** The advertised free dynamic addresses of each owner. */
  freeHints(): Map<NodeId, number> {
    const hints = new Map<NodeId, number>();
    for (const { owner, free } of this.#rings.dynamic.records) {
      hints.set(owner, (hints.get(owner) ?? 0) + free);
    }
    return hints;
  }

  /** What we advertise as free. */
  ownHint(): number {
    let free = 0;
    for (const record of this.#rings.dynamic.records) {
      if (record.owner === this.#self) free += record.free;
    }
    return free;
  }

  /** Joins what others say. Always merged, so that all nodes end with one ring; what contradicts is reported. */
  merge(entries: readonly RingEntry[]): MergeReport {
    const before = this.owned();
    const changed: RingRecord[] = [];
    const conflicts: Conflict[] = [];
    let touchedOwn = false;
    for (const name of RING_NAMES) {
      const old = this.#rings[name];
      const result = merge(old, entries);
      this.#rings[name] = result.ring;
      changed.push(...result.changed);
      for (const record of result.changed) {
        const ours = old.records[indexAt(old, record.start)];
        if (record.owner === this.#self || ours?.owner === this.#self) touchedOwn = true;
        const forgotten =
          ours?.start === record.start &&
          ours.version > 0 &&
          ours.owner === this.#self &&
          record.owner === this.#self;
        if (forgotten) conflicts.push({ range: rangeOf(record), other: this.#self });
      }
      for (const { won, lost } of result.contested) {
        if (!this.#isNews(won, lost)) continue;
        const other = lost.owner === this.#self ? won.owner : lost.owner;
        conflicts.push({ range: rangeOf(won), other });
      }
    }
    if (!touchedOwn) return { changed, touchedOwn, conflicts };
    this.#owned = undefined;
    const lost = subtractRanges(before, this.owned());
    for (const name of RING_NAMES) {
      for (const segment of segments(this.#rings[name])) {
        for (const range of intersectRanges(lost, [segment])) {
          conflicts.push({ range, other: segment.owner });
        }
      }
    }
    return { changed, touchedOwn, conflicts };
  }

  exerciseBirth(): RingRecord[] {
    return this.#write((ring) => exerciseBirth(ring, this.#self));
  }

  /** Gives the part of `ranges` that we own to `to`; nothing when the ring would grow too large. */
  grant(ranges: readonly Range[], to: NodeId): RingRecord[] {
    const set = rangeSet(ranges);
    return this.#write((ring) => {
      const room = ring.records.length + 2 * set.length <= SPLIT_LIMIT;
      return room ? grant(ring, this.#self, set, to) : { ring, written: [] };
    });
  }

  takeOver(from: NodeId): RingRecord[] {
    return this.#write((ring) => takeOver(ring, from, this.#self));
  }

  refreshFree(free: number): RingRecord[] {
    const { ring, written } = refreshFree(this.#rings.dynamic, this.#self, free);
    this.#rings.dynamic = ring;
    return [...written];
  }

  persisted(): PersistedRings {
    return {
      format: 1,
      subnet: formatCidr(this.#plan.subnet),
      self: this.#self,
      dynamic: ringToRows(this.#rings.dynamic),
      fixed: ringToRows(this.#rings.fixed),
    };
  }

  #ours(): { readonly all: readonly Range[]; readonly dynamic: readonly Range[] } {
    if (this.#owned) return this.#owned;
    const all = rangeSet(RING_NAMES.flatMap((name) => bornRanges(this.#rings[name], this.#self)));
    this.#owned = { all, dynamic: intersectRanges(all, [this.#plan.dynamic]) };
    return this.#owned;
  }

  #write(write: (ring: Ring) => RingWrite): RingRecord[] {
    this.#owned = undefined;
    return RING_NAMES.flatMap((name) => {
      const { ring, written } = write(this.#rings[name]);
      this.#rings[name] = ring;
      return written;
    });
  }

  #isNews(won: RingRecord, lost: RingRecord): boolean {
    const key = `${won.start} ${won.version} ${won.owner} ${lost.owner} ${won.end} ${lost.end}`;
    if (this.#reported.has(key)) return false;
    if (this.#reported.size >= MAX_REPORTED) {
      for (const oldest of this.#reported) {
        this.#reported.delete(oldest);
        break;
      }
    }
    this.#reported.add(key);
    return true;
  }
}

function rangeOf(record: RingRecord): Range {
  return { start: record.start, end: record.end };
}
