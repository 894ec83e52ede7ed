/**
 * Who holds whom for what, followed by the events of all machines, so that "does everybody agree" costs O(1) at every event.
 *
 * One byte for each observer and name. Invariant: `strangers` is the number of pairs of running members of which one does not hold the
 * other alive, `ghosts` that of running members and stopped ones that they hold alive or suspect.
 */
import type { MemberState } from "../../src/membership/message.ts";

const CODES = { unknown: 0, alive: 1, suspect: 2, dead: 3, left: 4 } as const;
export type Belief = MemberState | "unknown";

export class Beliefs {
  /** By observer, then by subject. */
  readonly #rows: Uint8Array[] = [];
  /** The subject that an observer itself is. */
  readonly #selves: number[] = [];
  readonly #isUp: boolean[] = [];
  /** Running members by subject: two of them share a name when one is a clone. */
  readonly #holders: number[] = [];
  readonly #subjects = new Map<string, number>();
  #capacity = 64;
  strangers = 0;
  ghosts = 0;

  /** Adds an observer that is not running yet and returns its number. */
  add(name: string): number {
    let subject = this.#subjects.get(name);
    if (subject === undefined) {
      subject = this.#subjects.size;
      this.#subjects.set(name, subject);
      this.#holders.push(0);
      if (subject >= this.#capacity) this.#grow();
    }
    this.#rows.push(new Uint8Array(this.#capacity));
    this.#selves.push(subject);
    this.#isUp.push(false);
    return this.#rows.length - 1;
  }

  /** All observers so far run and hold every name alive: a cluster that has met. O(observers) writes of whole rows. */
  convergeAll(): void {
    const count = this.#holders.length;
    for (const row of this.#rows) row.fill(CODES.alive, 0, count);
    this.#holders.fill(0);
    for (const [observer, self] of this.#selves.entries()) {
      this.#isUp[observer] = true;
      this.#holders[self]! += 1;
    }
    this.strangers = 0;
    this.ghosts = 0;
  }

  /** The observer starts with an empty memory, or stops. O(members). */
  setUp(observer: number, isUp: boolean): void {
    if (this.#isUp[observer] === isUp) return;
    const self = this.#selves[observer]!;
    const [before, after] = [this.#holders[self]!, this.#holders[self]! + (isUp ? 1 : -1)];
    if (!isUp) this.#countRow(observer, -1);
    if (before === 0 || after === 0) this.#countColumn(self, -1);
    this.#isUp[observer] = isUp;
    this.#holders[self] = after;
    if (before === 0 || after === 0) this.#countColumn(self, 1, observer);
    if (!isUp) return;
    this.#rows[observer]!.fill(CODES.unknown);
    this.#countRow(observer, 1);
  }

  set(observer: number, name: string, belief: Belief): void {
    const subject = this.#subjects.get(name);
    const row = this.#rows[observer];
    if (subject === undefined || row === undefined) return;
    this.#count(observer, subject, -1);
    row[subject] = CODES[belief];
    this.#count(observer, subject, 1);
  }

  /** How many running members hold `name` for one of `beliefs`. O(members). */
  holding(name: string, beliefs: readonly Belief[]): number {
    const subject = this.#subjects.get(name);
    if (subject === undefined) return 0;
    const codes = beliefs.map((belief) => CODES[belief] as number);
    let count = 0;
    for (const [observer, row] of this.#rows.entries()) {
      const counts = this.#isUp[observer] && this.#selves[observer] !== subject;
      if (counts && codes.includes(row[subject]!)) count++;
    }
    return count;
  }

  #count(observer: number, subject: number, sign: 1 | -1): void {
    if (!this.#isUp[observer] || this.#selves[observer] === subject) return;
    const code = this.#rows[observer]![subject]!;
    if (this.#holders[subject]! > 0) {
      if (code !== CODES.alive) this.strangers += sign;
    } else if (code === CODES.alive || code === CODES.suspect) this.ghosts += sign;
  }

  #countRow(observer: number, sign: 1 | -1): void {
    for (let subject = 0; subject < this.#holders.length; subject++) {
      this.#count(observer, subject, sign);
    }
  }

  /** `except` has its row counted by the caller. */
  #countColumn(subject: number, sign: 1 | -1, except = -1): void {
    for (let observer = 0; observer < this.#rows.length; observer++) {
      if (observer !== except) this.#count(observer, subject, sign);
    }
  }

  #grow(): void {
    this.#capacity *= 2;
    for (const [observer, row] of this.#rows.entries()) {
      const larger = new Uint8Array(this.#capacity);
      larger.set(row);
      this.#rows[observer] = larger;
    }
  }
}
