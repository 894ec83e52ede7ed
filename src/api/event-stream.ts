/**
 * Server-sent events: each value as one event with its JSON, in the order and at the pace that the reader takes them.
 *
 * Invariant: a reader hears something at least every BEAT_MS, a comment where there is nothing to tell, so that it can tell a quiet node from one
 * that is cut off. A value that many readers are told is written as JSON once.
 */

/** Between two signs of life. */
const BEAT_MS = 2_000;
/** After so long without one a reader takes the other side for gone. */
export const SILENT_MS = 7_000;

const encoder = new TextEncoder();
const BEAT = encoder.encode(":\n\n");

/** By the value itself: nobody changes what he told already. */
const written = new WeakMap<object, Uint8Array>();

/** The answer that sends what `values` yields. When the reader goes away the iterator is returned. */
export function eventStream(values: AsyncIterable<object>): Response {
  const iterator = values[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<object>> | undefined;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      next ??= iterator.next();
      const result = await within(next, BEAT_MS);
      if (result === undefined) {
        controller.enqueue(BEAT);
        return;
      }
      next = undefined;
      if (result.done) controller.close();
      else controller.enqueue(eventOf(result.value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

function eventOf(value: object): Uint8Array {
  const known = written.get(value);
  if (known) return known;
  const bytes = encoder.encode(`data: ${JSON.stringify(value)}\n\n`);
  written.set(value, bytes);
  return bytes;
}

/** What `promise` resolves to, or undefined when that takes longer than `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
