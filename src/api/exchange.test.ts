import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { isHansaError } from "../errors.ts";
import { Exchange } from "./exchange.ts";

let server: Server;
let answer: (exchange: Exchange) => Promise<void>;
let port: number;

beforeEach(async () => {
  server = createServer((request, response) => void answer(new Exchange(request, response)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function dial(text: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

async function all(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined);
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

const head = (line: string, ...rest: string[]): string =>
  `${[`${line} HTTP/1.1`, "host: a", "connection: close", ...rest].join("\r\n")}\r\n\r\n`;

test("path and query are told apart, also where a proxy names the whole address", async () => {
  answer = async (exchange) =>
    exchange.json([exchange.path, exchange.query("b") ?? null, exchange.query("c") ?? null]);
  for (const target of ["/v1/a?b=%20x&b=y", "http://other:1/v1/a?b=%20x"]) {
    const said = await all(await dial(head(`GET ${target}`)));
    assert.match(said, /\["\/v1\/a"," x",null\]$/);
  }
  assert.match(await all(await dial(head("GET *"))), /\["\*",null,null\]$/);
});

test("HEAD has the head of GET's answer, and no body", async () => {
  answer = async (exchange) => exchange.json({ a: 1 });
  const said = await all(await dial(head("HEAD /")));
  assert.match(said, /^HTTP\/1.1 200 OK\r\n.*content-length: 7\r\n.*\r\n\r\n$/s);
});

test("a body that comes without its length is read up to what is allowed, and no further", async () => {
  let refused: unknown;
  answer = async (exchange) => {
    try {
      exchange.text(await exchange.body(8), "text/plain");
    } catch (error) {
      refused = error;
      exchange.text("too long", "text/plain", 413);
    }
  };
  const chunked = head("POST /", "transfer-encoding: chunked");
  const good = await all(await dial(`${chunked}4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n`));
  assert.match(good, /abcdefgh$/);
  const endless = await dial(`${chunked}4\r\nabcd\r\n5\r\nefghi\r\n`);
  assert.match(await all(endless), /^HTTP\/1.1 413 .*too long$/s);
  assert.ok(isHansaError(refused, "REQUEST_TOO_LARGE"));
});

test("a body that ends in the middle is no body", async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  answer = (exchange) => exchange.body(100).then(resolve, resolve);
  const socket = await dial(head("POST /", "content-length: 10"));
  socket.write("abc");
  socket.end();
  assert.ok((await promise) instanceof Error);
});

test("a connection whose request is answered in the middle of its body ends", async () => {
  answer = async (exchange) => exchange.text("no", "text/plain", 404);
  const socket = await dial("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nabc");
  assert.match(await all(socket), /^HTTP\/1.1 404 /);
});

test("the signal aborts for who goes away before the answer, and for nobody else", async () => {
  const signals: AbortSignal[] = [];
  answer = async (exchange) => {
    signals.push(exchange.signal);
    if (exchange.path === "/") exchange.json({});
  };
  await all(await dial(head("GET /")));
  assert.equal(signals[0]?.aborted, false);
  const socket = await dial(head("GET /waits"));
  while (signals.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const signal = signals[1];
  assert.ok(signal);
  const aborted = once(signal, "abort");
  socket.destroy();
  await aborted;
});

test("a stream waits for a reader that takes nothing, and ends with it", async () => {
  let given = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const chunks = {
    next: async () => {
      given += 1;
      return { value: new Uint8Array(65_536), done: false };
    },
    return: async () => {
      resolve();
      return { value: undefined, done: true as const };
    },
  };
  answer = (exchange) => exchange.stream(chunks, { "content-type": "text/plain" });
  const socket = await dial(head("GET /"));
  socket.pause();
  let seen = -1;
  while (given === 0 || seen !== given) {
    seen = given;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.ok(given < 1_000, `${given} chunks wait for a reader`);
  socket.destroy();
  await promise;
});
