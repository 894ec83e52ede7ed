/**
 * Which store a node holds to, and how two of them are related. Pure.
 *
 * A store's id is 16 hex digits from its making. One that was made anew from a copy keeps them, counts its generation up, and has behind them 8 digits that say
 * when, and 8 of chance: so two that were made anew from one generation, each on its side of a split, are told apart.
 *
 * Invariant: the marks of one lineage are in one order, which everybody sees in the marks alone: by generation, then by when they were made anew, then by chance.
 * So of two that were made apart everybody who hears of both holds to the same one.
 */

export interface StoreMark {
  readonly id: string;
  /** From 1; one more each time that the store is made anew from a copy. */
  readonly generation: number;
}

const LINEAGE_DIGITS = 16;
/** Of when, and of chance. */
const PART_DIGITS = 8;
/** What gossip can carry. */
export const MAX_GENERATION = 0xffff_ffff;

/** What all generations of one store have in common. */
export function lineageOf({ id }: Pick<StoreMark, "id">): string {
  return id.slice(0, LINEAGE_DIGITS);
}

export function isSameStore(a: StoreMark, b: StoreMark): boolean {
  return a.id === b.id && a.generation === b.generation;
}

/** Of one lineage, and earlier in its order: what it holds counts no more. */
export function isOutlived(own: StoreMark, by: StoreMark): boolean {
  return lineageOf(own) === lineageOf(by) && newestFirst(own, by) > 0;
}

/** The order of marks of one lineage; of others an order like any. */
export function newestFirst(a: StoreMark, b: StoreMark): number {
  const byId = a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
  return b.generation - a.generation || remadeAt(b) - remadeAt(a) || byId;
}

/** Unix seconds; 0 where it does not tell, as a first generation, or one of an earlier build. */
function remadeAt({ id }: StoreMark): number {
  if (id.length !== LINEAGE_DIGITS + 2 * PART_DIGITS) return 0;
  return Number.parseInt(id.slice(LINEAGE_DIGITS, LINEAGE_DIGITS + PART_DIGITS), 16);
}

/** The mark of the generation after the newest of `known`, all of one lineage; `chance` is 8 hex digits. Throws RangeError for none. */
export function nextMark(known: readonly StoreMark[], wallMs: number, chance: string): StoreMark {
  const [first] = known;
  if (first === undefined) throw new RangeError("a next generation needs one before it");
  const generation = Math.max(...known.map((mark) => mark.generation)) + 1;
  const seconds = Math.min(Math.max(Math.floor(wallMs / 1000), 0), 0xffff_ffff);
  const when = seconds.toString(16).padStart(PART_DIGITS, "0");
  return { id: lineageOf(first) + when + chance, generation: Math.min(generation, MAX_GENERATION) };
}

/** Of what etcd counts from 1 in each generation: more than one writes in its life. */
const REVISIONS_EACH = 10n ** 12n;

/**
 * What lies before a generation's first revision, so that revisions never fall: one that was read before a recovery is never taken for one that came after it,
 * and of two copies of one lineage the greater revision is the newer.
 */
export function revisionBase({ generation }: Pick<StoreMark, "generation">): bigint {
  return BigInt(generation - 1) * REVISIONS_EACH;
}
