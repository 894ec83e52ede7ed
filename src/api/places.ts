/**
 * A fixed number of places, shared by whoever wants them, so that nobody can take them all from the others. Pure.
 *
 * Who holds n is given another only while n < SHARE × free places (dynamic thresholds, Choudhury and Hahne, "Dynamic queue length thresholds for
 * shared-memory packet switches", 1998). Invariants: nobody holds more than SHARE / (SHARE + 1) of all and one; while any place is free, who holds none is
 * given one; k holders that want all they can get leave size / (1 + k × SHARE) free.
 */
const SHARE = 4;

export class Places {
  readonly size: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  constructor(size: number) {
    this.size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How many `who` has. */
  heldBy(who: string): number {
    return this.#held.get(who) ?? 0;
  }

  /** A place for `who`, which the function that is returned gives back, once; undefined when there is none for it. */
  take(who: string): (() => void) | undefined {
    const held = this.heldBy(who);
    if (held >= SHARE * (this.size - this.#taken)) return undefined;
    this.#taken += 1;
    this.#held.set(who, held + 1);
    let isGiven = true;
    return () => {
      if (!isGiven) return;
      isGiven = false;
      this.#taken -= 1;
      const left = this.heldBy(who) - 1;
      if (left === 0) this.#held.delete(who);
      else this.#held.set(who, left);
    };
  }
}
