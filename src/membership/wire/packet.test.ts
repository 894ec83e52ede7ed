import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { MESSAGE_TYPE, type Message } from "../message.ts";
import { encodeCompound } from "./compound.ts";
import { encodeMessage } from "./message-codec.ts";
import { decodePacket, encodePacket, makeEnvelope, messageBudget } from "./packet.ts";
import { makeKeyring, open } from "./security.ts";
import { anyMessage, comparable } from "./test-messages.ts";

const KEY = Buffer.alloc(32, 1);
const OTHER_KEY = Buffer.alloc(32, 2);
const NONCE = Buffer.from("000102030405060708090a0b", "hex");
const CLEAR = makeEnvelope("", undefined);
const SEALED = makeEnvelope("north", makeKeyring([KEY]));
const PING: Message = { type: "ping", seq: 1, node: "a" };
const NACK: Message = { type: "nack", seq: 2 };

test("a packet of messages survives in each envelope", () => {
  const envelopes = [CLEAR, SEALED, makeEnvelope("", makeKeyring([KEY]))];
  fc.assert(
    fc.property(
      fc.array(anyMessage, { minLength: 1, maxLength: 12 }),
      fc.constantFrom(...envelopes),
      fc.boolean(),
      (messages, envelope, crc) => {
        const decoded = decodePacket(
          encodePacket(messages, envelope, { nonce: NONCE, crc }),
          envelope,
        );
        assert.deepEqual(comparable(decoded), comparable({ ok: true, messages, ignored: 0 }));
      },
    ),
  );
});

test("a packet filled to the budget has at most 1400 bytes", () => {
  const budget = messageBudget(SEALED);
  const payload = new Uint8Array(budget - 2 - 2 - 2 - encodeMessage(NACK).length - 1);
  const packet = encodePacket([NACK, { type: "user", payload }], SEALED, { nonce: NONCE });
  assert.equal(packet.length, 1400);
});

test("another key, another label, no label and clear text are told apart", () => {
  const packet = encodePacket([PING], SEALED, { nonce: NONCE });
  const reason = (bytes: Uint8Array, envelope = SEALED) => {
    const decoded = decodePacket(bytes, envelope);
    return decoded.ok ? "ok" : decoded.reason;
  };
  assert.equal(reason(packet, makeEnvelope("north", makeKeyring([OTHER_KEY]))), "authentication");
  assert.equal(reason(packet, makeEnvelope("south", makeKeyring([KEY]))), "label");
  assert.equal(reason(packet, makeEnvelope("", makeKeyring([KEY]))), "label");
  assert.equal(reason(encodePacket([PING], CLEAR), SEALED), "label");
  assert.equal(
    reason(encodePacket([PING], makeEnvelope("north", undefined)), SEALED),
    "authentication",
  );
  // The label is authenticated: a packet moved to another label does not open.
  const moved = Buffer.from(packet);
  moved.write("south", 2);
  assert.equal(reason(moved, makeEnvelope("south", makeKeyring([KEY]))), "authentication");
});

test("the first key encrypts and every key decrypts", () => {
  const rolled = makeEnvelope("north", makeKeyring([OTHER_KEY, KEY]));
  assert.ok(decodePacket(encodePacket([PING], SEALED, { nonce: NONCE }), rolled).ok);
  assert.ok(!decodePacket(encodePacket([PING], rolled, { nonce: NONCE }), SEALED).ok);
});

test("version 0 with PKCS7 padding is read", () => {
  const cipher = createCipheriv("aes-256-gcm", KEY, NONCE);
  cipher.setAAD(Buffer.alloc(0));
  const padded = Buffer.concat([Buffer.from("hello"), Buffer.alloc(11, 11)]);
  const body = Buffer.concat([cipher.update(padded), cipher.final()]);
  const sealed = Buffer.concat([Buffer.of(0), NONCE, body, cipher.getAuthTag()]);
  const plain = open(makeKeyring([KEY]), sealed, Buffer.alloc(0));
  assert.equal(Buffer.from(plain ?? []).toString(), "hello");
});

test("each flipped bit of a sealed packet is noticed", () => {
  const packet = encodePacket([PING], SEALED, { nonce: NONCE });
  fc.assert(
    fc.property(fc.nat(packet.length * 8 - 1), (bit) => {
      const changed = Buffer.from(packet);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(decodePacket(changed, SEALED).ok, false);
    }),
  );
});

test("no garbage and no truncation makes the decoder throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(CLEAR, SEALED), (bytes, at) => {
      decodePacket(bytes, at);
      for (const type of Object.values(MESSAGE_TYPE)) {
        decodePacket(Buffer.concat([Buffer.of(type), bytes]), at);
      }
    }),
    { numRuns: 500 },
  );
  const packet = encodePacket([PING, NACK, PING], CLEAR);
  for (let cut = 0; cut < packet.length; cut++) decodePacket(packet.subarray(0, cut), CLEAR);
});

test("a wrong checksum is malformed", () => {
  const packet = Buffer.from(encodePacket([PING], CLEAR, { crc: true }));
  packet[packet.length - 1] = 0x62;
  assert.deepEqual(decodePacket(packet, CLEAR), { ok: false, reason: "malformed" });
});

test("a compound inside a compound is left out, and so is what was cut off", () => {
  const inner = encodeCompound([encodeMessage(PING), encodeMessage(NACK)]);
  const packet = encodeCompound([encodeMessage(NACK), inner, Buffer.of(99)]);
  assert.deepEqual(decodePacket(packet, CLEAR), { ok: true, messages: [NACK], ignored: 2 });
  const two = encodePacket([NACK, PING], CLEAR);
  assert.deepEqual(decodePacket(two.subarray(0, two.length - 1), CLEAR), {
    ok: true,
    messages: [NACK],
    ignored: 0,
  });
});
