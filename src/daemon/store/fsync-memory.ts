/**
 * How long this node's disk took to keep a write when that was last measured: so that a daemon which was started anew does not take a slow disk for one of which
 * nothing is known, and has the votes' times get shorter.
 *
 * Invariant: written once a minute at most; a figure that is older than a month is of another time, and none.
 */
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import { Remembered } from "../host-facts/remembered.ts";

interface Figure {
  readonly fsyncMs: number;
  /** Wall clock. */
  readonly atMs: number;
}

type Clocks = Pick<Clock, "monotonicMs" | "wallMs">;

const EVERY_MS = 60_000;
const MAX_AGE_MS = 30 * 86_400_000;
const MAX_FSYNC_MS = 600_000;

export class FsyncMemory {
  readonly #file: Remembered<Figure>;
  readonly #clock: Clocks;
  readonly #last: number | undefined;
  #writtenMs: number | undefined;

  static async load(path: string, clock: Clocks, logger: Logger): Promise<FsyncMemory> {
    return new FsyncMemory(await Remembered.load(path, readFigure, logger), clock);
  }

  private constructor(file: Remembered<Figure>, clock: Clocks) {
    this.#file = file;
    this.#clock = clock;
    const figure = file.value(undefined);
    const isRecent = figure !== undefined && clock.wallMs() - figure.atMs <= MAX_AGE_MS;
    this.#last = isRecent ? figure.fsyncMs : undefined;
  }

  /** As the daemon before this one last knew it; undefined: not, or long ago. */
  get last(): number | undefined {
    return this.#last;
  }

  /** It was measured just now. */
  note(fsyncMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#writtenMs !== undefined && nowMs - this.#writtenMs < EVERY_MS) return;
    this.#writtenMs = nowMs;
    this.#file.value({ fsyncMs, atMs: Math.round(this.#clock.wallMs()) });
  }
}

function readFigure({ fsyncMs, atMs }: Readonly<Record<string, unknown>>): Figure {
  if (!isAmount(fsyncMs, MAX_FSYNC_MS)) throw new RangeError("time of a write");
  if (!isAmount(atMs, Number.MAX_SAFE_INTEGER)) throw new RangeError("when it was measured");
  return { fsyncMs, atMs };
}

function isAmount(value: unknown, most: number): value is number {
  return typeof value === "number" && value >= 0 && value <= most;
}
