import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { decodeFrame, encodeFrame, FrameSplitter, type RelayFrame } from "./relay-frame.ts";
import { RelayStream } from "./relay-stream.ts";

/** A socket whose other side takes nothing until `release`. */
class StuckSocket extends Duplex {
  readonly frames: (RelayFrame | "unknown" | undefined)[] = [];
  readonly #splitter = new FrameSplitter();
  #held: (() => void) | undefined;
  #isOpen = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const body of this.#splitter.push(chunk)) this.frames.push(decodeFrame(body));
    if (this.#isOpen) done();
    else this.#held = done;
  }

  release(): void {
    this.#isOpen = true;
    this.#held?.();
  }
}

function streamOver(socket: StuckSocket, more: Partial<{ frames: RelayFrame[] }> = {}) {
  const ended: RelayStream[] = [];
  const stream = new RelayStream({
    socket: socket as unknown as TLSSocket,
    peer: 2,
    isOutbound: true,
    isInside: false,
    nowMs: 0,
    frame: (frame) => more.frames?.push(frame),
    closed: (gone) => ended.push(gone),
  });
  return { stream, ended };
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

test("to a side that takes nothing the newest datagrams are kept, and all words", async () => {
  const socket = new StuckSocket();
  const { stream } = streamOver(socket);
  const datagram = (number: number) => {
    const bytes = Buffer.alloc(1_000);
    bytes.writeUInt32BE(number, 0);
    return bytes;
  };
  for (let number = 0; number < 5_000; number += 1) {
    stream.send({ type: "data", from: 1, to: 2, datagram: datagram(number) });
    if (number % 100 === 0) await turn();
  }
  stream.send({ type: "say", from: 1, to: 2, directOk: true, back: true });
  assert.ok(stream.dropped > 3_000, `${stream.dropped} dropped`);
  socket.release();
  await turn();
  const numbers = socket.frames.flatMap((frame) =>
    typeof frame === "object" && frame.type === "data"
      ? [Buffer.from(frame.datagram).readUInt32BE(0)]
      : [],
  );
  assert.equal(numbers.at(-1), 4_999);
  assert.equal(numbers.length, 5_000 - stream.dropped);
  assert.ok(numbers.length < 700, "at most what is under way and the queue");
  assert.ok(socket.frames.some((frame) => typeof frame === "object" && frame.type === "say"));
});

test("a stream ends when it is silent, when nobody wants it, and at the first malformed frame", () => {
  const alive = encodeFrame({ type: "alive", wanted: false }).subarray(2);
  const silent = streamOver(new StuckSocket());
  silent.stream.tend(true, 3_400);
  assert.equal(silent.ended.length, 0);
  silent.stream.tend(true, 3_600);
  assert.equal(silent.ended.length, 1);
  const idle = streamOver(new StuckSocket());
  for (let nowMs = 1_000; nowMs < 30_000; nowMs += 1_000) {
    idle.stream.take(alive, nowMs);
    idle.stream.tend(false, nowMs);
  }
  assert.equal(idle.ended.length, 0);
  idle.stream.take(alive, 30_000);
  idle.stream.tend(false, 30_000);
  assert.equal(idle.ended.length, 1);
  const frames: RelayFrame[] = [];
  const broken = streamOver(new StuckSocket(), { frames });
  broken.stream.take(Buffer.of(99, 1), 0);
  assert.equal(broken.ended.length, 0, "a type of a later version is passed over");
  broken.stream.take(Buffer.of(3, 1), 0);
  broken.stream.take(alive, 0);
  assert.deepEqual([broken.ended.length, frames.length], [1, 0]);
});
