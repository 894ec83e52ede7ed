/**
 * What happens when in virtual time: slots of a quarter of a millisecond for the present four seconds, and a list for each later four.
 *
 * A simulation of 10,000 members has hundreds of thousands of events under way: a slot costs a push and a short sort, where a heap of all of
 * them costs a walk through memory. Invariants: actions run in order of time, those of one moment as they were added; an event beyond the
 * present era is in its own era's list.
 */

interface Happening {
  readonly dueMs: number;
  readonly action: () => void;
}

const SLOTS_PER_MS = 4;
/** Slots of an era. */
const SLOTS = 16_384;

export class EventQueue {
  readonly #slots: Happening[][] = Array.from({ length: SLOTS }, () => []);
  readonly #later = new Map<number, Happening[]>();
  #era = 0;
  /** The slot of the earliest that is left, and how much of it has run. */
  #slot = 0;
  #done = 0;
  /** Events of this era that are left. */
  #left = 0;

  /** Infinity when nothing is to come. */
  get nextMs(): number {
    return this.#first()?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** `dueMs` is finite and at least 0; what is over already happens at the next run. */
  at(dueMs: number, action: () => void): void {
    const happening: Happening = { dueMs, action };
    const slot = Math.floor(dueMs * SLOTS_PER_MS);
    const era = Math.floor(slot / SLOTS);
    if (era > this.#era) {
      const list = this.#later.get(era);
      if (list === undefined) this.#later.set(era, [happening]);
      else list.push(happening);
      return;
    }
    const inEra = era < this.#era ? 0 : slot % SLOTS;
    this.#left++;
    if (inEra > this.#slot) {
      this.#slots[inEra]!.push(happening);
      return;
    }
    // The slot that is being run is in order, and stays so.
    const list = this.#slots[this.#slot]!;
    let index = list.length;
    while (index > this.#done && list[index - 1]!.dueMs > dueMs) index--;
    list.splice(index, 0, happening);
  }

  /** Runs everything due at `nowMs`, also what the actions themselves add. */
  run(nowMs: number): void {
    for (let first = this.#first(); first && first.dueMs <= nowMs; first = this.#first()) {
      this.#done++;
      this.#left--;
      first.action();
    }
  }

  #first(): Happening | undefined {
    for (;;) {
      const list = this.#slots[this.#slot]!;
      if (this.#done < list.length) return list[this.#done];
      list.length = 0;
      this.#done = 0;
      if (this.#left > 0) this.#slot++;
      else if (!this.#beginNextEra()) return undefined;
      const next = this.#slots[this.#slot]!;
      if (next.length > 1) next.sort((a, b) => a.dueMs - b.dueMs);
    }
  }

  /** False when nothing is to come. */
  #beginNextEra(): boolean {
    if (this.#later.size === 0) return false;
    this.#era = Math.min(...this.#later.keys());
    this.#slot = 0;
    const events = this.#later.get(this.#era) ?? [];
    this.#later.delete(this.#era);
    for (const event of events) {
      this.#slots[Math.floor(event.dueMs * SLOTS_PER_MS) % SLOTS]!.push(event);
    }
    this.#left = events.length;
    return true;
  }
}
