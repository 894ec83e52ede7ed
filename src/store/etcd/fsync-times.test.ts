import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fsyncCounts, fsyncMs } from "./fsync-times.ts";

const NAME = "etcd_disk_wal_fsync_duration_seconds";

/** As etcd writes it, with so many in each bucket. */
function metrics(perBucket: Readonly<Record<string, number>>): string {
  let count = 0;
  const lines = Object.entries(perBucket).map(([bound, more]) => {
    count += more;
    return `${NAME}_bucket{le="${bound}"} ${count}`;
  });
  const others = `go_threads 12\n# TYPE ${NAME} histogram`;
  return [others, ...lines, `${NAME}_sum 0.066`, `${NAME}_count ${count}`, ""].join("\n");
}

test("nine of ten writes between two readings took at most so long", () => {
  const before = fsyncCounts(metrics({ "0.001": 1000, "0.002": 0, "0.512": 0, "+Inf": 0 }));
  const now = fsyncCounts(metrics({ "0.001": 1000, "0.002": 50, "0.512": 50, "+Inf": 0 }));
  assert.deepEqual(before.at(-1), { upToMs: Number.POSITIVE_INFINITY, count: 1000 });
  const found = fsyncMs(before, now);
  // Of a hundred writes the 90th: forty of the fifty between 2 and 512 ms.
  assert.ok(found !== undefined && Math.abs(found - 410) < 1, `${found}`);
});

test("beyond the last bound it is twice that; of few writes, and where etcd began anew, it is not known", () => {
  const none = fsyncCounts(metrics({ "8.192": 0, "+Inf": 0 }));
  assert.equal(fsyncMs(none, fsyncCounts(metrics({ "8.192": 0, "+Inf": 20 }))), 16_384);
  assert.equal(fsyncMs(none, fsyncCounts(metrics({ "8.192": 9, "+Inf": 0 }))), undefined);
  const many = fsyncCounts(metrics({ "8.192": 100, "+Inf": 0 }));
  assert.equal(fsyncMs(many, fsyncCounts(metrics({ "8.192": 20, "+Inf": 0 }))), undefined);
  assert.equal(fsyncMs([], []), undefined);
});

test("of any text it says something sane, or nothing", () => {
  const line = fc
    .tuple(fc.oneof(fc.double(), fc.string()), fc.oneof(fc.double(), fc.string()))
    .map(([bound, count]) => `${NAME}_bucket{le="${bound}"} ${count}`);
  const text = fc
    .array(fc.oneof(line, fc.string()), { maxLength: 80 })
    .map((all) => all.join("\n"));
  fc.assert(
    fc.property(text, text, (one, other) => {
      const found = fsyncMs(fsyncCounts(one), fsyncCounts(other));
      assert.ok(found === undefined || found >= 0);
    }),
  );
});
