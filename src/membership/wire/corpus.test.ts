/** What memberlist really sent, recorded by test/interop/capture.ts, is read as its own libraries read it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { decodePacket, type Envelope, makeEnvelope } from "./packet.ts";
import { makeKeyring } from "./security.ts";
import { FrameReader } from "./stream-frame.ts";
import { decodeStreamMessage } from "./stream-message.ts";

interface Capture {
  readonly name: string;
  readonly kind: "packet" | "stream";
  readonly wrapping: readonly string[];
  readonly bytes: string;
  readonly messages: readonly { readonly type: string }[];
}

const CORPUS = join(import.meta.dirname, "corpus");
const FILES = readdirSync(CORPUS).filter((name) => name.endsWith(".json"));
const types = new Set<string>();
const wrappings = new Set<string>();

for (const file of FILES) {
  const { key, captures } = JSON.parse(readFileSync(join(CORPUS, file), "utf8"));
  const keyring = key === "" ? undefined : makeKeyring([Buffer.from(key, "hex")]);
  const envelope = makeEnvelope("", keyring);
  test(`each capture of ${file} is read as memberlist means it`, () => {
    for (const { name, kind, wrapping, bytes, messages } of captures as readonly Capture[]) {
      const raw = Buffer.from(bytes, "hex");
      const read = kind === "packet" ? readPacket(raw, envelope) : readStream(raw, envelope);
      assert.deepEqual(inHex(read), messages, `${name} (${wrapping.join(", ")})`);
      for (const { type } of messages) types.add(`${kind} ${type}`);
      for (const each of wrapping) wrappings.add(`${kind} ${each}`);
    }
  });
}

test("the captures hold every type of message and every wrapping", () => {
  const packets = ["ping", "indirectPing", "ack", "suspect", "alive", "dead", "user", "nack"];
  const streams = ["pushPull", "user", "ping", "ack", "error"];
  assert.deepEqual(
    [...types].sort(),
    [...packets.map((type) => `packet ${type}`), ...streams.map((type) => `stream ${type}`)].sort(),
  );
  assert.deepEqual([...wrappings].sort(), [
    "packet compound",
    "packet compressed",
    "packet crc",
    "packet encrypted v0",
    "packet encrypted v1",
    "stream compressed",
    "stream encrypted v0",
    "stream encrypted v1",
  ]);
});

function readPacket(bytes: Uint8Array, envelope: Envelope): readonly unknown[] {
  const packet = decodePacket(bytes, envelope);
  assert.ok(packet.ok && packet.ignored === 0);
  return packet.messages;
}

/** Ours are always encrypted: a stream in clear is read below its frame. */
function readStream(bytes: Uint8Array, envelope: Envelope): readonly unknown[] {
  if (envelope.keyring === undefined) return [decodeStreamMessage(bytes)];
  const progress = new FrameReader(envelope, false).push(bytes);
  assert.ok(progress.kind === "message", progress.kind);
  return [progress.message];
}

/** A copy in which byte arrays are hex. */
function inHex(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(inHex);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inHex(part)]));
}
