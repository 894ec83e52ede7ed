import assert from "node:assert/strict";
import { test } from "node:test";
import { fairNow } from "../../../test/fair-time.ts";
import { exampleStatus } from "../../api/example-answers.ts";
import type { Status } from "../../api/status-schema.ts";
import { isHansaError } from "../../errors.ts";
import { MAX_WATCHERS, StatusFeed } from "./status-feed.ts";

function named(name: string): Status {
  const status = exampleStatus();
  return { ...status, targets: [name] };
}

test("watchers get the status now and after each change that shows, computed once for all", async () => {
  let status = named("a");
  let looks = 0;
  const feed = new StatusFeed(async () => {
    looks += 1;
    return status;
  });
  feed.changed();
  assert.equal(looks, 0, "nobody watches");
  const controller = new AbortController();
  const seen: string[][] = [[], []];
  const ended = seen.map(async (list) => {
    for await (const { targets } of feed.watch(controller.signal, "a")) list.push(targets.join());
  });
  const until = async (count: number): Promise<void> => {
    while (seen.some((list) => list.length < count)) await new Promise(setImmediate);
  };
  await until(1);
  const [connection] = status.connections;
  assert.ok(connection);
  status = {
    ...status,
    connections: [{ ...connection, rttMs: 99 }, ...status.connections.slice(1)],
  };
  feed.changed();
  await new Promise((resolve) => setTimeout(resolve, 250));
  status = named("b");
  const before = looks;
  feed.changed();
  feed.changed();
  await until(2);
  assert.deepEqual(seen, [
    ["a", "b"],
    ["a", "b"],
  ]);
  assert.equal(looks - before, 1);
  controller.abort();
  await Promise.all(ended);
  assert.equal(feed.watchers, 0);
});

test("a watcher that breaks off, and one that never begins, leave nothing; too many are refused", async () => {
  const feed = new StatusFeed(async () => named("a"));
  const controller = new AbortController();
  for await (const _ of feed.watch(controller.signal, "a")) break;
  assert.equal(feed.watchers, 0);
  for (let index = 0; index < 0.8 * MAX_WATCHERS; index += 1) feed.watch(controller.signal, "a");
  assert.throws(
    () => feed.watch(controller.signal, "a"),
    (error) => isHansaError(error, "API_WATCHERS_MANY"),
  );
  // Others have places left.
  for (let index = 0; index < 100; index += 1) feed.watch(controller.signal, "b");
  controller.abort();
  assert.equal(feed.watchers, 0);
});

test("who comes after all others left is shown what changed meanwhile", async () => {
  let status = named("a");
  const feed = new StatusFeed(async () => status);
  const { signal } = new AbortController();
  for await (const _ of feed.watch(signal, "a")) break;
  status = named("b");
  feed.changed();
  for await (const { targets } of feed.watch(signal, "a")) {
    assert.deepEqual(targets, ["b"]);
    break;
  }
});

test("a change during a slow look is told, and a look that failed is made again", async () => {
  const looks: PromiseWithResolvers<Status>[] = [];
  const feed = new StatusFeed(() => {
    const look = Promise.withResolvers<Status>();
    looks.push(look);
    return look.promise;
  });
  const until = async (count: number): Promise<void> => {
    while (looks.length < count) await new Promise(setImmediate);
  };
  const controller = new AbortController();
  const watched = feed.watch(controller.signal, "a")[Symbol.asyncIterator]();
  const first = watched.next();
  await until(1);
  feed.changed();
  await new Promise((resolve) => setTimeout(resolve, 200));
  looks[0]?.resolve(named("before"));
  assert.deepEqual((await first).value?.targets, ["before"]);
  const second = watched.next();
  await until(2);
  looks[1]?.reject(new Error("broken"));
  await assert.rejects(second, /broken/);
  const again = feed.watch(controller.signal, "a")[Symbol.asyncIterator]();
  const third = again.next();
  await until(3);
  looks[2]?.resolve(named("after"));
  assert.deepEqual((await third).value?.targets, ["after"]);
  controller.abort();
});

test("looks that take long are made less often, but within a second", async () => {
  let looks = 0;
  const feed = new StatusFeed(async () => {
    looks += 1;
    for (const end = performance.now() + 120; performance.now() < end; );
    return named(`${looks}`);
  });
  const controller = new AbortController();
  const [began, fairBegan] = [performance.now(), fairNow()];
  for await (const _ of feed.watch(controller.signal, "a")) {
    if (looks === 3) break;
    feed.changed();
  }
  const [tookMs, fairMs] = [performance.now() - began, fairNow() - fairBegan];
  assert.ok(tookMs > 1_400 && fairMs < 2_600, `${tookMs} ms, of a machine at rest ${fairMs}`);
});
