/**
 * Clients and faults together: each fault in turn while the clients go on, a calm after each, and what the whole history proves at the end.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Clients } from "./clients.ts";
import type { Fault, World } from "./faults.ts";
import { historyFaults } from "./history-faults.ts";
import type { Operation } from "./operation.ts";

export interface FaultRow {
  readonly name: string;
  /** Writes acknowledged from its beginning until it was mended. */
  readonly acknowledged: number;
  /** Writes of which nobody knows whether they were done. */
  readonly unknown: number;
  /** Reads answered by a node's own copy. */
  readonly mirrorReads: number;
  /** The longest time without an acknowledged write, from its beginning until the calm after it, in milliseconds. */
  readonly longestGapMs: number;
}

export interface PlayedHistory {
  readonly rows: readonly FaultRow[];
  readonly history: readonly Operation[];
  readonly refusals: ReadonlyMap<string, number>;
  /** None: all promises were kept. */
  readonly broken: readonly string[];
}

export interface PlayOptions {
  readonly world: World;
  readonly faults: readonly Fault[];
  readonly seed: number;
  /** Called with each row as it is known. */
  readonly told?: (row: FaultRow) => void;
}

const CALM_MS = 120_000;

/** Throws when the store takes no writes two minutes after a fault was mended, or after one that leaves a majority of the votes. */
export async function playHistory({
  world,
  faults,
  seed,
  told,
}: PlayOptions): Promise<PlayedHistory> {
  const clients = new Clients({ hosts: world.playground.hosts(), seed });
  const rows: FaultRow[] = [];
  try {
    await untilWritten(clients, performance.now());
    for (const fault of faults) {
      const beganMs = performance.now();
      await fault.begin(world);
      const doneMs = performance.now();
      await pause(fault.lastsMs);
      // Votes that are left go on by themselves, and not only once all is mended.
      if (fault.leavesMajority) await untilWritten(clients, doneMs);
      const mendedMs = performance.now();
      await fault.mend(world);
      await untilWritten(clients, performance.now());
      const row = rowOf(fault, clients.history, { beganMs, doneMs, mendedMs });
      rows.push(row);
      told?.(row);
    }
    await clients.end();
  } finally {
    await clients.stop();
  }
  const { history, refusals } = clients;
  return { rows, history, refusals, broken: historyFaults(history) };
}

/** Until each of three writes that began after `fromMs` is acknowledged. */
async function untilWritten({ history }: Clients, fromMs: number): Promise<void> {
  const endMs = fromMs + CALM_MS;
  while (history.filter((each) => isDone(each) && each.beganMs > fromMs).length < 3) {
    if (performance.now() > endMs) throw new Error("no write is acknowledged two minutes after");
    await pause(50);
  }
}

function rowOf(
  { name }: Fault,
  history: readonly Operation[],
  { beganMs, doneMs, mendedMs }: Readonly<Record<"beganMs" | "doneMs" | "mendedMs", number>>,
): FaultRow {
  const during = history.filter((each) => each.beganMs >= doneMs && each.endedMs <= mendedMs);
  const times = history
    .filter((each) => isDone(each) && each.endedMs >= beganMs)
    .map(({ endedMs }) => endedMs)
    .sort((a, b) => a - b);
  const gaps = times.map((ms, index) => ms - (times[index - 1] ?? beganMs));
  return {
    name,
    acknowledged: during.filter(isDone).length,
    unknown: during.filter((each) => each.kind === "write" && each.outcome === "unknown").length,
    mirrorReads: during.filter(({ kind }) => kind === "mirror read").length,
    longestGapMs: Math.round(Math.max(0, ...gaps)),
  };
}

function isDone(each: Operation): boolean {
  return each.kind === "write" && each.outcome === "done";
}
