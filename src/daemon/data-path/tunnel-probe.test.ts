import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeProbe, encodeProbe, PROBE_HEADER_BYTES } from "./tunnel-probe.ts";

const nonces = fc.nat(0xffff_ffff);

test("what a probe says survives the wire, whatever its size", () => {
  fc.assert(
    fc.property(
      nonces,
      fc.boolean(),
      fc.option(fc.record({ nonce: nonces, tenths: fc.nat(65_535) })),
      fc.nat(2_000),
      (nonce, wantsAnswer, heard, size) => {
        const echo = heard ? { nonce: heard.nonce, heldMs: heard.tenths / 10 } : undefined;
        const bytes = encodeProbe({ nonce, wantsAnswer, echo }, size);
        assert.equal(bytes.length, Math.max(PROBE_HEADER_BYTES, size));
        assert.deepEqual(decodeProbe(bytes), { nonce, wantsAnswer, echo });
      },
    ),
  );
});

test("a number alone, or with zeros after it, is an earlier build's and wants an answer", () => {
  for (const size of [4, 10, 11, 1300]) {
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32BE(77, 0);
    assert.deepEqual(decodeProbe(bytes), { nonce: 77, wantsAnswer: true, echo: undefined });
  }
});

test("any bytes are a probe or nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(decodeProbe(bytes) === undefined, bytes.length < 4);
    }),
  );
});
