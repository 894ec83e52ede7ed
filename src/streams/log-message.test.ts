import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeLogMessage, dockerTime, encodeLogMessage, nanosOf } from "./log-message.ts";

const AT = "2026-01-02T03:04:05.000000006Z";

test("a message comes out as it went in, in as many parts as its length needs", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("stdout" as const, "stderr" as const),
      fc.uint8Array({ maxLength: 500 }),
      fc.integer({ min: 60, max: 200 }),
      (kind, bytes, most) => {
        const text = Buffer.from(bytes);
        const sent = Buffer.concat([Buffer.from(`${AT} `), text]);
        const parts = [...encodeLogMessage(kind, sent, most)];
        assert.ok(parts.every((part) => part.length <= most));
        const got = parts.map((part) => decodeLogMessage(part));
        assert.deepEqual(
          got.map((part) => [part?.kind, part?.isMore, part?.at]),
          got.map((_, index) => [kind, index > 0, index > 0 ? "" : AT]),
        );
        assert.deepEqual(Buffer.concat(got.map((part) => part?.text ?? Buffer.alloc(0))), text);
      },
    ),
  );
});

test("what has no time is no message", () => {
  for (const text of ["", "\x00no time", `\x00${AT}`, `\x08${AT} x`, "\x01"]) {
    assert.equal(decodeLogMessage(Buffer.from(text)), undefined);
  }
});

test("times keep their nanoseconds", () => {
  assert.equal(dockerTime(nanosOf(AT)), `${Date.parse("2026-01-02T03:04:05Z") / 1_000}.000000006`);
  assert.equal(nanosOf("2026-01-02T03:04:05.5+01:00"), nanosOf("2026-01-02T02:04:05.500Z"));
  assert.throws(() => nanosOf("yesterday"), RangeError);
});
