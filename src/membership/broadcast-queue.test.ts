import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BroadcastQueue } from "./broadcast-queue.ts";
import type { Message } from "./message.ts";

function user(text: string): Message {
  return { type: "user", payload: new TextEncoder().encode(text) };
}

function take(queue: BroadcastQueue, room = 1_000, limit = 3): string[] {
  const into: Message[] = [];
  queue.take(into, room, 255, limit);
  return into.map((message) =>
    message.type === "user" ? new TextDecoder().decode(message.payload) : message.type,
  );
}

test("news is sent as often as the limit says and then dropped", () => {
  const queue = new BroadcastQueue(10);
  queue.add("a", user("a"), 10);
  assert.deepEqual([take(queue), take(queue), take(queue), take(queue)], [["a"], ["a"], ["a"], []]);
  assert.equal(queue.size, 0);
});

test("newer news with the same key replaces the older and starts anew", () => {
  const queue = new BroadcastQueue(10);
  queue.add("a", user("old"), 10);
  take(queue);
  assert.equal(queue.hasFresh, false);
  queue.add("a", user("new"), 10);
  assert.equal(queue.hasFresh, true);
  assert.deepEqual(take(queue), ["new"]);
  assert.equal(queue.size, 1);
});

test("what was sent least goes first, and small news fills the gap that large news leaves", () => {
  const queue = new BroadcastQueue(10);
  queue.add("a", user("a"), 60);
  take(queue);
  queue.add("b", user("b"), 60);
  queue.add("c", user("c"), 30);
  assert.deepEqual(take(queue, 100), ["b", "c"]);
});

test("a full queue drops what was sent most", () => {
  const queue = new BroadcastQueue(2);
  queue.add("a", user("a"), 10);
  take(queue);
  queue.add("b", user("b"), 10);
  queue.add("c", user("c"), 10);
  assert.equal(queue.has("a"), false);
  assert.equal(queue.size, 2);
});

test("no packet exceeds its room, nothing is sent more often than the limit, the queue stays bounded", () => {
  const operation = fc.oneof(
    fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e"),
      bytes: fc.integer({ min: 1, max: 80 }),
    }),
    fc.record({ room: fc.integer({ min: 0, max: 200 }) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const queue = new BroadcastQueue(3);
      const sent = new Map<Message, number>();
      for (const step of operations) {
        if ("key" in step) queue.add(step.key, user(step.key), step.bytes);
        else {
          const into: Message[] = [];
          assert.ok(queue.take(into, step.room, 255, 4) <= step.room);
          for (const message of into) sent.set(message, (sent.get(message) ?? 0) + 1);
        }
        assert.ok(queue.size <= 3);
      }
      assert.ok([...sent.values()].every((count) => count <= 4));
    }),
  );
});
