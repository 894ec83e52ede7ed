import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedRun } from "./shared-run.ts";

test("who asks while it runs gets that run's outcome, who asks later another one", async () => {
  const runs: PromiseWithResolvers<number>[] = [];
  const ask = sharedRun(() => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  });
  const first = [ask(), ask(), ask()];
  assert.equal(runs.length, 1);
  runs[0]?.resolve(1);
  assert.deepEqual(await Promise.all(first), [1, 1, 1]);
  const second = [ask(), ask()];
  assert.equal(runs.length, 2);
  runs[1]?.reject(new Error("not this time"));
  for (const each of second) await assert.rejects(each, /not this time/);
  const third = ask();
  runs[2]?.resolve(3);
  assert.equal(await third, 3);
});
