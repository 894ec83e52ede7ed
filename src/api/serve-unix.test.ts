import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { closed } from "../../test/closed.ts";
import { isHansaError } from "../errors.ts";
import { createApi, MAX_BODY_BYTES } from "./create-api.ts";
import { FakeNode } from "./fake-node.ts";
import { serveUnix } from "./serve-unix.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hansa-api-"));
  path = join(folder, "run", "hansa.sock");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function get(route: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: path, path: route, agent: false }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, text }));
    });
    outgoing.on("error", reject).end();
  });
}

/** The status of the answer to `text`, which says its length, or is sent in pieces of unknown number. */
function post(text: string, isCounted: boolean): Promise<number> {
  const body = Buffer.from(text);
  const headers = isCounted
    ? { "content-length": body.length }
    : { "transfer-encoding": "chunked" };
  const target = { socketPath: path, path: "/v1/targets", method: "POST", agent: false };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...target, headers }, (incoming) => {
      resolve(incoming.statusCode ?? 0);
      incoming.resume();
    });
    // An answer may come before all was sent.
    outgoing.on("error", reject).end(body);
  });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("serves the API, private to its user when the group does not exist, and removes the socket", async () => {
  const listener = await serveUnix(createApi(new FakeNode()), { path, group: "no-such-group" });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { status, text } = await get("/v1/status");
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).node.id, 1);
  await listener.close();
  assert.equal(existsSync(path), false);
});

test("a body is bounded whether it says its length or not, and read when it may come", async (context) => {
  const listener = await serveUnix(createApi(new FakeNode()), { path });
  context.after(() => listener.close());
  const targets = JSON.stringify({ targets: ["host2"], replace: false });
  for (const isCounted of [true, false]) {
    assert.equal(await post(targets, isCounted), 200);
    assert.equal(await post(targets + " ".repeat(MAX_BODY_BYTES), isCounted), 413);
  }
  assert.equal(await post("", true), 400);
});

test("is shared with the group when there is one", async () => {
  // Group 0 is named root everywhere and is ours when root runs the tests; others may not give the socket away.
  const listener = await serveUnix(createApi(new FakeNode()), { path, group: "root" });
  const isRoot = process.getuid?.() === 0;
  assert.equal(statSync(path).mode & 0o777, isRoot ? 0o660 : 0o600);
  await listener.close();
});

test("replaces a stale socket and refuses a live one", async () => {
  const first = await serveUnix(createApi(new FakeNode()), { path });
  await assert.rejects(serveUnix(createApi(new FakeNode()), { path }), (error: unknown) =>
    isHansaError(error, "NODE_ALREADY_RUNNING"),
  );
  assert.equal((await get("/v1/version")).status, 200);
  await first.close();

  // A process that is killed leaves its socket: the same, by moving it away from under its listener.
  const killed = createServer().listen(path);
  await new Promise((resolve) => killed.once("listening", resolve));
  const { renameSync } = await import("node:fs");
  renameSync(path, `${path}.kept`);
  await new Promise((resolve) => killed.close(resolve));
  renameSync(`${path}.kept`, path);
  const second = await serveUnix(createApi(new FakeNode()), { path });
  assert.equal((await get("/v1/version")).status, 200);
  await second.close();
});

test("a file that is no socket is left alone", async () => {
  const plain = join(folder, "plain");
  writeFileSync(plain, "mine");
  await assert.rejects(serveUnix(createApi(new FakeNode()), { path: plain }));
  assert.ok(existsSync(plain));
});

test("a client that goes away ends its wait in prime", async () => {
  const node = new FakeNode();
  node.setReady(false);
  const defects: unknown[] = [];
  const listener = await serveUnix(createApi(node, { onDefect: (error) => defects.push(error) }), {
    path,
  });
  const outgoing = request({ socketPath: path, path: "/v1/prime", agent: false });
  outgoing.on("error", () => undefined).end();
  await until(() => node.waiting === 1);
  outgoing.destroy();
  await until(() => node.waiting === 0);
  assert.equal(node.aborted, 1);
  assert.deepEqual(defects, []);
  await listener.close();
});

test("closing ends the requests that wait", async () => {
  const node = new FakeNode();
  node.setReady(false);
  const listener = await serveUnix(createApi(node), { path });
  const waiting = get("/v1/prime");
  const ended = assert.rejects(waiting);
  await until(() => node.waiting === 1);
  await listener.close();
  await ended;
  await until(() => node.waiting === 0);
});

test("who sends requests ahead without end is cut off, and what they asked for ends", async () => {
  const node = new FakeNode();
  const waiting = new Set<AbortSignal>();
  node.prime = (signal) =>
    new Promise((_resolve, reject) => {
      waiting.add(signal);
      signal.addEventListener("abort", () => {
        waiting.delete(signal);
        reject(signal.reason);
      });
    });
  const listener = await serveUnix(createApi(node), { path });
  try {
    const ask = "GET /v1/prime HTTP/1.1\r\nhost: a\r\n\r\n";
    const patient = connect(path);
    patient.write(ask.repeat(10));
    await until(() => waiting.size === 10);
    const greedy = connect(path);
    const over = closed(greedy);
    greedy.write(ask.repeat(1_000));
    await over;
    await until(() => waiting.size === 10);
    assert.equal(patient.destroyed, false);
    patient.destroy();
    await until(() => waiting.size === 0);
    // What was answered counts no more.
    const answered = connect(path);
    let text = "";
    answered.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    for (const times of [1, 2, 3]) {
      answered.write("GET /v1/version HTTP/1.1\r\nhost: a\r\n\r\n".repeat(40));
      await until(() => text.split("200 OK").length === times * 40 + 1);
    }
    answered.destroy();
  } finally {
    await listener.close();
  }
});
