/** Several logs as one, in order of their times as well as can be. Pure. */

export interface Timed {
  readonly nanos: bigint;
}

interface Source<Line> {
  head: { readonly line: Line; readonly arrivedMs: number } | undefined;
  hasEnded: boolean;
}

/**
 * What comes next of several sources, each in its own order.
 *
 * A line goes out when every source that has not ended shows its next one, and it is the earliest; or, with `holdMs`, when it waited so long for the
 * others: a log that is followed may say nothing for hours.
 */
export class LogMerge<Line extends Timed> {
  readonly #sources: Source<Line>[];
  readonly #holdMs: number;

  constructor(count: number, holdMs = Number.POSITIVE_INFINITY) {
    this.#sources = Array.from({ length: count }, () => ({ head: undefined, hasEnded: false }));
    this.#holdMs = holdMs;
  }

  /** Source `index` shows its next line; its former one has been taken. */
  offer(index: number, line: Line, nowMs: number): void {
    const source = this.#sources[index];
    if (source) source.head = { line, arrivedMs: nowMs };
  }

  end(index: number): void {
    const source = this.#sources[index];
    if (source) source.hasEnded = true;
  }

  /** The next line and its source, which shows another one then; milliseconds until one is due without news; "news" when only that helps; or "done". */
  take(nowMs: number): { readonly line: Line; readonly index: number } | number | "news" | "done" {
    let best: { line: Line; index: number; arrivedMs: number } | undefined;
    let isWaiting = false;
    for (const [index, { head, hasEnded }] of this.#sources.entries()) {
      if (head === undefined) isWaiting ||= !hasEnded;
      else if (best === undefined || head.line.nanos < best.line.nanos) best = { ...head, index };
    }
    if (best === undefined) return isWaiting ? "news" : "done";
    const dueInMs = best.arrivedMs + this.#holdMs - nowMs;
    if (isWaiting && dueInMs > 0) return Number.isFinite(dueInMs) ? dueInMs : "news";
    const source = this.#sources[best.index];
    if (source) source.head = undefined;
    return { line: best.line, index: best.index };
  }
}

/** The lines of all of `sources` as `LogMerge` orders them. Leaves all sources when it is left. */
export async function* mergeLogs<Line extends Timed>(
  sources: readonly AsyncIterator<Line>[],
  holdMs: number | undefined,
  nowMs: () => number,
): AsyncGenerator<Line> {
  const merge = new LogMerge<Line>(sources.length, holdMs);
  let wake = (): void => undefined;
  let failure: { readonly error: unknown } | undefined;
  const pull = (index: number): void => {
    const next = sources[index]?.next();
    next?.then(
      ({ done, value }) => {
        if (done) merge.end(index);
        else merge.offer(index, value, nowMs());
        wake();
      },
      (error: unknown) => {
        failure ??= { error };
        wake();
      },
    );
  };
  for (const index of sources.keys()) pull(index);
  try {
    for (;;) {
      if (failure) throw failure.error;
      const next = merge.take(nowMs());
      if (next === "done") return;
      if (typeof next === "object") {
        yield next.line;
        pull(next.index);
        continue;
      }
      await new Promise<void>((resolve) => {
        const timer = next === "news" ? undefined : setTimeout(resolve, next);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    for (const source of sources) void source.return?.();
  }
}
