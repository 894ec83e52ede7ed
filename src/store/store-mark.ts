/**
 * Which store a node holds to, and how two of them are related. Pure.
 *
 * A store's id is 16 hex digits from its making. One that was made anew from a copy keeps them, counts its generation up, and has 8 more digits of chance behind
 * them: so two that were made anew at the same time, each on its side of a split, have one generation and are told apart all the same.
 */

export interface StoreMark {
  readonly id: string;
  /** From 1; one more each time that the store is made anew from a copy. */
  readonly generation: number;
}

const LINEAGE_DIGITS = 16;
/** What gossip can carry. */
export const MAX_GENERATION = 0xffff_ffff;

/** What all generations of one store have in common. */
export function lineageOf({ id }: Pick<StoreMark, "id">): string {
  return id.slice(0, LINEAGE_DIGITS);
}

export function isSameStore(a: StoreMark, b: StoreMark): boolean {
  return a.id === b.id && a.generation === b.generation;
}

/** Of one lineage, and a generation before: what it holds counts no more. */
export function isOutlived(own: StoreMark, by: StoreMark): boolean {
  return lineageOf(own) === lineageOf(by) && own.generation < by.generation;
}

/** The mark of the generation after the newest of `known`, all of one lineage; `chance` is 8 hex digits. Throws RangeError for none. */
export function nextMark(known: readonly StoreMark[], chance: string): StoreMark {
  const [first] = known;
  if (first === undefined) throw new RangeError("a next generation needs one before it");
  const generation = Math.max(...known.map((mark) => mark.generation)) + 1;
  return { id: lineageOf(first) + chance, generation: Math.min(generation, MAX_GENERATION) };
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
