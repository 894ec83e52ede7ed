/**
 * What clients of the store did, and what they were told: one register for each key.
 *
 * Invariants: no value is written twice, so that each read names the write that it saw; times are of one monotonic clock, in milliseconds.
 */

interface Asked {
  readonly key: string;
  /** The host whose node was asked. */
  readonly node: number;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** The store answered, by a majority. */
export interface Read extends Asked {
  readonly kind: "read";
  /** undefined: there is no entry. */
  readonly value: string | undefined;
  /** Of the entry's last change; 0: there is none. */
  readonly revision: bigint;
}

/** The node answered by what it has on its own disk, and said so. */
export interface MirrorRead extends Asked {
  readonly kind: "mirror read";
  readonly value: string | undefined;
  readonly revision: bigint;
  /** How long ago the node knew that nobody had a newer one, as it says. */
  readonly ageMs: number;
}

export interface Write extends Asked {
  readonly kind: "write";
  readonly value: string;
  /** What it was to take the place of, and nothing else: `null` stands for no entry. Missing: of whatever there is. */
  readonly expected?: string | null;
  /** `unknown`: no answer, or that nobody can say; it may happen at any time from its beginning on, or never. One that was refused for certain is not recorded. */
  readonly outcome: "done" | "unknown";
  /** Of a write that is done. */
  readonly revision?: bigint;
}

export type Operation = Read | MirrorRead | Write;
