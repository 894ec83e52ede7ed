/**
 * How much slower this machine is at the moment than one at rest: the time to start a program over that at rest, or the programs that
 * want a processor over twice the processors, whichever is more.
 *
 * Deadlines of promises are measured, and scaled by this before a late answer is called a fault: a busy machine is not one.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** What starting a program takes on an ordinary machine at rest. */
const REST_MS = 2;

/** So that whoever waits for what never comes is told in the end. */
const MOST = 10;

interface Sample {
  readonly startMs: number;
  readonly queue: number;
}

export class Slowness {
  readonly #kept: number;
  readonly #last: Sample[] = [];

  /** Judges by the last `kept` measures. */
  constructor(kept = 9) {
    this.#kept = kept;
  }

  async measure(): Promise<void> {
    // Before a program of ours is among them.
    const queue = waiting();
    this.#last.push({ startMs: await startMs(), queue });
    if (this.#last.length > this.#kept) this.#last.shift();
  }

  /** 1 to 10: the median of the last measures over the rest, less what any working machine has; or by the queue. */
  get factor(): number {
    if (this.#last.length === 0) return 1;
    const sorted = this.#last.map((each) => each.startMs).toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? REST_MS;
    // A scheduler that favours the newly started hides a long queue.
    const queue = this.#last.reduce((sum, each) => sum + each.queue, 0) / this.#last.length;
    const slowness = Math.max(median / REST_MS, queue / availableParallelism()) / 2;
    return Math.min(MOST, Math.max(1, slowness));
  }
}

/** How many threads of this machine run or want to, less the one that asks. */
function waiting(): number {
  const running = /(\d+)\/\d+/.exec(readFileSync("/proc/loadavg", "utf8"))?.[1];
  return Math.max(0, Number(running ?? 1) - 1);
}

async function startMs(): Promise<number> {
  const startedAt = performance.now();
  await new Promise<void>((resolve) => {
    const child = spawn("true", { stdio: "ignore" });
    child.on("error", () => resolve());
    child.on("exit", () => resolve());
  });
  return performance.now() - startedAt;
}
