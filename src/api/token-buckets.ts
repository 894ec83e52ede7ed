/**
 * How often somebody may do something: a bucket of tokens for each, which fills at a steady rate. Pure: the time goes in.
 *
 * Invariants: over any time t nobody takes more than burst + t * perSecond; the number of buckets is bounded, and those that were not used for longest
 * are forgotten first, which can only give their owners more.
 */

export interface Rate {
  /** Tokens in a full bucket. */
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const MAX_BUCKETS = 4_096;
const DUST = 1e-6;

export class TokenBuckets {
  readonly #rate: Rate;
  readonly #maxBuckets: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, maxBuckets: number = MAX_BUCKETS) {
    this.#rate = rate;
    this.#maxBuckets = maxBuckets;
  }

  /** How many somebody has a bucket for. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes `cost` tokens of `key` and returns 0; or takes nothing, and returns after how many milliseconds there will be enough. */
  take(key: string, nowMs: number, cost = 1): number {
    const bucket = this.#bucketOf(key, nowMs);
    // Fractions of a token do not add up exactly.
    if (bucket.tokens + DUST >= cost) {
      bucket.tokens = Math.max(0, bucket.tokens - cost);
      return 0;
    }
    return Math.ceil(((cost - bucket.tokens) / this.#rate.perSecond) * 1_000 - DUST);
  }

  /** Takes up to `cost` tokens, as many as there are. */
  charge(key: string, nowMs: number, cost: number): void {
    const bucket = this.#bucketOf(key, nowMs);
    bucket.tokens = Math.max(0, bucket.tokens - cost);
  }

  #bucketOf(key: string, nowMs: number): Bucket {
    const { burst, perSecond } = this.#rate;
    const known = this.#buckets.get(key);
    const bucket = known ?? { tokens: burst, atMs: nowMs };
    // Used last, so forgotten last.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxBuckets) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    const elapsedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs * perSecond) / 1_000);
    bucket.atMs = Math.max(bucket.atMs, nowMs);
    return bucket;
  }
}

/** Who an address is counted as: an IPv4 address for itself, one of IPv6 for its network of 64 bits, of which everybody has plenty. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length);
  const all = [...groups, ...Array<string>(zeros).fill("0"), ...rest];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
