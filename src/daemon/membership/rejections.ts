/**
 * One row for each source whose packets could not be authenticated, so that both sides of a wrong token see it.
 *
 * Bounded: 64 sources, the longest silent one gives way; a row disappears ten minutes after its last packet, or as soon as a
 * member is heard from there.
 */

const MAX_ROWS = 64;
const KEEP_MS = 10 * 60_000;

/** What is said of whoever cannot be authenticated; nothing more is known of it. */
export const AUTHENTICATION_FAILED = "authentication failed or other cluster";

export interface Rejection {
  readonly ip: string;
  readonly port: number;
  readonly count: number;
  readonly lastMs: number;
}

export class Rejections {
  readonly #rows = new Map<string, Rejection>();

  /** Notes one rejected packet or stream. The port is the last one seen, as streams come from passing ports. */
  note(ip: string, port: number, nowMs: number): void {
    const row = this.#rows.get(ip);
    this.#rows.delete(ip);
    this.#rows.set(ip, { ip, port, count: (row?.count ?? 0) + 1, lastMs: nowMs });
    if (this.#rows.size > MAX_ROWS) {
      const [oldest] = this.#rows.keys();
      if (oldest !== undefined) this.#rows.delete(oldest);
    }
  }

  /** A member of the cluster was heard from this address. */
  clear(ip: string): void {
    this.#rows.delete(ip);
  }

  rows(nowMs: number): Rejection[] {
    for (const [ip, row] of this.#rows) if (nowMs - row.lastMs > KEEP_MS) this.#rows.delete(ip);
    return [...this.#rows.values()];
  }
}
