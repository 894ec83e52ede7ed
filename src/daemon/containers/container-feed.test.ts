import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ContainerBoard } from "../../api/container-board.ts";
import type { ContainerEvent } from "../../api/container-schema.ts";
import { eventStream } from "../../api/event-stream.ts";
import { exampleContainers } from "../../api/example-answers.ts";
import { ContainerFeed, MAX_CONTAINER_WATCHERS } from "./container-feed.ts";

const [row] = exampleContainers().containers;
assert.ok(row);
const changed = (name: string): ContainerEvent => ({
  ...{ type: "container", container: { ...row, name } },
});

/** A feed over a board, and what tells both. */
function stage() {
  const board = new ContainerBoard();
  board.take({ type: "all", ...exampleContainers() });
  const feed = new ContainerFeed(() => board.list());
  const tell = (event: ContainerEvent): void => {
    board.take(event);
    feed.tell(event);
  };
  return { board, feed, tell };
}

test("a watcher is told all, then each change, until it goes away", async () => {
  const { feed, tell } = stage();
  const end = new AbortController();
  const seen: string[] = [];
  for await (const event of feed.watch(end.signal, "a")) {
    seen.push(event.type);
    if (seen.length === 1) tell(changed("a"));
    else if (seen.length === 2) setImmediate(() => tell({ type: "node-gone", node: 2 }));
    else end.abort();
  }
  assert.deepEqual(seen, ["all", "container", "node-gone"]);
  assert.equal(feed.watchers, 0);
});

test("one that reads slowly is told all anew, and ends with the same as who read everything", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 6 }),
      async (bursts) => {
        const { board, feed, tell } = stage();
        const end = new AbortController();
        const slow = new ContainerBoard();
        const events = feed.watch(end.signal, "a")[Symbol.asyncIterator]();
        for (const [at, count] of [...bursts, 0].entries()) {
          const { value } = await events.next();
          if (value) slow.take(value);
          for (let index = 0; index < count; index += 1) tell(changed(`${at}.${index}`));
        }
        tell(changed("last"));
        for (let read = 0; read < 600; read += 1) {
          const { value } = await events.next();
          if (value) slow.take(value);
          if (slow.list().containers.some(({ name }) => name === "last")) break;
        }
        end.abort();
        assert.deepEqual(slow.list(), board.list());
      },
    ),
    { numRuns: 30 },
  );
});

test("an event is the same object for all watchers, and written as JSON once", async () => {
  const { feed, tell } = stage();
  const end = new AbortController();
  let written = 0;
  const readers = Array.from({ length: 500 }, () => eventStream(feed.watch(end.signal, "a")));
  await Promise.all(readers.map((reader) => reader.next()));
  const container = Object.assign(
    { ...row },
    {
      toJSON: () => {
        written += 1;
        return row;
      },
    },
  );
  tell({ type: "container", container });
  const chunks = await Promise.all(readers.map((reader) => reader.next()));
  assert.equal(written, 1);
  assert.equal(new Set(chunks.map(({ value }) => value)).size, 1);
  end.abort();
});

test("there is an end to watchers, and one certificate's leave places to others", () => {
  const { feed } = stage();
  const { signal } = new AbortController();
  for (let index = 0; index < 0.8 * MAX_CONTAINER_WATCHERS; index += 1) feed.watch(signal, "a");
  assert.throws(() => feed.watch(signal, "a"), { code: "API_WATCHERS_MANY" });
  for (let index = 0; index < 100; index += 1) feed.watch(signal, "b");
});
