/**
 * How long this node's disk took to keep a write when that was last measured: so that a daemon which was started anew does not take a slow disk for one of which
 * nothing is known, and has the votes' times get shorter.
 *
 * Invariants: nothing waits for its file, which lies on the very disk that is measured; written once a minute at most, and where it says something else than before;
 * a figure that is older than a month is of another time, and none.
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
const DAY_MS = 86_400_000;
const MAX_AGE_MS = 30 * DAY_MS;
/** A figure that moved by less says the same. */
const MOVED = 0.25;
const MAX_FSYNC_MS = 600_000;

export class FsyncMemory {
  readonly #file: Remembered<Figure>;
  readonly #clock: Clocks;
  readonly #last: number | undefined;
  #known: Figure | undefined;
  /** When the last one was begun, by the monotonic clock. */
  #writtenMs = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> | undefined;

  static async load(path: string, clock: Clocks, logger: Logger): Promise<FsyncMemory> {
    return new FsyncMemory(await Remembered.load(path, readFigure, logger), clock);
  }

  private constructor(file: Remembered<Figure>, clock: Clocks) {
    this.#file = file;
    this.#clock = clock;
    const figure = file.value(undefined);
    this.#known = figure;
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
    if (this.#writing || nowMs - this.#writtenMs < EVERY_MS) return;
    const figure = { fsyncMs, atMs: Math.round(this.#clock.wallMs()) };
    if (this.#known && !isNews(figure, this.#known)) return;
    this.#writtenMs = nowMs;
    this.#known = figure;
    this.#writing = this.#file.keep(figure).finally(() => {
      this.#writing = undefined;
    });
  }

  /** What was noted is on disk, or will never be. */
  async written(): Promise<void> {
    await this.#writing;
  }
}

function isNews(figure: Figure, known: Figure): boolean {
  const moved = Math.abs(figure.fsyncMs - known.fsyncMs);
  return moved >= MOVED * known.fsyncMs || Math.abs(figure.atMs - known.atMs) >= DAY_MS;
}

function readFigure({ fsyncMs, atMs }: Readonly<Record<string, unknown>>): Figure {
  if (!isAmount(fsyncMs, MAX_FSYNC_MS)) throw new RangeError("time of a write");
  if (!isAmount(atMs, Number.MAX_SAFE_INTEGER)) throw new RangeError("when it was measured");
  return { fsyncMs, atMs };
}

function isAmount(value: unknown, most: number): value is number {
  return typeof value === "number" && value >= 0 && value <= most;
}
