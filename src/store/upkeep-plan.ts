/**
 * What is to be done to the store's files next, so that they do not grow for ever and a full store can be written again. Pure.
 *
 * Invariants: one step at a time, and at most one voter defragments at any moment, because it answers nothing meanwhile; none does while another one does not
 * answer; the one that leads comes last. The alarm is taken back only when every file is well below the bound.
 */

export interface VoterFile {
  readonly member: bigint;
  readonly leads: boolean;
  /** Its etcd answers and follows. */
  readonly answers: boolean;
  /** On disk, and of these in use. */
  readonly bytes: number;
  readonly inUse: number;
}

export interface UpkeepFacts {
  readonly voters: readonly VoterFile[];
  /** etcd refuses writes: the bound was reached. */
  readonly isFull: boolean;
  /** What was before the revision of now is forgotten already. */
  readonly isCompacted: boolean;
  readonly quotaBytes: number;
}

export type UpkeepStep =
  /** Forget all former revisions, so that their room can be used again. */
  | { readonly step: "compact" }
  | { readonly step: "defragment"; readonly member: bigint }
  /** Take the alarm back. */
  | { readonly step: "disarm" };

/** A file below it is left alone. */
const SMALL_BYTES = 64 * 1024 * 1024;
/** Parts of the file that may lie idle. */
const IDLE_SHARE = 0.5;
/** Of a full store, already. */
const IDLE_SHARE_FULL = 0.1;
/** Of the bound, that may be in use when the alarm is taken back. */
const WELL_BELOW = 0.9;

/** Undefined: nothing, or it must wait, or only users can make room. */
export function nextUpkeepStep(facts: UpkeepFacts): UpkeepStep | undefined {
  const { voters, isFull, isCompacted, quotaBytes } = facts;
  if (isFull && !isCompacted) return { step: "compact" };
  const areWhole = voters.every(({ answers }) => answers);
  const ordered = [...voters].sort((a, b) => Number(a.leads) - Number(b.leads));
  const next = ordered.find((file) => isIdle(file, isFull));
  if (next) return areWhole ? { step: "defragment", member: next.member } : undefined;
  const hasRoom = voters.every(({ bytes }) => bytes < quotaBytes * WELL_BELOW);
  return isFull && areWhole && hasRoom ? { step: "disarm" } : undefined;
}

function isIdle({ bytes, inUse }: VoterFile, isFull: boolean): boolean {
  const idle = bytes - inUse;
  if (isFull) return idle > bytes * IDLE_SHARE_FULL;
  return bytes > SMALL_BYTES && idle > bytes * IDLE_SHARE;
}
