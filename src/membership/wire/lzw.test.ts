import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { decompressLzw } from "./lzw.ts";

const GOLDEN: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "golden/memberlist.json"), "utf8"),
);

function golden(name: string): Buffer {
  const hex = GOLDEN[name];
  assert.ok(hex, name);
  return Buffer.from(hex, "hex");
}

/** The bytes behind the vector of 20,000: long enough to fill the table and to go on with it full. */
function xorshiftBytes(count: number): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state & 7;
    }),
  );
}

test("what Go compressed comes out as it went in", () => {
  assert.deepEqual(decompressLzw(golden("lzw of nothing"), 10), Buffer.alloc(0));
  assert.deepEqual(decompressLzw(golden("lzw of 1000 a"), 1000), Buffer.alloc(1000, "a"));
  const big = decompressLzw(golden("lzw of 20000 xorshift32 bytes & 7"), 20_000);
  assert.ok(big && xorshiftBytes(20_000).equals(big));
});

test("output beyond the limit is refused", () => {
  assert.equal(decompressLzw(golden("lzw of 1000 a"), 999), undefined);
});

test("cut off or garbled input gives undefined or other bytes, never an exception or more than the limit", () => {
  const whole = golden("lzw of 20000 xorshift32 bytes & 7");
  fc.assert(
    fc.property(fc.nat(whole.length - 2), (cut) => {
      assert.equal(decompressLzw(whole.subarray(0, cut), 20_000), undefined);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      assert.ok((decompressLzw(bytes, 4096)?.length ?? 0) <= 4096);
    }),
  );
});
