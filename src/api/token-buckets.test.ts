import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressKey, TokenBuckets } from "./token-buckets.ts";

test("over any time nobody takes more than the burst and the rate, and who asks less is never refused", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 1, max: 5 })), { maxLength: 60 }),
      (burst, perSecond, asks) => {
        const buckets = new TokenBuckets({ burst, perSecond });
        const taken: { readonly atMs: number; readonly cost: number }[] = [];
        let nowMs = 1_000;
        for (const [pauseMs, cost] of asks) {
          nowMs += pauseMs;
          const waitMs = buckets.take("a", nowMs, cost);
          if (waitMs === 0) taken.push({ atMs: nowMs, cost });
          else if (cost <= burst) assert.equal(buckets.take("a", nowMs + waitMs, 0), 0);
          if (waitMs > 0) nowMs += waitMs;
        }
        for (const [index, { atMs }] of taken.entries()) {
          let sum = 0;
          for (const { atMs: at, cost } of taken.slice(index)) {
            sum += cost;
            assert.ok(sum <= burst + ((at - atMs) * perSecond) / 1_000 + 1e-3);
          }
        }
      },
    ),
  );
});

test("each has its own bucket; a wait of as long as it says is enough; a clock that goes back fills nothing", () => {
  const buckets = new TokenBuckets({ burst: 2, perSecond: 10 });
  assert.deepEqual([buckets.take("a", 0), buckets.take("a", 0), buckets.take("b", 0)], [0, 0, 0]);
  assert.equal(buckets.take("a", 0), 100);
  assert.equal(buckets.take("a", 99), 1);
  assert.equal(buckets.take("a", 100), 0);
  assert.ok(buckets.take("a", 50) > 0);
  buckets.charge("b", 0, 99);
  assert.ok(buckets.take("b", 0) > 0);
});

test("the number of buckets is bounded, and the one that is in use stays", () => {
  const buckets = new TokenBuckets({ burst: 1, perSecond: 0.001 }, 10);
  buckets.take("a", 0);
  for (let index = 0; index < 1_000; index++) {
    buckets.take(`${index}`, index);
    assert.ok(buckets.take("a", index) > 0);
  }
  assert.equal(buckets.size, 10);
});

test("an IPv6 address counts as its network, an IPv4 address as itself however it is written", () => {
  for (const [address, key] of [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::", "2001:db8:1:2::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["unknown", "unknown"],
  ] as const) {
    assert.equal(addressKey(address), key, address);
  }
});
