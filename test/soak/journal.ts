/**
 * What was done when, one JSON object a line: the record of a soak, and what `--replay` plays again.
 *
 * Lines: `{"soak":{…}}` first, then `{"ms","plan"}` as an event begins, `{"ms","step","outcome"}` as it ends, and
 * `{"ms","note"}` for what the checks saw. Milliseconds count from the first line.
 */
import { appendFileSync, readFileSync } from "node:fs";
import type { Planned } from "./event.ts";

export interface SoakHeader {
  readonly seed: number;
  readonly hosts: number;
}

export interface Outcome {
  readonly ok: boolean;
  readonly tookMs: number;
  /** What the program said when it failed. */
  readonly words: string;
}

export class Journal {
  readonly #file: string;
  readonly #startedAt = performance.now();
  readonly #echo: (line: string) => void;

  /** Appends to `file`; `echo` is told what a person should see while it runs. */
  constructor(file: string, header: SoakHeader, echo: (line: string) => void) {
    this.#file = file;
    this.#echo = echo;
    this.#write({ soak: header });
  }

  get ms(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  plan(step: number, plan: Planned): void {
    this.#write({ ms: this.ms, step, plan });
  }

  outcome(step: number, outcome: Outcome): void {
    this.#write({ ms: this.ms, step, outcome });
  }

  note(note: string): void {
    this.#write({ ms: this.ms, note });
    this.#echo(`${(this.ms / 1000).toFixed(1).padStart(7)} s  ${note}`);
  }

  /** As `note`, for who reads the log later. */
  remember(note: string): void {
    this.#write({ ms: this.ms, note });
  }

  #write(line: unknown): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/** The header and the plan that a journal holds. Throws when it is none. */
export function readJournal(file: string): { header: SoakHeader; plan: readonly Planned[] } {
  let header: SoakHeader | undefined;
  const plan: Planned[] = [];
  for (const text of readFileSync(file, "utf8").split("\n")) {
    if (text === "") continue;
    const line: { soak?: SoakHeader; plan?: Planned } = JSON.parse(text);
    header ??= line.soak;
    if (line.plan) plan.push(line.plan);
  }
  if (!header) throw new Error(`${file} is no log of a soak`);
  return { header, plan };
}
