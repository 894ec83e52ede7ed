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

test("a full table stays as it is until a clear, which Go's own writer never lets happen", () => {
  // A run of one letter: each code is the one just being defined, until the last of the 4096 is, and is then used again.
  const codes = [97, ...Array.from({ length: 3838 }, (_, index) => 258 + index), 4095, 4095];
  const letters = (3839 * 3840) / 2 + 2 * 3839;
  const plain = decompressLzw(writeCodes([...codes, 256, 98, 257]), 2 ** 23);
  const expected = Buffer.concat([Buffer.alloc(letters, "a"), Buffer.from("b")]);
  assert.ok(plain && expected.equals(plain));
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

/** Codes as bits, least significant first, as wide as a reader that defines one code each time expects them. */
function writeCodes(codes: readonly number[]): Buffer {
  const bytes: number[] = [];
  let [bits, bitCount, width, next] = [0, 0, 9, 257];
  for (const code of codes) {
    bits |= code << bitCount;
    for (bitCount += width; bitCount >= 8; bitCount -= 8, bits >>>= 8) bytes.push(bits & 255);
    next = code === 256 ? 257 : Math.min(next + 1, 4096);
    width = code === 256 ? 9 : Math.min(12, Math.max(width, next.toString(2).length));
  }
  return Buffer.from([...bytes, bits & 255]);
}
