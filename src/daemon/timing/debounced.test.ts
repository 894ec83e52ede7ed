import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Debounced } from "./debounced.ts";
import { until } from "./until.ts";

const failed = (error: unknown): never => assert.fail(`${error}`);

test("a burst of requests is served by one run", async () => {
  let runs = 0;
  const job = async (): Promise<void> => void runs++;
  const debounced = new Debounced({ job, delayMs: 10, everyMs: 60_000, failed });
  for (let index = 0; index < 100; index++) debounced.request();
  await until(() => runs === 1);
  await delay(30);
  assert.equal(runs, 1);
  await debounced.close();
});

test("requests that come faster than the delay do not put the run off for ever", async () => {
  let runs = 0;
  const job = async (): Promise<void> => void runs++;
  const debounced = new Debounced({ job, delayMs: 40, everyMs: 60_000, failed });
  const stream = setInterval(() => debounced.request(), 5);
  await until(() => runs >= 2);
  clearInterval(stream);
  await debounced.close();
});

test("a request during a run is served by another, never at the same time", async () => {
  let [runs, inside, most] = [0, 0, 0];
  const debounced = new Debounced({
    job: async () => {
      most = Math.max(most, ++inside);
      if (++runs === 1) debounced.request();
      await delay(5);
      inside--;
    },
    delayMs: 1,
    everyMs: 60_000,
    failed,
  });
  debounced.request();
  await until(() => runs === 2);
  await debounced.close();
  assert.equal(most, 1);
  assert.equal(inside, 0);
});

test("it runs again by itself, sooner after a failure, and not after close", async () => {
  const errors: unknown[] = [];
  let runs = 0;
  const debounced = new Debounced({
    job: async () => {
      if (++runs === 1) throw new Error("first");
    },
    delayMs: 1,
    everyMs: 30,
    retryMs: 1,
    failed: (error) => errors.push(error),
  });
  debounced.request();
  await until(() => runs === 3);
  await debounced.close();
  assert.deepEqual(errors.map(String), ["Error: first"]);
  const last = runs;
  debounced.request();
  await delay(60);
  assert.equal(runs, last);
});
