import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeFrame, encodeFrame, FrameSplitter, type RelayFrame } from "./relay-frame.ts";

const id = fc.integer({ min: 1, max: 65_535 });
const ends = fc.tuple(id, id).filter(([from, to]) => from !== to);
const frame: fc.Arbitrary<RelayFrame> = fc.oneof(
  fc.tuple(id, fc.integer({ min: 0, max: 0xffffffff })).map(([node, key]): RelayFrame => {
    return { type: "hello", id: node, fingerprint: key.toString(16).padStart(8, "0") };
  }),
  fc.boolean().map((wanted): RelayFrame => ({ type: "alive", wanted })),
  fc
    .tuple(ends, fc.uint8Array({ minLength: 1, maxLength: 2_000 }))
    .map(([[from, to], bytes]): RelayFrame => {
      return { type: "data", from, to, datagram: Buffer.from(bytes) };
    }),
  fc.tuple(ends, fc.boolean(), fc.boolean()).map(([[from, to], directOk, back]): RelayFrame => {
    return { type: "say", from, to, directOk, back };
  }),
  id.map((to): RelayFrame => ({ type: "no-route", to })),
);

function decodeAll(splitter: FrameSplitter, chunk: Buffer): unknown[] {
  return [...splitter.push(chunk)].map((body) => {
    const decoded = decodeFrame(body);
    if (typeof decoded !== "object" || decoded.type !== "data") return decoded;
    return { ...decoded, datagram: Buffer.from(decoded.datagram) };
  });
}

test("frames come out as they went in, wherever the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 20 }),
      fc.integer({ min: 1, max: 700 }),
      (all, cut) => {
        const bytes = Buffer.concat(all.map(encodeFrame));
        const splitter = new FrameSplitter();
        const seen: unknown[] = [];
        for (let at = 0; at < bytes.length; at += cut) {
          seen.push(...decodeAll(splitter, bytes.subarray(at, at + cut)));
        }
        assert.deepEqual(seen, all);
      },
    ),
  );
});

test("any bytes are taken without throwing", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 9 }), (chunks) => {
      const splitter = new FrameSplitter();
      for (const chunk of chunks) decodeAll(splitter, Buffer.from(chunk));
    }),
  );
  assert.equal(decodeFrame(Buffer.of()), undefined);
  assert.equal(decodeFrame(Buffer.of(99, 1, 2)), "unknown");
  assert.equal(decodeFrame(Buffer.of(3, 0, 1, 0, 1, 9)), undefined, "from and to are one");
});
