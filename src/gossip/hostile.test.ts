import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { closed } from "../../test/closed.ts";
import { freePort } from "../../test/free-port.ts";
import { encodePacket, makeEnvelope } from "../membership/wire/packet.ts";
import { makeKeyring, seal } from "../membership/wire/security.ts";
import { encodeFrame } from "../membership/wire/stream-frame.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { Counters } from "./counters.ts";
import { eventually, KEY, startNode, view } from "./recording-delegate.ts";
import { StreamDialler } from "./stream-dialler.ts";
import { StreamListener } from "./stream-listener.ts";

const ENVELOPE = makeEnvelope("test", makeKeyring([KEY]));
const NONCE = randomBytes(12);
const PING_FRAME = encodeFrame({ type: "ping", seq: 1, node: "a" }, ENVELOPE, true, NONCE);

test("garbage, truncations and flipped bits on the packet socket change nothing and are counted", async () => {
  await using a = await startNode("a");
  const socket = createSocket("udp4");
  const user = { type: "user" as const, payload: Buffer.from("good") };
  const alive = {
    type: "alive" as const,
    incarnation: 1,
    node: "evil",
    endpoint: a.at,
    meta: new Uint8Array(0),
    versions: [2, 5, 5, 0, 0, 0] as const,
  };
  const good = Buffer.from(encodePacket([user, alive], ENVELOPE, { nonce: NONCE }));
  const send = async (bytes: Uint8Array) => {
    await new Promise((resolve) => socket.send(bytes, a.at.port, a.at.ip, resolve));
  };
  let sent = 0;
  for (let size = 0; size < good.length; size += 7) {
    await send(good.subarray(0, size));
    const flipped = Buffer.from(good);
    flipped[size] = (flipped[size] ?? 0) ^ 1;
    await send(flipped);
    await send(randomBytes(size * 10));
    sent += 3;
  }
  await eventually("all counted", () => a.gossip.counters()["packetsIn"] === sent);
  assert.equal(a.delegate.rejections.length, sent);
  assert.equal(view(a), "a alive");
  await send(good);
  await eventually("the good one", () => a.delegate.users.includes("packet good"));
  socket.close();
});

test("authenticated nonsense is ignored and harms nobody", async () => {
  await using a = await startNode("a");
  const socket = createSocket("udp4");
  const keyring = makeKeyring([KEY]);
  for (let index = 0; index < 300; index++) {
    const body = Buffer.concat([Buffer.of(index % 15), randomBytes(index % 90)]);
    const sealed = seal(keyring, body, ENVELOPE.aad, randomBytes(12));
    const packet = Buffer.concat([ENVELOPE.header, sealed]);
    await new Promise((resolve) => socket.send(packet, a.at.port, a.at.ip, resolve));
  }
  await eventually("all read", () => a.gossip.counters()["packetsIn"] === 300);
  await using b = await startNode("b");
  assert.ok((await b.gossip.join(a.at)).ok);
  socket.close();
});

test("garbage on the stream socket is refused, cut frames are counted, and the node goes on", async () => {
  await using a = await startNode("a");
  const attempts: Uint8Array[] = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    randomBytes(100_000),
    Buffer.concat([ENVELOPE.header, Buffer.from("0affffffff", "hex")]),
    Buffer.concat([ENVELOPE.header, Buffer.from([6, 0x83, 1, 2, 3])]),
    PING_FRAME.subarray(0, 20),
    flip(PING_FRAME, PING_FRAME.length - 1),
    new Uint8Array(0),
  ];
  for (const bytes of attempts) {
    const socket = dial(a.at);
    await once(socket, "connect");
    socket.end(bytes);
    await closed(socket);
  }
  await eventually("the cut one counted", () => a.gossip.counters()["streamsCut"] === 1);
  assert.deepEqual(a.delegate.rejections.toSorted(), [
    "authentication",
    "authentication",
    "label",
    "label",
    "malformed",
  ]);
  await using b = await startNode("b");
  assert.ok((await b.gossip.join(a.at)).ok);
});

test("a stream ping is answered, for us and for nobody else", async () => {
  await using a = await startNode("a");
  const dialler = new StreamDialler(() => ENVELOPE, new Counters());
  const answer = await dialler.exchange(a.at, PING_FRAME);
  assert.ok(answer.ok && answer.message.type === "ack" && answer.message.seq === 1);
  const other = encodeFrame({ type: "ping", seq: 1, node: "b" }, ENVELOPE, true, NONCE);
  assert.equal((await dialler.exchange(a.at, other)).ok, false);
});

test("whoever sends slower than the deadline is cut off, however it drips", async () => {
  await using listener = await listen(1_000);
  const port = listener.port;
  const socket = dial({ ip: "127.0.0.1", port });
  await once(socket, "connect");
  let sent = 0;
  const drip = setInterval(() => socket.write(PING_FRAME.subarray(sent, ++sent)), 50);
  await closed(socket);
  clearInterval(drip);
  assert.ok(sent > 3 && sent < PING_FRAME.length);
  await eventually("counted", () => listener.counters.streamsCut === 1);
});

test("one host's flood of connections leaves a place for another", async () => {
  await using listener = await listen(5_000);
  const flood = Array.from({ length: 100 }, () => dial({ ip: "127.0.0.1", port: listener.port }));
  await eventually("the rest refused", () => listener.counters.streamsRefused === 52);
  assert.equal(listener.counters.streamsIn, 48);
  const dialler = new StreamDialler(() => ENVELOPE, new Counters());
  const late = await dialler.exchange({ ip: "127.0.0.1", port: listener.port }, PING_FRAME);
  assert.ok(!late.ok && late.reason === "closed", JSON.stringify(late));
  for (const socket of flood) socket.destroy();
  await eventually("places free", () => listener.open() === 0);
  const again = await dialler.exchange({ ip: "127.0.0.1", port: listener.port }, PING_FRAME);
  assert.ok(again.ok, JSON.stringify(again));
});

test("who takes the connection and never answers is given up at the deadline", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const dialler = new StreamDialler(() => ENVELOPE, new Counters());
  const at = { ip: "127.0.0.1", port: address.port };
  const result = await dialler.exchange(at, PING_FRAME, { totalMs: 150 });
  assert.ok(!result.ok && result.reason === "unanswered", JSON.stringify(result));
  assert.equal(dialler.open, 0);
  server.close();
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x80;
  return copy;
}

function dial(to: Endpoint): Socket {
  const socket = connect(to.port, to.ip);
  socket.on("error", () => undefined);
  return socket;
}

/** A listener on a free port that answers every message with an ack. */
async function listen(deadlineMs: number) {
  const counters = new Counters();
  const port = await freePort();
  const listener = await StreamListener.listen(
    { ip: "127.0.0.1", port },
    {
      envelope: () => ENVELOPE,
      counters,
      deadlineMs,
      handler: {
        message: () => encodeFrame({ type: "ack", seq: 1, payload: NONCE }, ENVELOPE, false, NONCE),
        rejected: () => undefined,
      },
    },
  );
  return {
    port,
    counters,
    open: () => listener.open,
    [Symbol.asyncDispose]: () => listener.close(),
  };
}
