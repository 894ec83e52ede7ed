import assert from "node:assert/strict";
import { test } from "node:test";
import { eventStream } from "./event-stream.ts";

const decoder = new TextDecoder();

test("who has nothing to tell gives a sign of life, and tells at once when there is something", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { promise, resolve } = Promise.withResolvers<object>();
  const values = (async function* () {
    yield { a: 1 };
    yield await promise;
  })();
  const reader = eventStream(values);
  const next = async (): Promise<string> =>
    decoder.decode((await reader.next()).value).replace(/^id: .*\n/, "");
  assert.equal(await next(), 'data: {"a":1}\n\n');
  for (let beat = 0; beat < 3; beat += 1) {
    const reading = next();
    await new Promise((done) => setImmediate(done));
    t.mock.timers.tick(2_000);
    assert.equal(await reading, ":\n\n");
  }
  resolve({ b: 2 });
  assert.equal(await next(), 'data: {"b":2}\n\n');
  assert.equal((await reader.next()).done, true);
});

test("a reader that goes away ends what it read", async () => {
  let hasEnded = false;
  const values = (async function* () {
    try {
      for (;;) yield {};
    } finally {
      hasEnded = true;
    }
  })();
  const reader = eventStream(values);
  await reader.next();
  await reader.return?.();
  assert.ok(hasEnded);
});
