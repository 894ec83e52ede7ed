import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeEnvelope, type EnvelopeKind, encodeEnvelope } from "./envelope.ts";
import { decodeSharedState, encodeSharedState } from "./shared-state.ts";

const kinds: EnvelopeKind[] = ["ring", "row", "ipam", "probe", "probe-reply"];

test("an envelope comes back as it was sent", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.integer({ min: 1, max: 65535 }),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.uint8Array({ maxLength: 300 }),
      (kind, sender, key, body) => {
        const fingerprint = key.toString(16).padStart(8, "0");
        const back = decodeEnvelope(encodeEnvelope({ kind, sender, fingerprint, body }));
        assert.deepEqual(back && { ...back, body: Uint8Array.from(back.body) }, {
          kind,
          sender,
          fingerprint,
          body,
        });
      },
    ),
  );
});

test("shared state comes back as it was sent", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }),
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }),
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }),
      (rings, rows, names, departures, certificates) => {
        const state = { rings, rows, names, departures, certificates };
        const back = decodeSharedState(encodeSharedState(state));
        assert.deepEqual(back && Uint8Array.from(back.departures), departures);
        assert.deepEqual(back && Uint8Array.from(back.certificates), certificates);
        assert.deepEqual(back && Uint8Array.from(back.rings), rings);
        assert.deepEqual(
          back?.rows.map((row) => Uint8Array.from(row)),
          rows,
        );
        assert.deepEqual(
          back?.names.map((each) => Uint8Array.from(each)),
          names,
        );
      },
    ),
  );
});

test("hostile bytes decode to nothing and never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      decodeEnvelope(bytes);
      decodeSharedState(bytes);
    }),
  );
  assert.equal(decodeEnvelope(Uint8Array.of(2, 1, 0, 1, 0, 0, 0, 0)), undefined);
  assert.equal(decodeSharedState(Uint8Array.of(1, 255, 255, 255, 255, 0, 0)), undefined);
});
