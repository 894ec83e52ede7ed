import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventLog } from "./event-log.ts";
import type { StreamEvent } from "./event-stream.ts";

interface Read {
  readonly id: string;
  readonly name: string | undefined;
  readonly value: unknown;
}

function read(event: StreamEvent): Read {
  const text = new TextDecoder().decode(event.bytes);
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1];
  return { id: event.id, name: field("event"), value: JSON.parse(field("data") ?? "") };
}

/** The next `count` events. */
async function take(events: AsyncGenerator<StreamEvent>, count: number): Promise<Read[]> {
  const seen: Read[] = [];
  while (seen.length < count) {
    const { value, done } = await events.next();
    assert.ok(!done && value);
    seen.push(read(value));
  }
  return seen;
}

const log = (bounds: { maxEvents?: number; maxBytes?: number } = {}) =>
  new EventLog<{ readonly n: number }>({ epoch: "aa01", ...bounds });
const { signal } = new AbortController();
const numbers = (events: readonly Read[]): unknown[] => events.map(({ value }) => value);

test("who comes back with its last id is told all that it missed, once and in order, and goes on", async () => {
  const events = log();
  const first = events.follow(undefined, signal);
  const started = take(first, 2);
  for (const n of [1, 2, 3, 4]) events.tell({ n });
  const [, last] = await started;
  assert.deepEqual(last, { id: "aa01-2", name: undefined, value: { n: 2 } });
  const again = events.follow(last?.id, signal);
  assert.deepEqual(numbers(await take(again, 2)), [{ n: 3 }, { n: 4 }]);
  const later = take(again, 1);
  events.tell({ n: 5 });
  assert.deepEqual(numbers(await later), [{ n: 5 }]);
});

test("an id of another node or life, or one that is none, is told of a gap, and only what comes", async () => {
  for (const id of ["bb02-1", "aa01-99", "aa01-", "aa01", "x", "aa01-1-1e9"]) {
    const events = log();
    events.tell({ n: 1 });
    const follower = events.follow(id, signal);
    const [gap] = await take(follower, 1);
    assert.ok(gap);
    assert.deepEqual([gap.name, gap.value, gap.id], ["gap", { missed: null }, "aa01-1"]);
    events.tell({ n: 2 });
    assert.deepEqual(numbers(await take(follower, 1)), [{ n: 2 }]);
  }
});

test("whatever is told, lost and asked again: events come once, in order, and each hole is announced with its size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 12 }),
      async (maxEvents, steps) => {
        const events = log({ maxEvents });
        let told = 0;
        let expected = 1;
        let id: string | undefined;
        let reader: AsyncGenerator<StreamEvent> | undefined;
        const start = new AbortController();
        for (const [telling, reading] of steps) {
          // A reader that never had an id begins with what comes.
          if (id === undefined) expected = told + 1;
          reader = events.follow(id, start.signal);
          const first = id === undefined && telling > 0 ? reader.next() : undefined;
          for (let index = 0; index < telling; index++) events.tell({ n: ++told });
          let pending = first;
          for (let index = 0; index < reading && expected <= told; index++) {
            const { value } = await (pending ?? reader.next());
            pending = undefined;
            const event = read(value as StreamEvent);
            id = event.id;
            if (event.name === "gap") {
              expected += (event.value as { missed: number }).missed;
            } else {
              assert.equal((event.value as { n: number }).n, expected);
              expected += 1;
            }
          }
          if (pending) {
            const { value } = await pending;
            id = (value as StreamEvent).id;
            expected = (read(value as StreamEvent).value as { n: number }).n + 1;
          }
        }
        start.abort();
      },
    ),
  );
});

test("what is kept is bounded in number and in bytes, and one event is always kept", () => {
  const few = log({ maxEvents: 10 });
  const small = new EventLog<{ readonly text: string }>({ epoch: "aa01", maxBytes: 10_000 });
  for (let n = 0; n < 1_000; n++) {
    few.tell({ n });
    small.tell({ text: "x".repeat(n % 500) });
    assert.ok(small.bytes <= 10_000, `${small.bytes}`);
  }
  assert.ok(few.bytes < 400);
  small.tell({ text: "x".repeat(50_000) });
  assert.ok(small.bytes > 50_000 && small.bytes < 50_100);
});

test("a reader that goes away while it waits ends", async () => {
  const leaving = new AbortController();
  const next = log().follow(undefined, leaving.signal).next();
  leaving.abort();
  assert.equal((await next).done, true);
});
