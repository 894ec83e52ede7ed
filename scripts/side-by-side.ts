/**
 * Runs jobs side by side: always a few, and more while the machine has processor time to spare.
 *
 * Most of an end-to-end test is waiting, and how much of it depends on the machine: a fixed number leaves a quick one idle and
 * starves a slow one, whose tests then judge a machine and not our program.
 */
import { readFileSync } from "node:fs";

export interface SideBySide {
  /** So many always, as long as there are jobs. */
  readonly least: number;
  readonly most: number;
  /** Asked before a job more than `least` is begun. */
  readonly hasRoom: () => boolean;
  /** From one begin to the next beyond `least`: a job's load shows a while after its begin. Milliseconds. */
  readonly pauseMs: number;
}

/** Runs all of `jobs`, begun in their order. Rejects with the first that does, when all that were begun have ended. */
export async function sideBySide(
  jobs: readonly (() => Promise<void>)[],
  { least, most, hasRoom, pauseMs }: SideBySide,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const waiting = [...jobs];
  let begunMs = Number.NEGATIVE_INFINITY;
  while (waiting.length > 0 && failures.length === 0) {
    const isPast = performance.now() - begunMs >= pauseMs;
    const mayBegin = running.size < least || (running.size < most && isPast && hasRoom());
    if (mayBegin) {
      const job = waiting.shift();
      if (job === undefined) break;
      begunMs = performance.now();
      const ended: Promise<void> = job()
        .catch((error: unknown) => {
          failures.push(error);
        })
        .finally(() => running.delete(ended));
      running.add(ended);
    } else {
      await Promise.race([...running, pause(pauseMs / 4)]);
    }
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}

/** Which share of all processors' time was idle lately, 0 to 1. */
export class IdleShare {
  readonly #samples: Ticks[] = [];
  readonly #kept: number;
  readonly #read: () => string;

  /** The last `kept` samples count; `read` gives /proc/stat. */
  constructor(kept: number, read = () => readFileSync("/proc/stat", "utf8")) {
    this.#kept = kept;
    this.#read = read;
  }

  /** To be called at an even pace. */
  sample(): void {
    this.#samples.push(ticksOf(this.#read()));
    if (this.#samples.length > this.#kept) this.#samples.shift();
  }

  /** 0 until there are two samples. */
  get share(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.all === first.all) return 0;
    return (last.idle - first.idle) / (last.all - first.all);
  }
}

/** Memory that programs may still take, by /proc/meminfo (proc(5)). */
export function availableMiB(meminfo = readFileSync("/proc/meminfo", "utf8")): number {
  return Number(/^MemAvailable: +(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) / 1024;
}

interface Ticks {
  readonly idle: number;
  readonly all: number;
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). */
function ticksOf(stat: string): Ticks {
  const [, ...fields] = (stat.split("\n", 1)[0] ?? "").trim().split(/\s+/);
  const ticks = fields.slice(0, 8).map(Number);
  return { idle: ticks[3] ?? 0, all: ticks.reduce((sum, each) => sum + each, 0) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
