import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeEnvelope } from "../membership/envelope.ts";
import {
  DOCTOR_PATHS,
  type DoctorMessage,
  decodeDoctorMessage,
  encodeDoctorMessage,
} from "./doctor-message.ts";

const id = fc.integer({ min: 0, max: 65_535 });
const nonce = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const time = fc.integer({ min: -1e12, max: 8e15 });
const copy = {
  ...{ to: id, nonce, path: fc.constantFrom(...DOCTOR_PATHS) },
  size: fc.integer({ min: 0, max: 8900 }),
  sentMs: time,
};
const sizes = fc.array(fc.integer({ min: 0, max: 8900 }), { maxLength: 16 });
const count = fc.nat();
const message: fc.Arbitrary<DoctorMessage> = fc.oneof(
  fc.record({ type: fc.constant("ask" as const), ...copy, isSlow: fc.boolean() }),
  fc.record({ type: fc.constant("echo" as const), ...copy, askedMs: time, gotMs: time }),
  fc.record({
    ...{ type: fc.constant("report" as const), to: id, nonce },
    relay: fc.option(fc.string({ maxLength: 200 })),
    arrived: fc.record({ udp: sizes, tunnel: sizes, tcp: fc.boolean() }, { noNullPrototype: true }),
    tcp: fc.option(fc.string({ maxLength: 200 })),
    traffic: fc.option(fc.record({ rx: count, tx: count }, { noNullPrototype: true })),
    broken: count,
    kernelMtu: fc.option(fc.integer({ min: 0, max: 65_535 })),
  }),
);

test("what is encoded is decoded, whatever its padding", () => {
  fc.assert(
    fc.property(message, fc.integer({ min: 0, max: 8000 }), (sent, bytes) => {
      const encoded = encodeDoctorMessage(sent, bytes);
      assert.ok(encoded.length >= bytes);
      assert.deepEqual(decodeDoctorMessage(encoded), { ...sent });
    }),
    { numRuns: 200 },
  );
});

test("any bytes, and any JSON, are a message within bounds or none", () => {
  const spoiled = fc
    .tuple(message, fc.string(), fc.jsonValue())
    .map(([sent, key, value]) => Buffer.from(JSON.stringify({ ...sent, [key]: value })));
  const replaced = fc.tuple(message, fc.nat(), fc.jsonValue()).map(([sent, at, value]) => {
    const keys = Object.keys(sent);
    return Buffer.from(JSON.stringify({ ...sent, [keys[at % keys.length] ?? ""]: value }));
  });
  const json = fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), json, spoiled, replaced), (bytes) => {
      const found = decodeDoctorMessage(bytes);
      if (found === undefined) return;
      // Only known fields, each within its bounds: it can be sent and read again.
      assert.deepEqual(decodeDoctorMessage(encodeDoctorMessage(found)), found);
    }),
    { numRuns: 2000 },
  );
});

test("what is taken can be passed on in one packet of gossip", () => {
  const echo: DoctorMessage = {
    ...{ type: "echo", to: 1, nonce: 1, path: "detour", size: 0 },
    ...{ sentMs: 0, askedMs: 0, gotMs: 0 },
  };
  const [largest = 0] = [9_001, 9_000, 8_999, 8_900].filter(
    (bytes) => decodeDoctorMessage(encodeDoctorMessage(echo, bytes)) !== undefined,
  );
  const body = encodeDoctorMessage(echo, largest);
  const envelope = encodeEnvelope({ kind: "doctor", sender: 1, fingerprint: "00000000", body });
  assert.ok(envelope.length <= 9_000, `${envelope.length} bytes`);
});

test("a long reason is cut, so that every report fits", () => {
  const report: DoctorMessage = {
    ...{ type: "report", to: 1, nonce: 1, tcp: "x".repeat(1000), traffic: null, broken: 0 },
    arrived: { udp: [], tunnel: [], tcp: false },
    kernelMtu: null,
  };
  const decoded = decodeDoctorMessage(encodeDoctorMessage(report));
  assert.ok(decoded?.type === "report" && decoded.tcp?.length === 200);
});
