/**
 * The store's entry that says which times its voters are to have, and what they were found from. Pure.
 *
 * Invariant: what cannot be read is as if it were not there: the least times then stand.
 */
import { type EtcdTiming, isTiming, type Measured } from "./store-times.ts";

/** Written by whoever leads. */
export const TIMES_KEY = "cluster/times";

export interface StoreTimes extends Measured {
  readonly timing: EtcdTiming;
  /** When they were written, by the wall clock of who did. */
  readonly sinceMs: number;
}

const MAX_BYTES = 1024;

export function timesIn(value: Uint8Array | undefined): StoreTimes | undefined {
  if (value === undefined || value.length > MAX_BYTES) return undefined;
  const fields = jsonOf(value);
  if (typeof fields !== "object" || fields === null || !isTiming(fields)) return undefined;
  const { heartbeatMs, electionMs } = fields;
  const { roundTripMs, fsyncMs, sinceMs } = fields as unknown as Record<string, unknown>;
  return {
    timing: { heartbeatMs, electionMs },
    ...{ roundTripMs: amount(roundTripMs), fsyncMs: amount(fsyncMs) },
    sinceMs: amount(sinceMs) ?? 0,
  };
}

export function encodeTimes({ timing, roundTripMs, fsyncMs, sinceMs }: StoreTimes): Uint8Array {
  const { heartbeatMs, electionMs } = timing;
  const fields = { heartbeatMs, electionMs, roundTripMs, fsyncMs, sinceMs };
  return new TextEncoder().encode(JSON.stringify(fields));
}

function amount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
