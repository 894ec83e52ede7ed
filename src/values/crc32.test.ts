import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibs } from "node:zlib";
import fc from "fast-check";
import { crc32 } from "./crc32.ts";

test("every text has the sum that zlib gives it", () => {
  assert.equal(crc32("123456789"), 0xcb_f4_39_26);
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      assert.equal(crc32(text), zlibs(text));
    }),
  );
});
