import assert from "node:assert/strict";
import { test } from "node:test";
import { Rejections } from "./rejections.ts";

test("one row a source, with the last port; a member heard from there ends it", () => {
  const rejections = new Rejections();
  rejections.note("192.0.2.1", 1000, 0);
  rejections.note("192.0.2.1", 1001, 5);
  assert.deepEqual(rejections.rows(5), [{ ip: "192.0.2.1", port: 1001, count: 2, lastMs: 5 }]);
  rejections.clear("192.0.2.1");
  assert.deepEqual(rejections.rows(5), []);
});

test("64 sources at most, the longest silent one gives way, and silence ends a row", () => {
  const rejections = new Rejections();
  for (let index = 0; index < 64; index++) rejections.note(`a${index}`, 1, index);
  rejections.note("a0", 1, 100);
  rejections.note("new", 1, 101);
  const ips = rejections.rows(101).map(({ ip }) => ip);
  assert.equal(ips.length, 64);
  assert.deepEqual(
    [ips.includes("a0"), ips.includes("a1"), ips.includes("new")],
    [true, false, true],
  );
  assert.deepEqual(rejections.rows(101 + 600_001), []);
});
