import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { silentLogger } from "../../host/logger.ts";
import { FsyncMeter } from "./fsync-meter.ts";

const EVERY_MS = 30_000;

/** Of so many writes, all of which took 4 to 8 ms. */
function metrics(writes: number): string {
  const name = "etcd_disk_wal_fsync_duration_seconds_bucket";
  return [
    `${name}{le="0.004"} 0`,
    `${name}{le="0.008"} ${writes}`,
    `${name}{le="+Inf"} ${writes}`,
  ].join("\n");
}

test("nobody waits for etcd's metrics: what is known is told, and what they say to who asks next", async () => {
  const answers: PromiseWithResolvers<string>[] = [];
  const noted: number[] = [];
  const meter = new FsyncMeter({
    metrics: () => {
      const answer = Promise.withResolvers<string>();
      answers.push(answer);
      return answer.promise;
    },
    memory: { last: 300, note: (fsyncMs) => noted.push(fsyncMs) },
    ...{ logger: silentLogger, pace: 1 },
  });
  const told = async (turn: number, answer: string | Error): Promise<number | undefined> => {
    const before = meter.look(turn * EVERY_MS);
    const asked = answers.at(-1);
    if (typeof answer === "string") asked?.resolve(answer);
    else asked?.reject(answer);
    await setImmediate();
    return before;
  };
  // What the daemon before knew.
  assert.equal(await told(0, metrics(100)), 300);
  assert.equal(await told(1, metrics(200)), 300);
  assert.equal(await told(2, new Error("it is gone")), 7.6);
  assert.equal(await told(3, metrics(300)), 7.6);
  assert.equal(meter.look(3 * EVERY_MS + 1), 7.6);
  assert.equal(answers.length, 4);
  assert.deepEqual(noted, [7.6, 7.6]);
});
