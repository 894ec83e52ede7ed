import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleStatus } from "../api/fake-node.ts";
import type { Status } from "../api/status-schema.ts";
import { isHansaError } from "../errors.ts";
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
    for await (const { targets } of feed.watch(controller.signal)) list.push(targets.join());
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
  assert.ok(looks - before <= 2, `${looks - before} looks`);
  controller.abort();
  await Promise.all(ended);
  assert.equal(feed.watchers, 0);
});

test("a watcher that breaks off, and one that never begins, leave nothing; too many are refused", async () => {
  const feed = new StatusFeed(async () => named("a"));
  const controller = new AbortController();
  for await (const _ of feed.watch(controller.signal)) break;
  assert.equal(feed.watchers, 0);
  for (let index = 0; index < MAX_WATCHERS; index += 1) feed.watch(controller.signal);
  assert.throws(
    () => feed.watch(controller.signal),
    (error) => isHansaError(error, "API_WATCHERS_MANY"),
  );
  controller.abort();
  assert.equal(feed.watchers, 0);
});
