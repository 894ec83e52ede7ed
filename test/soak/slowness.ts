/**
 * How much slower this machine is at the moment than it was at rest: the time to start a program over that at rest, or the load over twice its
 * processors, whichever is more.
 *
 * Deadlines of promises are measured, and scaled by this before a late answer is called a fault: a busy machine is not one.
 */
import { spawn } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";

const KEPT = 9;

export class Slowness {
  #baseMs = Number.POSITIVE_INFINITY;
  readonly #last: number[] = [];

  /** Measures the rest; call it before anything is started. */
  async calibrate(): Promise<void> {
    for (let round = 0; round < 10; round += 1)
      this.#baseMs = Math.min(this.#baseMs, await startMs());
  }

  async measure(): Promise<void> {
    this.#last.push(await startMs());
    if (this.#last.length > KEPT) this.#last.shift();
  }

  /** 1 or more: the median of the last nine measures over the rest, less what any working machine has; or by the load. */
  get factor(): number {
    const sorted = this.#last.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? this.#baseMs;
    // A scheduler that favours the newly started hides a long queue, which the load shows.
    const queue = (loadavg()[0] ?? 0) / availableParallelism();
    return Math.max(1, median / Math.max(this.#baseMs, 2) / 2, queue / 2);
  }
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
