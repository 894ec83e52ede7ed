/**
 * How long a voter's disk takes to keep a write, from what etcd's metrics tell. Pure.
 *
 * etcd counts each fdatasync of its log into buckets of powers of two; between two readings it is known how many fell into each.
 */

/** Counts of all that took up to so many seconds, as etcd has them since it began; bounds ascend. */
export type FsyncCounts = readonly { readonly upToMs: number; readonly count: number }[];

const BUCKET =
  /^etcd_disk_wal_fsync_duration_seconds_bucket\{le="([0-9.]{1,12}|\+Inf)"\} ([0-9.e+]{1,20})$/gm;
const MAX_BUCKETS = 64;
/** Of fewer nothing can be said. */
const LEAST_WRITES = 10;

/** Of the text of etcd's metrics; empty where it has none. */
export function fsyncCounts(metrics: string): FsyncCounts {
  const counts: { upToMs: number; count: number }[] = [];
  for (const [, bound = "", count = ""] of metrics.matchAll(BUCKET)) {
    const upToMs = bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound) * 1000;
    if (Number.isNaN(upToMs) || !Number.isFinite(Number(count))) return [];
    counts.push({ upToMs, count: Number(count) });
    if (counts.length > MAX_BUCKETS) return [];
  }
  return counts.sort((a, b) => a.upToMs - b.upToMs);
}

/** What `share` of the writes between two readings took at most, within a bucket by proportion; undefined of fewer than ten, or where etcd began anew. */
export function fsyncMs(before: FsyncCounts, now: FsyncCounts, share = 0.9): number | undefined {
  const known = new Map(before.map(({ upToMs, count }) => [upToMs, count]));
  const grown = now.map(({ upToMs, count }) => ({
    upToMs,
    count: count - (known.get(upToMs) ?? 0),
  }));
  const all = grown.at(-1)?.count ?? 0;
  if (all < LEAST_WRITES || grown.some(({ count }) => count < 0)) return undefined;
  const wanted = share * all;
  const at = grown.findIndex(({ count }) => count >= wanted);
  const { upToMs, count } = grown[at] ?? { upToMs: 0, count: 0 };
  const lower = grown[at - 1] ?? { upToMs: 0, count: 0 };
  // Beyond the last bound nobody knows by how much.
  if (!Number.isFinite(upToMs)) return 2 * lower.upToMs;
  const part = (wanted - lower.count) / Math.max(1, count - lower.count);
  return lower.upToMs + part * (upToMs - lower.upToMs);
}
