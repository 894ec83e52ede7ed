import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LogPosition } from "./log-position.ts";
import { LogMerge, mergeLogs } from "./merge-logs.ts";

const BASE = 1_700_000_000n * 1_000_000_000n;

/** As Docker writes `nanos`. */
function timeOf(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000_000n) * 1_000).toISOString().slice(0, 19);
  return `${seconds}.${`${nanos % 1_000_000_000n}`.padStart(9, "0")}Z`;
}

function nanosOfSince(since: string): bigint {
  const [seconds = "", fraction = ""] = since.split(".");
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction);
}

test("after any breaks each message was shown exactly once, also several of one moment and some out of order", () => {
  const message = fc.record({
    stepMs: fc.constantFrom(0, 0, 1, 300, 1_500),
    backMs: fc.constantFrom(0, 0, 0, 2),
    kind: fc.constantFrom("stdout" as const, "stderr" as const),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 60 }), fc.array(fc.nat(40)), (steps, breaks) => {
      let at = BASE;
      const log = steps.map(({ stepMs, backMs, kind }, index) => {
        at += BigInt(stepMs) * 1_000_000n;
        return { index, kind, nanos: at - BigInt(backMs) * 1_000_000n };
      });
      const position = new LogPosition();
      const shown: number[] = [];
      // Each connection brings the log from where it was asked, and is cut after so many messages; the last is not.
      for (const most of [...breaks, log.length + 1_000]) {
        const since = position.resume();
        const from = since === undefined ? 0n : nanosOfSince(since);
        const brought = log.filter(({ nanos }) => nanos >= from).slice(0, most);
        for (const { index, kind, nanos } of brought) {
          if (position.take({ kind, at: timeOf(nanos) })) shown.push(index);
        }
      }
      assert.deepEqual(
        shown.toSorted((a, b) => a - b),
        log.map(({ index }) => index),
      );
    }),
    { numRuns: 500 },
  );
});

test("a flood within one second is resumed near its end", () => {
  const position = new LogPosition();
  position.resume();
  for (let count = 0; count < 100_000; count += 1) {
    position.take({ kind: "stdout", at: timeOf(BASE + BigInt(count) * 1_000n) });
  }
  const since = nanosOfSince(position.resume() ?? "");
  assert.ok(since > BASE + 50_000n * 1_000n, "most of it is not asked for again");
  let news = 0;
  for (let count = 0; count < 100_010; count += 1) {
    const nanos = BASE + BigInt(count) * 1_000n;
    if (nanos >= since && position.take({ kind: "stdout", at: timeOf(nanos) })) news += 1;
  }
  assert.equal(news, 10);
});

async function* ofTimes(...times: number[]): AsyncGenerator<{ nanos: bigint }> {
  for (const time of times) yield { nanos: BigInt(time) };
}

test("logs that end come in order of time, however unequal they are", async () => {
  const times = fc.array(fc.nat(1_000)).map((list) => list.toSorted((a, b) => a - b));
  await fc.assert(
    fc.asyncProperty(fc.array(times, { maxLength: 5 }), async (logs) => {
      const sources = logs.map((log) => ofTimes(...log));
      const got: number[] = [];
      for await (const { nanos } of mergeLogs(sources, undefined, () => 0)) got.push(Number(nanos));
      assert.deepEqual(
        got,
        logs.flat().toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 100 },
  );
});

test("a followed line waits for an earlier one of others, but not for ever", () => {
  const merge = new LogMerge<{ nanos: bigint }>(2, 200);
  assert.equal(merge.take(0), "news");
  merge.offer(0, { nanos: 5n }, 0);
  assert.equal(merge.take(50), 150);
  merge.offer(1, { nanos: 3n }, 60);
  assert.deepEqual(merge.take(60), { line: { nanos: 3n }, index: 1 });
  assert.equal(merge.take(100), 100);
  assert.deepEqual(merge.take(200), { line: { nanos: 5n }, index: 0 });
  merge.end(0);
  assert.equal(merge.take(300), "news");
  merge.end(1);
  assert.equal(merge.take(300), "done");
});

test("a log that fails ends all with its failure", async () => {
  async function* failing(): AsyncGenerator<{ nanos: bigint }> {
    yield { nanos: 1n };
    throw new Error("gone");
  }
  const merged = mergeLogs([failing(), ofTimes(2, 3)], undefined, () => 0);
  await assert.rejects(async () => {
    for await (const _line of merged);
  }, /gone/);
});
