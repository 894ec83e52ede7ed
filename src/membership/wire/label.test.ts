/** The label's bytes, by hand after memberlist's label.go (0.3 and later): Debian's 0.2.2, our oracle for the rest, knows none. */
import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { test } from "node:test";
import { labelHeader, matchLabel } from "./label.ts";
import { decodePacket, encodePacket, makeEnvelope } from "./packet.ts";
import { makeKeyring } from "./security.ts";
import { encodeFrame, FrameReader } from "./stream-frame.ts";

const KEY = Buffer.alloc(32, 1);
const NONCE = Buffer.from("000102030405060708090a0b", "hex");
/** [244][5]["north"] */
const HEADER = "f405" + "6e6f727468";
/** [0]{"Node": "a", "SeqNo": 1} */
const PING = "00" + "82" + "a44e6f6465" + "a161" + "a55365714e6f" + "01";
const PING_MESSAGE = { type: "ping", seq: 1, node: "a" } as const;

test("a label is 244, its length and itself, and nothing when it is empty", () => {
  assert.equal(hex(labelHeader("north")), HEADER);
  assert.equal(hex(labelHeader("")), "");
  assert.equal(hex(labelHeader("x".repeat(255))), `f4ff${"78".repeat(255)}`);
  assert.throws(() => labelHeader("x".repeat(256)), RangeError);
  assert.throws(() => labelHeader("ü".repeat(128)), RangeError);
});

test("a packet has its label in clear before all else, and authenticates it", () => {
  const clear = makeEnvelope("north", undefined);
  assert.equal(hex(encodePacket([PING_MESSAGE], clear)), HEADER + PING);
  const sealed = makeEnvelope("north", makeKeyring([KEY]));
  const packet = HEADER + sealByHand(PING, Buffer.from("north"));
  assert.equal(hex(encodePacket([PING_MESSAGE], sealed, { nonce: NONCE })), packet);
  for (const [bytes, envelope] of [
    [HEADER + PING, clear],
    [packet, sealed],
  ] as const) {
    const read = decodePacket(Buffer.from(bytes, "hex"), envelope);
    assert.deepEqual(read, { ok: true, messages: [PING_MESSAGE], ignored: 0 });
  }
});

test("a stream has the label of who dialled, and authenticates it after the frame's header", () => {
  const envelope = makeEnvelope("north", makeKeyring([KEY]));
  const frame = `0a${(16 + 29).toString(16).padStart(8, "0")}`;
  const sealed = sealByHand(PING, Buffer.concat([Buffer.from(frame, "hex"), Buffer.from("north")]));
  assert.equal(Buffer.from(PING, "hex").length, 16);
  const [dialled, answered] = [HEADER + frame + sealed, frame + sealed];
  assert.equal(hex(encodeFrame(PING_MESSAGE, envelope, true, NONCE)), dialled);
  assert.equal(hex(encodeFrame(PING_MESSAGE, envelope, false, NONCE)), answered);
  for (const [bytes, isLabelled] of [
    [dialled, true],
    [answered, false],
  ] as const) {
    const read = new FrameReader(envelope, isLabelled).push(Buffer.from(bytes, "hex"));
    assert.deepEqual(read, { kind: "message", message: PING_MESSAGE });
  }
});

test("a label is told from another one at the first byte that differs", () => {
  const header = labelHeader("north");
  const split = (text: string) => matchLabel(Buffer.from(text, "hex"), header).kind;
  assert.equal(split(""), "incomplete");
  assert.equal(split("f4056e6f"), "incomplete");
  assert.equal(split(HEADER), "match");
  for (const other of ["f3", "f404", "f4056f", "f4056e6f727469"])
    assert.equal(split(other), "mismatch");
  assert.equal(matchLabel(Buffer.of(244), labelHeader("")).kind, "mismatch");
});

/** [1][nonce][ciphertext][tag], with `data` authenticated along. */
function sealByHand(plain: string, data: Uint8Array): string {
  const cipher = createCipheriv("aes-256-gcm", KEY, NONCE);
  cipher.setAAD(data);
  const body = Buffer.concat([cipher.update(plain, "hex"), cipher.final()]);
  return hex(Buffer.concat([Buffer.of(1), NONCE, body, cipher.getAuthTag()]));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
