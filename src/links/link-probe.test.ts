import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeLinkProbe, encodeLinkProbe, LINK_PROBE_BYTES } from "./link-probe.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const plain = { noNullPrototype: true };

test("a probe survives the wire, and what later builds append is ignored", () => {
  const body = fc.record(
    {
      link: fc.integer({ min: 0, max: 7 }),
      nonce: u32,
      wantsAnswer: fc.boolean(),
      inUse: fc.boolean(),
      echo: fc.option(fc.record({ nonce: u32, heldMs: u16 }, plain), { nil: undefined }),
      everyMs: u16,
    },
    plain,
  );
  fc.assert(
    fc.property(body, fc.uint8Array({ maxLength: 9 }), (probe, more) => {
      const bytes = encodeLinkProbe(probe);
      assert.equal(bytes.length, LINK_PROBE_BYTES);
      assert.deepEqual(decodeLinkProbe(Uint8Array.from([...bytes, ...more])), probe);
    }),
  );
});

test("what is short or names a link that cannot be is none", () => {
  assert.equal(decodeLinkProbe(new Uint8Array(LINK_PROBE_BYTES - 1)), undefined);
  assert.equal(decodeLinkProbe(new Uint8Array(LINK_PROBE_BYTES).fill(8, 0, 1)), undefined);
});
