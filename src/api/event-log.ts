/**
 * A feed of events of which each one counts: the last ones are kept, so that a reader that was cut off goes on where it was.
 *
 * Invariants: what is kept is bounded in number and in bytes, and shared by all readers, so a slow one costs nothing. A reader is told every event
 * after the one that it names, in order; where some are gone, or it names one of another node or of another life of the daemon, it is told so by an
 * event `gap` first.
 */
import { StreamEvent } from "./event-stream.ts";

export interface EventLogOptions {
  /** Different in each life of the daemon, lower-case letters and digits. */
  readonly epoch: string;
  /** What is kept: so many events, of so many bytes together; one at least. Default 1,000 and 1 MiB. */
  readonly maxEvents?: number;
  readonly maxBytes?: number;
}

/** Told before what comes after a gap. */
export interface Gap {
  /** How many events were missed; null where nobody knows. */
  readonly missed: number | null;
}

export class EventLog<T extends object> {
  readonly #epoch: string;
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #wakes = new Set<() => void>();
  #kept: StreamEvent[] = [];
  #bytes = 0;
  /** The number of the first that is kept, and of the one that comes next. */
  #first = 1;
  #next = 1;

  constructor({ epoch, maxEvents = 1_000, maxBytes = 1024 * 1024 }: EventLogOptions) {
    this.#epoch = epoch;
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Something happened: everybody who follows is told. `value` must not change any more. */
  tell(value: T): void {
    const event = new StreamEvent(this.#idOf(this.#next), value);
    this.#next += 1;
    this.#kept.push(event);
    this.#bytes += event.bytes.length;
    let excess = 0;
    for (let bytes = this.#bytes; excess < this.#kept.length - 1; excess += 1) {
      if (this.#kept.length - excess <= this.#maxEvents && bytes <= this.#maxBytes) break;
      bytes -= this.#kept[excess]?.bytes.length ?? 0;
      this.#bytes = bytes;
    }
    this.#kept.splice(0, excess);
    this.#first += excess;
    for (const wake of [...this.#wakes]) wake();
  }

  /** What happens from now on, or since the event with the id `after`; until `signal` aborts. */
  async *follow(after: string | undefined, signal: AbortSignal): AsyncGenerator<StreamEvent> {
    let at = this.#next;
    if (after !== undefined) {
      const known = this.#numberAfter(after);
      if (known === undefined) yield this.#gap(null);
      else at = known;
    }
    while (!signal.aborted) {
      if (at < this.#first) {
        const missed = this.#first - at;
        at = this.#first;
        yield this.#gap(missed);
        // More may have gone while the reader took that.
        continue;
      }
      const event = this.#kept[at - this.#first];
      if (event === undefined) {
        await this.#wait(signal);
        continue;
      }
      at += 1;
      yield event;
    }
  }

  /** The number of the event that follows the one with that id; undefined for an id that is none of ours. */
  #numberAfter(id: string): number | undefined {
    const [epoch, text = "", ...rest] = id.split("-");
    if (epoch !== this.#epoch || rest.length > 0 || !/^\d{1,15}$/.test(text)) return undefined;
    const number = Number(text) + 1;
    return number <= this.#next ? number : undefined;
  }

  /** Its id is that of what went before, so that who is cut off right after it misses nothing more. */
  #gap(missed: number | null): StreamEvent {
    const gap: Gap = { missed };
    const before = missed === null ? this.#next - 1 : this.#first - 1;
    return new StreamEvent(this.#idOf(before), gap, "gap");
  }

  #idOf(number: number): string {
    return `${this.#epoch}-${number}`;
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wakes.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#wakes.add(done);
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }
}
