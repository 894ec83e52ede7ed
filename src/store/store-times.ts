/**
 * Heartbeat and election time of the store's voters, from the round trips between them and how long their disks take. Pure.
 *
 * By etcd's tuning guide: a heartbeat of 0.5 to 1.5 times the longest round trip, an election of ten times that, below 50 s, the same for all voters.
 * A leader that waits for its disk sends no heartbeats meanwhile: an election is five times what the disk takes, at least. Only powers of two of the least are
 * used, and a shorter one is taken only with room to spare, so that they seldom change: each change starts every voter's etcd anew.
 */

export interface EtcdTiming {
  /** A leader's sign of life, every so often: about one round trip between voters. */
  readonly heartbeatMs: number;
  /** Without one for so long, ten heartbeats, a voter asks for votes. */
  readonly electionMs: number;
}

/** What the times are found from; undefined: not known, which asks for nothing. */
export interface Measured {
  /** The longest between two voters. */
  readonly roundTripMs: number | undefined;
  /** The slowest voter's: what nine of ten of its writes took at most. */
  readonly fsyncMs: number | undefined;
}

const LEAST_HEARTBEAT_MS = 100;
/** 3.2 s and 32 s: twice that would pass what etcd takes. */
const MAX_SCALE = 32;
const HEARTBEATS_AN_ELECTION = 10;
const FSYNCS_AN_ELECTION = 5;
/** Of a shorter heartbeat, that may be needed when it is taken. */
const ROOM = 0.7;
/** While the voters change one by one, an election of the new times still stands for two heartbeats and more of the old ones. */
const MAX_FALL = 4;

/** For voters up to 100 ms apart, and disks that take up to 200. A call that finds no leader waits no longer than the election takes. */
export const LEAST_TIMING: EtcdTiming = timingOf(1);

/** What a heartbeat must last, at least. */
export function neededMs({ roundTripMs = 0, fsyncMs = 0 }: Measured): number {
  return Math.max(roundTripMs, (fsyncMs * FSYNCS_AN_ELECTION) / HEARTBEATS_AN_ELECTION);
}

/** The times for voters that need a heartbeat of `ms`, of any size. */
export function timingFor(ms: number): EtcdTiming {
  let scale = 1;
  while (scale < MAX_SCALE && scale * LEAST_HEARTBEAT_MS < ms) scale *= 2;
  return timingOf(scale);
}

/** After `current`: longer ones at once, shorter ones only with room to spare, and by a quarter at most; `current` itself when it is to stay. */
export function nextTiming(current: EtcdTiming, ms: number): EtcdTiming {
  const enough = timingFor(ms);
  if (enough.heartbeatMs >= current.heartbeatMs) return enough;
  const spare = timingFor(ms / ROOM);
  if (spare.heartbeatMs >= current.heartbeatMs) return current;
  const least = timingFor(current.heartbeatMs / MAX_FALL);
  return spare.heartbeatMs > least.heartbeatMs ? spare : least;
}

export function isSameTiming(a: EtcdTiming, b: EtcdTiming): boolean {
  return a.heartbeatMs === b.heartbeatMs && a.electionMs === b.electionMs;
}

/** One of those that `timingFor` gives. */
export function isTiming(value: unknown): value is EtcdTiming {
  if (typeof value !== "object" || value === null) return false;
  const { heartbeatMs, electionMs } = value as Record<string, unknown>;
  if (typeof heartbeatMs !== "number") return false;
  const known = timingFor(heartbeatMs);
  return known.heartbeatMs === heartbeatMs && known.electionMs === electionMs;
}

function timingOf(scale: number): EtcdTiming {
  const heartbeatMs = LEAST_HEARTBEAT_MS * scale;
  return { heartbeatMs, electionMs: heartbeatMs * HEARTBEATS_AN_ELECTION };
}
