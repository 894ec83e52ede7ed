import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { isHansaError } from "../errors.ts";
import { type SaidFrame, StreamChannel } from "./stream-channel.ts";
import { INITIAL_WINDOW, STREAM_VERSION } from "./stream-frame.ts";

/** Two ends of one connection; `crossed` counts the bytes that the second one was sent. */
function pair(): { ends: [Duplex, Duplex]; crossed: () => number } {
  let crossed = 0;
  const make = (peer: () => Duplex, count: (bytes: number) => void): Duplex =>
    new Duplex({
      allowHalfOpen: true,
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        count(chunk.length);
        setImmediate(() => {
          peer().push(chunk);
          done();
        });
      },
      final(done) {
        peer().push(null);
        done();
      },
      destroy(error, done) {
        setImmediate(() => peer().push(null));
        done(error);
      },
    });
  const ends: [Duplex, Duplex] = [
    make(
      () => ends[1],
      (bytes) => {
        crossed += bytes;
      },
    ),
    make(
      () => ends[0],
      () => undefined,
    ),
  ];
  return { ends, crossed: () => crossed };
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const nothing = (): void => undefined;

test("bytes of several kinds arrive whole, each kind in order, and what is said between them in its place", async () => {
  const { ends } = pair();
  const said: SaidFrame[] = [];
  const node = new StreamChannel(ends[0], { takes: ["stdin"], said: nothing });
  const client = new StreamChannel(ends[1], {
    takes: ["stdout", "stderr"],
    said: (frame) => said.push(frame),
  });
  const big = Buffer.alloc(3 * INITIAL_WINDOW, "abcdefg");
  const sending = (async () => {
    await Promise.all([node.send("stdout", big), node.send("stderr", Buffer.from("small"))]);
    node.end("stdout");
    node.end("stderr");
    node.say({ kind: "exit", code: 7 });
    node.close();
  })();
  const [out, error] = await Promise.all([
    collect(client.bytes("stdout")),
    collect(client.bytes("stderr")),
  ]);
  await Promise.all([sending, client.ended]);
  assert.ok(out.equals(big));
  assert.equal(error.toString(), "small");
  assert.deepEqual(said, [{ kind: "exit", code: 7 }]);
});

test("who does not read gets one window and no more, and other kinds go on", async () => {
  const { ends, crossed } = pair();
  const node = new StreamChannel(ends[0], { takes: [], said: nothing });
  const client = new StreamChannel(ends[1], { takes: ["stdout", "stderr"], said: nothing });
  let isDone = false;
  void node.send("stdout", Buffer.alloc(4 * INITIAL_WINDOW)).then(() => {
    isDone = true;
  });
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.equal(isDone, false);
  assert.ok(crossed() <= INITIAL_WINDOW + 1_024, `${crossed()} bytes`);
  await node.send("stderr", Buffer.from("heard"));
  node.end("stderr");
  assert.equal((await collect(client.bytes("stderr"))).toString(), "heard");
  const reading = collect(client.bytes("stdout"));
  while (!isDone) await turn();
  node.end("stdout");
  assert.equal((await reading).length, 4 * INITIAL_WINDOW);
});

test("one that sends more than it was given room for, or what it may not, is cut off", async () => {
  for (const kind of [2, 3]) {
    const { ends } = pair();
    const node = new StreamChannel(ends[0], { takes: ["stdin"], said: nothing });
    ends[1].resume();
    ends[1].write(Buffer.of(STREAM_VERSION));
    const frame = Buffer.concat([Buffer.of(kind, 1, 0, 0), Buffer.alloc(0x1_0000)]);
    for (let count = 0; count < 5; count += 1) ends[1].write(frame);
    assert.ok(isHansaError(await node.ended, "STREAM_BROKEN"));
  }
});

test("many small frames use the window up too", async () => {
  const { ends, crossed } = pair();
  const node = new StreamChannel(ends[0], { takes: [], said: nothing });
  new StreamChannel(ends[1], { takes: ["stdout"], said: nothing });
  let sent = 0;
  const sending = (async () => {
    for (; sent < 10_000; sent += 1) await node.send("stdout", Buffer.of(1));
  })();
  sending.catch(nothing);
  for (let turns = 0; turns < 5_000; turns += 1) await turn();
  assert.ok(sent > 1_000 && sent < 5_000, `${sent} frames, ${crossed()} bytes`);
  node.close(new Error("enough"));
});

test("the end of the connection ends reading and sending with STREAM_LOST, after what had arrived", async () => {
  const { ends } = pair();
  const node = new StreamChannel(ends[0], { takes: [], said: nothing });
  const client = new StreamChannel(ends[1], { takes: ["stdout"], said: nothing });
  await node.send("stdout", Buffer.from("last words"));
  const blocked = node.send("stdout", Buffer.alloc(2 * INITIAL_WINDOW));
  blocked.catch(nothing);
  await turn();
  await turn();
  ends[0].destroy();
  const source = client.bytes("stdout");
  assert.equal((await source.next()).value.toString(), "last words");
  await assert.rejects(collect(source), (error) => isHansaError(error, "STREAM_LOST"));
  await assert.rejects(blocked, (error) => isHansaError(error, "STREAM_LOST"));
});

test("a connection that is reset is STREAM_LOST too, with the system's word as its cause", async () => {
  const { ends } = pair();
  const options = { takes: ["stdout"] as const, said: () => undefined };
  const channel = new StreamChannel(ends[0], options);
  const reading = channel.bytes("stdout").next();
  const reset = new Error("read ECONNRESET");
  ends[0].destroy(reset);
  await assert.rejects(
    reading,
    (error) => isHansaError(error, "STREAM_LOST") && error.cause === reset,
  );
});

test("a silent node is given up, one that says that it is there is not", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  let nowMs = 0;
  context.mock.method(process, "uptime", () => nowMs / 1_000);
  for (const speaks of [true, false]) {
    const { ends } = pair();
    new StreamChannel(ends[0], { takes: [], said: nothing, ...(speaks && { aliveEveryMs: 40 }) });
    const client = new StreamChannel(ends[1], { takes: [], said: nothing, silenceMs: 200 });
    for (const end = nowMs + 500; nowMs < end && !client.isOver; nowMs += 10) {
      context.mock.timers.tick(10);
      // What was sent has crossed before the next look.
      for (let turns = 0; turns < 5; turns += 1) await turn();
    }
    assert.equal(client.isOver, !speaks);
    client.close();
  }
});
