/**
 * Everybody's names as this node knows them: ours told, others' taken from gossip, passed on and merged.
 *
 * Invariants: only a shard of a higher version within one life of its owner takes the place of another, so the order of messages does
 * not matter; a new life counts once all of it is known, until then the former one does, unless its owner was out of reach
 * in between. Bounded: two lives of 256 shards for each owner, and owners are members, or a few that come before they are.
 */
import {
  decodeEntries,
  decodeNameSet,
  encodeEntries,
  encodeNameSet,
  type NameEntry,
  type NameSet,
  type NameShard,
  shardOf,
} from "./name-set.ts";

/** Owners kept at most while they are not known as members. */
const MAX_STRANGERS = 256;
const MAX_LIVES = 2;

export interface NameRegistryOptions {
  /** Our member's name, and the number of this life of the daemon. */
  readonly name: string;
  readonly boot: number;
  /** The present life of a member, undefined when its metadata does not say; "left" and "unknown" are no members. */
  readonly boots: (owner: string) => number | "left" | "unknown";
}

/** A message to tell everybody; news of the same key replaces it. */
export interface NameNews {
  readonly key: string;
  readonly bytes: Uint8Array;
}

interface Shard {
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly entries: readonly NameEntry[];
}

interface Life {
  readonly boot: number;
  total: number;
  isWhole: boolean;
  /** Its owner was out of reach since: what ran then need not run now, unless this life goes on. */
  isStale: boolean;
  readonly shards: Map<number, Shard>;
}

export class NameRegistry {
  readonly #options: NameRegistryOptions;
  readonly #owners = new Map<string, Life[]>();
  #revision = 0;

  constructor(options: NameRegistryOptions) {
    this.#options = options;
  }

  /** Raised by each change of what `entriesOf` gives. */
  get revision(): number {
    return this.#revision;
  }

  /** Our containers as they are now; the news is for everybody. The first call tells that we have none, too. */
  setOwn(entries: readonly NameEntry[]): NameNews[] {
    const { name, boot } = this.#options;
    const isFirst = !this.#owners.has(name);
    const life = this.#life(name, boot);
    life.isWhole = true;
    const byShard = Map.groupBy(entries, ({ container }) => shardOf(container));
    const changed: NameShard[] = [];
    for (const shard of new Set([...byShard.keys(), ...life.shards.keys()])) {
      const now = byShard.get(shard) ?? [];
      const bytes = encodeEntries(now);
      const before = life.shards.get(shard);
      if (before && Buffer.compare(before.bytes, bytes) === 0) continue;
      const version = (before?.version ?? 0) + 1;
      life.shards.set(shard, { version, bytes, entries: now });
      changed.push({ shard, version, bytes });
    }
    life.total = life.shards.size;
    if (changed.length > 0) this.#revision++;
    const set = { owner: name, boot, total: life.total };
    if (isFirst && changed.length === 0) return [news({ ...set, shards: [] })];
    return changed.map((shard) => news({ ...set, shards: [shard] }));
  }

  /** Takes what came from another node; what was news in it is to be passed on. Hostile bytes are dropped. */
  take(bytes: Uint8Array): NameNews[] {
    const set = decodeNameSet(bytes);
    if (!set || set.owner === this.#options.name || !this.#isWelcome(set)) return [];
    const isNew = !this.#owners.get(set.owner)?.some(({ boot }) => boot === set.boot);
    const life = this.#life(set.owner, set.boot);
    const taken: NameShard[] = [];
    for (const { shard, version, bytes: shardBytes } of set.shards) {
      if (version <= (life.shards.get(shard)?.version ?? 0)) continue;
      const entries = decodeEntries(shardBytes);
      if (!entries) continue;
      life.shards.set(shard, { version, bytes: shardBytes, entries });
      taken.push({ shard, version, bytes: shardBytes });
    }
    life.total = Math.max(life.total, set.total);
    life.isWhole ||= life.shards.size >= life.total;
    if (taken.length > 0 || isNew) this.#revision++;
    const { owner, boot } = set;
    if (isNew && taken.length === 0) return [news({ ...set, shards: [] })];
    return taken.map((shard) => news({ owner, boot, total: life.total, shards: [shard] }));
  }

  /** All that is known of members, for a push/pull. */
  encoded(): Uint8Array[] {
    const sets: Uint8Array[] = [];
    for (const [owner, lives] of this.#owners) {
      const boot = this.#bootOf(owner);
      for (const life of lives) {
        if (life.boot !== boot) continue;
        const shards = [...life.shards].map(([shard, { version, bytes }]) => ({
          shard,
          version,
          bytes,
        }));
        // Half a life is not told as a whole one.
        sets.push(encodeNameSet({ owner, boot, total: life.total, shards }));
      }
    }
    return sets;
  }

  /** The names of a member, of its present life where all of it is known. */
  entriesOf(owner: string): readonly NameEntry[] {
    const lives = this.#owners.get(owner) ?? [];
    const boot = this.#bootOf(owner);
    const present = lives.find((life) => life.boot === boot);
    if (present?.isWhole) return entriesIn(present);
    const former = lives.findLast((life) => life !== present && !life.isStale);
    return entriesIn(former ?? present);
  }

  /** Who is in reach now. What ran on others is believed again only if their daemon lived on. */
  reach(owners: ReadonlySet<string>): void {
    for (const [owner, lives] of this.#owners) {
      const boot = this.#bootOf(owner);
      for (const life of lives) {
        const isStale = !owners.has(owner) || (life.isStale && life.boot !== boot);
        if (life.isStale !== isStale) this.#revision++;
        life.isStale = isStale;
      }
    }
  }

  /** The owner left, or is no node of ours any more. */
  drop(owner: string): void {
    if (this.#owners.delete(owner)) this.#revision++;
  }

  /** Drops what came before, or instead of, its owner. */
  dropStrangers(): void {
    for (const owner of this.#owners.keys()) {
      if (typeof this.#bootOf(owner) !== "number") this.drop(owner);
    }
  }

  #isWelcome({ owner, boot }: NameSet): boolean {
    const present = this.#bootOf(owner);
    if (present === "left") return false;
    if (this.#owners.get(owner)?.some((life) => life.boot === boot)) return true;
    if (present !== "unknown" || this.#owners.has(owner)) return true;
    const strangers = [...this.#owners.keys()].filter((each) => this.#bootOf(each) === "unknown");
    return strangers.length < MAX_STRANGERS;
  }

  #bootOf(owner: string): number | "left" | "unknown" {
    return owner === this.#options.name ? this.#options.boot : this.#options.boots(owner);
  }

  #life(owner: string, boot: number): Life {
    let lives = this.#owners.get(owner);
    if (!lives) {
      lives = [];
      this.#owners.set(owner, lives);
    }
    const known = lives.find((life) => life.boot === boot);
    if (known) return known;
    const life = { boot, total: 0, isWhole: false, isStale: false, shards: new Map() };
    lives.push(life);
    if (lives.length > MAX_LIVES) {
      const present = this.#bootOf(owner);
      const oldest = lives.findIndex((each) => each.boot !== present);
      lives.splice(oldest, 1);
    }
    return life;
  }
}

function news(set: NameSet): NameNews {
  const what = set.shards.map(({ shard }) => shard).join();
  return { key: `names:${set.owner}:${what}`, bytes: encodeNameSet(set) };
}

function entriesIn(life: Life | undefined): NameEntry[] {
  return life ? [...life.shards.values()].flatMap(({ entries }) => entries) : [];
}
