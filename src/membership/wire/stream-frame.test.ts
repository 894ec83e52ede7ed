import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { makeEnvelope } from "./packet.ts";
import { makeKeyring } from "./security.ts";
import { encodeFrame, FrameReader, FrameTooLarge } from "./stream-frame.ts";
import { decodeStreamMessage, encodeStreamMessage, type StreamMessage } from "./stream-message.ts";
import { anyPushPull, comparable } from "./test-messages.ts";

const GOLDEN: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "golden/memberlist.json"), "utf8"),
);
const NONCE = Buffer.alloc(12, 7);
const ENVELOPE = makeEnvelope("north", makeKeyring([Buffer.alloc(32, 1)]));
const PING: StreamMessage = { type: "ping", seq: 9, node: "b" };

const PUSH_PULL: StreamMessage = {
  type: "pushPull",
  state: {
    join: true,
    userState: Buffer.from("ring"),
    members: [
      {
        name: "n1",
        endpoint: { ip: "10.0.0.1", port: 6783 },
        meta: Uint8Array.of(0, 1, 2),
        incarnation: 9,
        state: "alive",
        versions: [1, 5, 2, 0, 0, 0],
      },
      {
        name: "n2",
        endpoint: { ip: "fd00::1", port: 6783 },
        meta: new Uint8Array(0),
        incarnation: 90_000,
        state: "left",
        versions: [1, 5, 2, 0, 0, 0],
      },
    ],
  },
};

test("push/pull and user messages have the bytes that memberlist writes", () => {
  assert.equal(Buffer.from(encodeStreamMessage(PUSH_PULL)).toString("hex"), GOLDEN["pushPull"]);
  const user: StreamMessage = { type: "user", payload: Buffer.from("hello") };
  assert.equal(Buffer.from(encodeStreamMessage(user)).toString("hex"), GOLDEN["stream user"]);
  for (const name of ["pushPull", "compressed pushPull"]) {
    const decoded = decodeStreamMessage(Buffer.from(GOLDEN[name] ?? "", "hex"));
    assert.deepEqual(comparable(decoded), comparable(PUSH_PULL), name);
  }
});

test("any state survives a stream cut into chunks of any size", () => {
  fc.assert(
    fc.property(
      anyPushPull,
      fc.integer({ min: 1, max: 3000 }),
      fc.boolean(),
      (state, size, dial) => {
        const message: StreamMessage = { type: "pushPull", state };
        const bytes = encodeFrame(message, ENVELOPE, dial, NONCE);
        const reader = new FrameReader(ENVELOPE, dial);
        for (let at = 0; at + size < bytes.length; at += size) {
          assert.equal(reader.push(bytes.subarray(at, at + size)).kind, "more");
        }
        const rest = bytes.length % size === 0 ? size : bytes.length % size;
        const done = reader.push(bytes.subarray(bytes.length - rest));
        assert.deepEqual(comparable(done), comparable({ kind: "message", message }));
        assert.equal(reader.buffered, 0);
      },
    ),
    { numRuns: 60 },
  );
});

test("a stream is refused at the first byte that cannot be right", () => {
  const refusal = (bytes: Uint8Array) => new FrameReader(ENVELOPE, true).push(bytes);
  const label = Buffer.from("\xf4\x05north", "latin1");
  assert.deepEqual(refusal(Buffer.from("G")), { kind: "refused", reason: "label" });
  assert.deepEqual(refusal(Buffer.concat([label, Buffer.of(6)])), {
    kind: "refused",
    reason: "authentication",
  });
  assert.deepEqual(refusal(Buffer.concat([label, Buffer.from("0affffffff", "hex")])), {
    kind: "refused",
    reason: "malformed",
  });
  const other = makeEnvelope("north", makeKeyring([Buffer.alloc(32, 2)]));
  assert.deepEqual(refusal(encodeFrame(PING, other, true, NONCE)), {
    kind: "refused",
    reason: "authentication",
  });
});

test("a claimed length costs no memory before the bytes are there", () => {
  const reader = new FrameReader(ENVELOPE, true);
  const head = encodeFrame(PING, ENVELOPE, true, NONCE).slice(0, 12);
  head.set([0x00, 0x9f, 0xff, 0xff], 8);
  assert.equal(reader.push(head).kind, "more");
  assert.ok(reader.buffered < 1000);
});

test("a message larger than 10 MiB is not written", () => {
  const payload = new Uint8Array(10 * 1024 * 1024);
  assert.throws(() => encodeFrame({ type: "user", payload }, ENVELOPE, true, NONCE), FrameTooLarge);
});

test("a member of an unknown state or with a name that cannot be is left out, the others stay", () => {
  const golden = GOLDEN["pushPull"] ?? "";
  const oddities = [
    ["a5537461746503", "a5537461746509"],
    ["a26e32", `da012c${"78".repeat(300)}`],
    ["a26e32", "a2ffff"],
  ] as const;
  for (const [usual, odd] of oddities) {
    assert.ok(golden.includes(usual));
    const decoded = decodeStreamMessage(Buffer.from(golden.replace(usual, odd), "hex"));
    assert.ok(decoded?.type === "pushPull", odd.slice(0, 20));
    assert.deepEqual(
      decoded.state.members.map((member) => member.name),
      ["n1"],
    );
    assert.equal(Buffer.from(decoded.state.userState).toString(), "ring");
  }
});

test("no garbage and no truncation makes the stream decoder throw", () => {
  const whole = Buffer.from(GOLDEN["pushPull"] ?? "", "hex");
  for (let cut = 0; cut < whole.length; cut++) {
    assert.equal(decodeStreamMessage(whole.subarray(0, cut)), undefined);
  }
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
      const changed = Buffer.from(whole);
      changed[at] = value;
      decodeStreamMessage(changed);
    }),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(
      fc.constantFrom(6, 8, 9, 0, 13),
      fc.uint8Array({ maxLength: 80 }),
      (type, bytes) => {
        decodeStreamMessage(Buffer.concat([Buffer.of(type), bytes]));
      },
    ),
    { numRuns: 1000 },
  );
});
