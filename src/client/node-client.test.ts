import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import fc from "fast-check";
import { createApi } from "../api/create-api.ts";
import { exampleStatus } from "../api/example-answers.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveUnix } from "../api/serve-unix.ts";
import { HansaError, isHansaError } from "../errors.ts";
import { isInspection, isStatus } from "./answer-check.ts";
import { nodeClient } from "./node-client.ts";
import { parseResponse, ResponseSyntaxError } from "./parse-response.ts";

let folder: string;
let path: string;
const closers: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hansa-client-"));
  path = join(folder, "hansa.sock");
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
});

async function served(node: FakeNode): Promise<FakeNode> {
  const listener = await serveUnix(createApi(node), { path });
  closers.push(listener.close);
  return node;
}

/** A server that answers every connection with these bytes. */
async function raw(answer: string): Promise<void> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  closers.push(() => new Promise((resolve) => server.close(() => resolve())));
}

const fails = (code: Parameters<typeof isHansaError>[1], sentence: RegExp) => (error: unknown) =>
  isHansaError(error, code) && sentence.test(error.message);

test("every call reaches the node and comes back typed", async () => {
  const node = await served(new FakeNode());
  const client = nodeClient(path);
  assert.deepEqual(await client.status(), node.current);
  assert.deepEqual(await client.inspect(), await node.inspect());
  assert.deepEqual(await client.version(), node.version());
  assert.deepEqual((await client.connect(["host3"], false)).targets, [
    "host1",
    "host2",
    "host3",
    "host9",
  ]);
  assert.deepEqual((await client.forget(["host9", "host2"])).targets, ["host1", "host3"]);
  assert.deepEqual(await client.prime(), { id: 1 });
});

test("an answer of many megabytes arrives whole", async () => {
  const node = await served(new FakeNode());
  const targets = Array.from({ length: 200_000 }, (_, index) => `host-${index}.exämple`);
  node.current = { ...node.current, targets };
  assert.deepEqual((await nodeClient(path).status()).targets, targets);
});

test("a daemon of another version is checked by the schemas", async () => {
  const node = await served(new FakeNode());
  node.current = { ...node.current, node: { ...node.current.node, version: "9.9.9" } };
  assert.equal((await nodeClient(path).status()).node.version, "9.9.9");
  const broken = { ...node.current, ipam: { ...node.current.ipam, ready: "yes" } };
  node.current = broken as unknown as typeof node.current;
  await assert.rejects(
    nodeClient(path).status(),
    fails("API_ANSWER_INVALID", /malformed at ipam\.ready$/),
  );
});

test("an error of the node keeps code, sentence and hint; an unknown code becomes INTERNAL", async () => {
  const node = await served(new FakeNode());
  node.failure = new HansaError("IPAM_NOT_READY", "node 5 waits", { hint: "connect it" });
  await assert.rejects(nodeClient(path).status(), { message: "node 5 waits", hint: "connect it" });
  Object.defineProperty(node, "failure", { value: undefined });
  for (const close of closers.splice(0)) await close();
  const body = '{"error":{"code":"FROM_THE_FUTURE","message":"later","hint":"wait"}}';
  await raw(`HTTP/1.1 503 X\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await assert.rejects(nodeClient(path).status(), fails("INTERNAL", /^later$/));
});

test("no socket, and a socket that nobody serves: hansa is not running, with a hint", async () => {
  await assert.rejects(nodeClient(path).status(), fails("NODE_NOT_RUNNING", /not running/));
  await assert.rejects(
    nodeClient(join(folder, "no", "folder")).status(),
    fails("NODE_NOT_RUNNING", /not running/),
  );
});

for (const [title, answer, code] of [
  ["a daemon that dies before it answers", "", "NODE_NOT_RUNNING"],
  [
    "one that dies within its answer",
    "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
    "NODE_NOT_RUNNING",
  ],
  ["something that is no HTTP", "hello\r\n\r\n", "API_ANSWER_INVALID"],
  ["something that is no JSON", "HTTP/1.1 200 OK\r\n\r\n<html>", "API_ANSWER_INVALID"],
  ["JSON of another shape", "HTTP/1.1 200 OK\r\n\r\n[1]", "API_ANSWER_INVALID"],
  ["an error of another shape", "HTTP/1.1 500 OK\r\n\r\n{}", "API_ANSWER_INVALID"],
] as const) {
  test(`${title} is ${code}`, async () => {
    await raw(answer);
    await assert.rejects(nodeClient(path).status(), fails(code, /./));
  });
}

test("a wait in prime ends with its signal", async () => {
  const node = await served(new FakeNode());
  node.setReady(false);
  const controller = new AbortController();
  const waiting = nodeClient(path).prime(controller.signal);
  setImmediate(() => controller.abort(new Error("enough")));
  await assert.rejects(waiting, { message: "enough" });
});

test("responses are read plain, by length and chunked", () => {
  const read = (text: string) => parseResponse(Buffer.from(text)).body;
  assert.equal(read("HTTP/1.1 200 OK\r\n\r\nab"), "ab");
  assert.equal(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"), "a");
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.equal(read(`${head}2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n`), "abcde");
  assert.throws(() => read(`${head}2\r\nab\r\n`), ResponseSyntaxError);
});

test("no bytes make the reader throw anything but its own error", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "HTTP/1.1 200 OK\r\n",
      "\r\n",
      "transfer-encoding: chunked\r\n",
      "0\r\n",
      "f\r\n",
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        parseResponse(Buffer.from(pieces.join("")));
      } catch (error) {
        assert.ok(error instanceof ResponseSyntaxError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("the light checks notice every field that is missing or of a wrong type", async () => {
  const spoil = (check: (value: unknown) => boolean, document: object, path: string[]): void => {
    for (const [key, value] of Object.entries(document)) {
      const holder = document as Record<string, unknown>;
      for (const bad of [undefined, { odd: true }]) {
        holder[key] = bad;
        assert.equal(check(root), false, `${[...path, key].join(".")} = ${JSON.stringify(bad)}`);
      }
      holder[key] = value;
      if (typeof value === "object" && value !== null) spoil(check, value, [...path, key]);
    }
  };
  const root: object = structuredClone(exampleStatus());
  assert.equal(isStatus(root), true);
  spoil(isStatus, root, []);
  assert.equal(isInspection(await new FakeNode().inspect()), true);
});
