import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as http2Connect, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { fairNow } from "../../../test/fair-time.ts";
import { CANCELED, DEADLINE_EXCEEDED, GrpcError, INTERNAL, UNAVAILABLE } from "./grpc-error.ts";
import { FrameReader, frameOf } from "./grpc-frames.ts";
import { GrpcSession } from "./grpc-session.ts";

const CALL = { timeoutMs: 60_000, headers: {} };
const ASKED = new Uint8Array([1, 2, 3]);

type Answer = (stream: ServerHttp2Stream, message: Uint8Array) => void;

/** A server that answers each question as `answer` does, and sessions with it. */
async function served(context: TestContext, answer: Answer) {
  const server = createServer();
  const sessions = new Set<{ destroy(): void; close(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    const frames = new FrameReader();
    stream.on("error", () => undefined);
    stream.on("data", (piece: Buffer) => {
      for (const message of frames.push(piece)) answer(stream, message);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const grpc = new GrpcSession(() => {
    const socket = connect(port, "127.0.0.1");
    const createConnection = () => socket;
    return { socket, session: http2Connect("http://127.0.0.1", { createConnection }) };
  });
  const cut = (): void => {
    for (const session of sessions) session.destroy();
  };
  context.after(() => {
    grpc.close();
    cut();
    server.close();
  });
  return { grpc, cut, sessions };
}

/** Which messages came before the failure. */
async function taken(answers: AsyncIterable<Uint8Array>): Promise<[Uint8Array[], unknown]> {
  const messages: Uint8Array[] = [];
  try {
    for await (const message of answers) messages.push(message);
  } catch (error) {
    return [messages, error];
  }
  return [messages, undefined];
}

function end(stream: ServerHttp2Stream, trailers: Record<string, string>, ...said: Uint8Array[]) {
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  for (const message of said) stream.write(frameOf(message));
  stream.end();
}

test("a question gets its answer, also one of a megabyte", async (context) => {
  const large = new Uint8Array(1_000_000).fill(7);
  const { grpc } = await served(context, (stream, message) =>
    end(stream, { "grpc-status": "0" }, message.length > 3 ? large : message),
  );
  assert.deepEqual(await grpc.unary("/a/b", ASKED, CALL), ASKED);
  assert.deepEqual(await grpc.unary("/a/b", new Uint8Array(200_000), CALL), large);
});

test("a refusal says its code and sentence, with a body before it or without", async (context) => {
  const trailers = { "grpc-status": "14", "grpc-message": "no leader%3A wait" };
  const { grpc } = await served(context, (stream, message) => {
    if (message.length > 3) end(stream, trailers);
    else stream.respond({ ":status": 200, ...trailers }, { endStream: true });
  });
  for (const question of [ASKED, new Uint8Array(9)]) {
    await assert.rejects(grpc.unary("/a/b", question, CALL), (error) => {
      assert.ok(error instanceof GrpcError);
      assert.deepEqual([error.code, error.message], [14, "no leader: wait"]);
      return true;
    });
  }
});

test("a question that nobody answers ends at its deadline, and the next one is asked all the same", async (context) => {
  let isFirst = true;
  const { grpc } = await served(context, (stream, message) => {
    if (!isFirst) end(stream, { "grpc-status": "0" }, message);
    isFirst = false;
  });
  const began = fairNow();
  const late = grpc.unary("/a/b", ASKED, { timeoutMs: 200, headers: {} });
  await assert.rejects(late, (error) => isOf(error, DEADLINE_EXCEEDED));
  assert.ok(fairNow() - began < 2000);
  assert.deepEqual(await grpc.unary("/a/b", ASKED, CALL), ASKED);
});

test("a lost connection fails what was asked, and the next question makes another one", async (context) => {
  let cutNow = (): void => undefined;
  let isFirst = true;
  const { grpc, cut } = await served(context, (stream, message) => {
    if (isFirst) cutNow();
    else end(stream, { "grpc-status": "0" }, message);
    isFirst = false;
  });
  cutNow = cut;
  await assert.rejects(grpc.unary("/a/b", ASKED, CALL), (error) => isOf(error, UNAVAILABLE));
  assert.deepEqual(await grpc.unary("/a/b", ASKED, CALL), ASKED);
});

test("answers come one by one until the asker ends it", async (context) => {
  const gone = Promise.withResolvers<void>();
  const { grpc } = await served(context, (stream, message) => {
    stream.respond({ ":status": 200 });
    stream.on("close", () => gone.resolve());
    for (let turn = 0; turn < 100; turn += 1) stream.write(frameOf(message));
  });
  const ending = new AbortController();
  let heard = 0;
  for await (const message of grpc.stream("/a/b", ASKED, { headers: {}, signal: ending.signal })) {
    assert.deepEqual(message, ASKED);
    heard += 1;
    if (heard === 100) ending.abort();
  }
  assert.equal(heard, 100);
  await gone.promise;
});

test("answers that are not taken wait at the other side", async (context) => {
  const part = new Uint8Array(64 * 1024);
  let sent = 0;
  let isFull = false;
  const { grpc } = await served(context, (stream) => {
    stream.respond({ ":status": 200 });
    const more = (): void => {
      while (sent < 400) {
        sent += 1;
        if (stream.write(frameOf(part))) continue;
        isFull = true;
        stream.once("drain", more);
        return;
      }
      stream.end();
    };
    more();
  });
  const signal = new AbortController().signal;
  let heard = 0;
  const answers = grpc.stream("/a/b", ASKED, { headers: {}, signal });
  await assert.rejects(
    async () => {
      for await (const message of answers) {
        assert.equal(message.length, part.length);
        heard += 1;
        assert.ok(sent - heard < 100, `${sent - heard} wait here`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    (error) => isOf(error, UNAVAILABLE),
  );
  assert.deepEqual([heard, isFull], [400, true]);
});

test("an answer that is no frame, or is cut, is a failure, whatever its trailers say", async (context) => {
  const compressed = Buffer.concat([frameOf(ASKED), Buffer.from([1, 0, 0, 0, 1, 7])]);
  const cut = Buffer.concat([frameOf(ASKED), frameOf(ASKED).subarray(0, 6)]);
  let answer = compressed;
  const { grpc } = await served(context, (stream) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(answer);
  });
  for (const each of [compressed, cut]) {
    answer = each;
    const { signal } = new AbortController();
    const [messages, failure] = await taken(grpc.stream("/a/b", ASKED, { headers: {}, signal }));
    assert.ok(messages.length <= 1);
    isOf(failure, INTERNAL);
    await assert.rejects(grpc.unary("/a/b", ASKED, CALL), (error) => isOf(error, INTERNAL));
  }
});

test("a stream on a connection that takes no more is ended with the others", {
  timeout: 300_000,
}, async (context) => {
  const { grpc, sessions } = await served(context, (stream, message) => {
    if (message.length > 3) end(stream, { "grpc-status": "0" }, message);
    else {
      stream.respond({ ":status": 200 });
      stream.write(frameOf(message));
    }
  });
  const { signal } = new AbortController();
  const answers = grpc.stream("/a/b", ASKED, { headers: {}, signal });
  assert.deepEqual(await answers.next(), { done: false, value: ASKED });
  for (const session of sessions) session.close();
  // Until it is known here, a question may go there in vain.
  while (sessions.size < 2) {
    await grpc.unary("/a/b", new Uint8Array(9), CALL).catch(() => undefined);
  }
  const ended = assert.rejects(answers.next(), (error) => isOf(error, CANCELED));
  grpc.close();
  await ended;
});

test("after it was closed nothing is asked any more", async (context) => {
  const { grpc } = await served(context, () => undefined);
  const waiting = grpc.unary("/a/b", ASKED, CALL);
  grpc.close();
  await assert.rejects(waiting, (error) => isOf(error, CANCELED));
  await assert.rejects(grpc.unary("/a/b", ASKED, CALL), (error) => isOf(error, CANCELED));
});

function isOf(error: unknown, code: number): boolean {
  assert.ok(error instanceof GrpcError, `${error}`);
  assert.equal(error.code, code);
  return true;
}
