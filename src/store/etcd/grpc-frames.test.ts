import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GrpcError } from "./grpc-error.ts";
import { FrameReader, frameOf } from "./grpc-frames.ts";

test("messages come out whole and in order, in whatever pieces their bytes come", () => {
  const cases = fc.record({
    messages: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
    lengths: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
  });
  fc.assert(
    fc.property(cases, ({ messages, lengths }) => {
      const bytes = Buffer.concat(messages.map(frameOf));
      const reader = new FrameReader();
      const read: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const end = at + (lengths[turn % lengths.length] ?? 1);
        read.push(...reader.push(bytes.subarray(at, end)));
        at = end;
      }
      assert.deepEqual(read, messages);
    }),
    { numRuns: 50 },
  );
});

test("bytes of anybody's making are messages or a GrpcError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const reader = new FrameReader();
      try {
        reader.push(Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof GrpcError);
      }
    }),
    { numRuns: 200 },
  );
  const tooLong = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  assert.throws(() => new FrameReader().push(tooLong), GrpcError);
});
