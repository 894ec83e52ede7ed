/**
 * Server-sent events: each value as one event with its JSON and an id, in the order and at the pace that the reader takes them.
 *
 * Invariants: a reader hears something at least every BEAT_MS, a comment where there is nothing to tell, so that it can tell a quiet node from one
 * that is cut off. A value that many readers are told is written as JSON once, and has one id for all of them. An id is good on the node and in the
 * life of the daemon that gave it, and nowhere else is it taken for one.
 */
import { type HansaError, isHansaError } from "../errors.ts";

/** Of an answer that is such a stream. */
export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
};
const OVER = { value: undefined, done: true } as const;
/** Between two signs of life. */
const BEAT_MS = 2_000;
/** After so long without one a reader takes the other side for gone. */
export const SILENT_MS = 7_000;
/** What may stand in Last-Event-ID. */
const ID = /^[0-9a-z-]{1,64}$/;

const encoder = new TextEncoder();
const BEAT = encoder.encode(":\n\n");

/** One event as it is sent. */
export class StreamEvent {
  /** With it as Last-Event-ID a reader goes on behind this event. */
  readonly id: string;
  readonly #value: object;
  readonly #name: string | undefined;
  #bytes: Uint8Array | undefined;

  /** `name` is for other events than the usual ones of a stream. */
  constructor(id: string, value: object, name?: "gap") {
    this.id = id;
    this.#value = value;
    this.#name = name;
  }

  /** Written at the first reader, the same for all. */
  get bytes(): Uint8Array {
    const name = this.#name === undefined ? "" : `event: ${this.#name}\n`;
    this.#bytes ??= encoder.encode(
      `${name}id: ${this.id}\ndata: ${JSON.stringify(this.#value)}\n\n`,
    );
    return this.#bytes;
  }
}

/** By the value itself: nobody changes what he told already. */
const made = new WeakMap<object, StreamEvent>();
let count = 0;
/** Ids of this life of the daemon begin with it. Drawn when it is needed: clients load this file too. */
let epoch: string | undefined;

/** The id in a request's Last-Event-ID; undefined where there is none that could be ours. */
export function lastEventId(header: string | undefined): string | undefined {
  return header !== undefined && ID.test(header) ? header : undefined;
}

/**
 * What `values` yields as the bytes of an answer. When the reader goes away the iterator is returned, also while it is waited for.
 *
 * Plain values are whole states, of which the newest is all that counts: who was told the first one already, as `after` says, is not told it again.
 * Values that are StreamEvents go out as they are (see EventLog).
 */
export function eventStream(
  values: AsyncIterable<object>,
  after?: string,
): AsyncIterator<Uint8Array, undefined> {
  const iterator = values[Symbol.asyncIterator]();
  let pending: Outstanding | undefined;
  let isFirst = true;
  let isOver = false;
  return {
    async next() {
      if (isOver) return OVER;
      pending ??= outstanding(iterator.next());
      await settledWithin(pending, BEAT_MS);
      const { failure, result } = pending;
      if (failure) {
        if (!isHansaError(failure.error)) throw failure.error;
        isOver = true;
        return { value: failureEvent(failure.error), done: false };
      }
      if (result === undefined) return { value: BEAT, done: false };
      if (result.done) return OVER;
      pending = undefined;
      const event = eventOf(result.value);
      const isKnown = isFirst && event.id === after;
      isFirst = false;
      return { value: isKnown ? BEAT : event.bytes, done: false };
    },
    async return() {
      isOver = true;
      // It is not waited for any more, and would keep this process.
      pending?.wake();
      await iterator.return?.();
      return OVER;
    },
  };
}

/** Why nothing more comes; a client throws it. */
function failureEvent({ code, message, hint }: HansaError): Uint8Array {
  const data = JSON.stringify({ error: { code, message, hint } });
  return encoder.encode(`event: error\ndata: ${data}\n\n`);
}

function eventOf(value: object): StreamEvent {
  if (value instanceof StreamEvent) return value;
  const known = made.get(value);
  if (known) return known;
  count += 1;
  epoch ??= crypto.randomUUID().slice(-12);
  const event = new StreamEvent(`${epoch}-${count}`, value);
  made.set(value, event);
  return event;
}

/** What comes of a promise, to be looked at again and again: each `Promise.race` on one that stays open for days would add to it. */
interface Outstanding {
  result: IteratorResult<object> | undefined;
  failure: { readonly error: unknown } | undefined;
  wake: () => void;
}

function outstanding(promise: Promise<IteratorResult<object>>): Outstanding {
  const found: Outstanding = { result: undefined, failure: undefined, wake: () => undefined };
  promise.then(
    (result) => {
      found.result = result;
      found.wake();
    },
    (error: unknown) => {
      found.failure = { error };
      found.wake();
    },
  );
  return found;
}

function settledWithin(found: Outstanding, ms: number): Promise<void> | undefined {
  if (found.result || found.failure) return undefined;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    found.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
