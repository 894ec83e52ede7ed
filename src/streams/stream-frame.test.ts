import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  DATA_KINDS,
  decodeStreamFrame,
  encodeStreamFrame,
  MAX_DATA,
  STREAM_VERSION,
  type StreamFrame,
  StreamFrameSplitter,
} from "./stream-frame.ts";

const u16 = fc.nat(0xffff);
const dataKind = fc.constantFrom(...DATA_KINDS);
const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
const record = <T>(fields: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
const frames: fc.Arbitrary<StreamFrame> = fc.oneof(
  record({ kind: fc.constantFrom("open", "info", "error"), json: fc.json() }),
  record({ kind: dataKind, bytes }),
  record({ kind: fc.constant("end" as const), of: dataKind }),
  record({ kind: fc.constant("window" as const), of: dataKind, bytes: fc.nat() }),
  record({ kind: fc.constant("resize" as const), rows: u16, columns: u16 }),
  record({ kind: fc.constant("exit" as const), code: fc.integer() }),
  fc.constant({ kind: "alive" as const }),
) as fc.Arbitrary<StreamFrame>;

/** `all`, cut at these places. */
function cut(all: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (all.length + 1)))].sort((a, b) => a - b);
  return [...ends, all.length].map((end, index) => all.subarray(ends[index - 1] ?? 0, end));
}

test("frames come out as they went in, wherever the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(frames), fc.array(fc.nat(), { maxLength: 20 }), (sent, places) => {
      const all = Buffer.concat([Buffer.of(STREAM_VERSION), ...sent.map(encodeStreamFrame)]);
      const splitter = new StreamFrameSplitter();
      const got = cut(all, places).flatMap((piece) => [...splitter.push(piece)]);
      assert.deepEqual(got, sent);
    }),
    { numRuns: 300 },
  );
});

test("any bytes are frames or broken, never an exception, and nothing follows what is broken", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (pieces) => {
      const splitter = new StreamFrameSplitter();
      const got = pieces.flatMap((piece) => [...splitter.push(Buffer.from(piece))]);
      const broken = got.indexOf("broken");
      assert.ok(broken < 0 || broken === got.length - 1);
    }),
    { numRuns: 300 },
  );
});

test("another version, a length above the bound and a payload that does not fit its kind are broken", () => {
  const wrong = [
    Buffer.of(STREAM_VERSION + 1),
    Buffer.of(STREAM_VERSION, 1, 0xff, 0xff, 0xff),
    Buffer.of(STREAM_VERSION, 7, 0, 0, 1, 0),
    Buffer.concat([Buffer.of(STREAM_VERSION, 2, 1, 0, 1), Buffer.alloc(MAX_DATA + 1)]),
  ];
  for (const each of wrong) assert.deepEqual([...new StreamFrameSplitter().push(each)], ["broken"]);
});

test("a kind of a later version is passed over", () => {
  const splitter = new StreamFrameSplitter();
  const later = Buffer.of(STREAM_VERSION, 99, 0, 0, 2, 1, 2);
  const known = encodeStreamFrame({ kind: "exit", code: -1 });
  assert.deepEqual([...splitter.push(Buffer.concat([later, known]))], [{ kind: "exit", code: -1 }]);
  assert.equal(decodeStreamFrame(99, Buffer.of(1, 2)), "unknown");
});
