/**
 * Where a reader of a log is, so that it goes on after a break without a message twice or left out. Pure.
 *
 * Docker gives messages from a time on, and those of one moment may come in either order: so a second is asked for again, and what of it was seen
 * already is passed over by its time and origin.
 */
import { dockerTime, type LogMessage, nanosOf } from "../streams/log-message.ts";

const OVERLAP_NANOS = 1_000_000_000n;
/** A flood of messages within the second asks for less of it again. */
const MAX_RECENT = 20_000;

export class LogPosition {
  /** Seen within the last second of the log's own time, oldest first. */
  #recent: { readonly nanos: bigint; readonly key: string }[] = [];
  #latest: bigint | undefined;
  /** What the present connection may bring again, by key. */
  #again = new Map<string, number>();

  /** The newest time that was seen; undefined before the first message. */
  get latest(): bigint | undefined {
    return this.#latest;
  }

  /** From when on a new connection is asked; undefined while nothing was seen. To be called once for each connection. */
  resume(): string | undefined {
    if (this.#latest === undefined) return undefined;
    this.#again = new Map();
    for (const { key } of this.#recent) this.#again.set(key, (this.#again.get(key) ?? 0) + 1);
    const oldest = this.#recent[0]?.nanos ?? this.#latest;
    const from = this.#latest - OVERLAP_NANOS;
    return dockerTime(this.#recent.length >= MAX_RECENT && oldest > from ? oldest : from);
  }

  /** Whether `message` is news. */
  take({ at, kind }: Pick<LogMessage, "at" | "kind">): boolean {
    const nanos = nanosOf(at);
    const key = `${kind} ${at}`;
    const seen = this.#again.get(key) ?? 0;
    if (seen > 0) {
      this.#again.set(key, seen - 1);
      return false;
    }
    this.#recent.push({ nanos, key });
    if (this.#latest === undefined || nanos > this.#latest) this.#latest = nanos;
    if (this.#recent.length >= 2 * MAX_RECENT) this.#recent = this.#recent.slice(-MAX_RECENT);
    const from = this.#latest - OVERLAP_NANOS;
    let old = 0;
    while ((this.#recent[old]?.nanos ?? from) < from) old += 1;
    // In bulk: taking each off the front costs the length of the list.
    if (old > this.#recent.length / 2) this.#recent = this.#recent.slice(old);
    return true;
  }
}
