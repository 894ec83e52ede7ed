/**
 * Events over connections that break: goes on by the next place that the door leads to, behind the last event that came.
 *
 * Invariants: nothing is told twice; what cannot be told any more is said by `missed`; between tries there is a pause that grows up to MAX_PAUSE_MS
 * and begins anew when something came; what a node refuses (a certificate, a role) ends it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, isHansaError } from "../errors.ts";
import type { Place } from "./events.ts";

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;

/** A node that is away for a moment, or the way to it. */
const PASSING: readonly ErrorCode[] = [
  "NODE_NOT_RUNNING",
  "NODE_UNREACHABLE",
  "CONTEXT_UNREACHABLE",
];

export interface ResumeOptions<T> {
  /** Opens the stream at `place` anew; ends or throws a HansaError where the connection does. */
  readonly open: (place: Place) => AsyncIterable<T>;
  readonly signal: AbortSignal;
  /** The connection is lost, and is looked for from now on. */
  readonly paused?: (why: unknown) => void;
  /** It stands again; the next value comes with the next change, where nothing changed meanwhile. */
  readonly resumed?: () => void;
  readonly missed?: (count: number | null) => void;
  /** From 0 to 1, for the pauses; default Math.random. */
  readonly random?: () => number;
}

/** The events until `signal` aborts. Throws what the first try throws, and later what is no passing failure. */
export async function* resumedEvents<T>(options: ResumeOptions<T>): AsyncGenerator<T> {
  const { open, signal, paused, resumed, missed, random = Math.random } = options;
  let isPaused = false;
  const place: Place = {
    ...(missed && { missed }),
    heard: () => {
      if (isPaused) resumed?.();
      isPaused = false;
    },
  };
  let hasBegun = false;
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      for await (const value of open(place)) {
        hasBegun = true;
        pauseMs = FIRST_PAUSE_MS;
        yield value;
      }
    } catch (error) {
      const isPassing = PASSING.some((code) => isHansaError(error, code));
      if (!hasBegun || !isPassing) throw error;
      if (signal.aborted) return;
      if (!isPaused) paused?.(error);
      isPaused = true;
    }
    // Many watchers that lost one node must not come to the next one in step.
    await pause(pauseMs * (0.5 + random() / 2), signal);
    pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
