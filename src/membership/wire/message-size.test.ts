import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeMessage } from "./message-codec.ts";
import { datagramSize, messageSize } from "./message-size.ts";
import { encodePacket, makeEnvelope } from "./packet.ts";
import { makeKeyring, NONCE_SIZE } from "./security.ts";
import { anyMessage } from "./test-messages.ts";

test("the counted size of a message is that of its encoding", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      assert.equal(messageSize(message), encodeMessage(message).length);
    }),
  );
});

test("the counted size of a datagram is that of the encrypted packet", () => {
  const envelope = makeEnvelope("label", makeKeyring([new Uint8Array(32)]));
  const nonce = new Uint8Array(NONCE_SIZE);
  fc.assert(
    fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 5 }), (messages) => {
      const packet = encodePacket(messages, envelope, { nonce });
      assert.equal(datagramSize(messages, envelope.header.length), packet.length);
    }),
  );
});
