import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { unixDoor } from "./door.ts";
import { events } from "./events.ts";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "hansa-events-"));
  path = join(dir, "socket");
});
afterEach(() => rm(dir, { recursive: true }));

/** What a reader makes of a server that behaves like `serve`. */
async function read(serve: (socket: Socket) => Promise<void>): Promise<unknown[]> {
  const server = createServer((socket) => {
    serve(socket).finally(() => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const { signal } = new AbortController();
    const seen: unknown[] = [];
    for await (const event of events(unixDoor(path), "/", signal, (answer) => answer))
      seen.push(event);
    return seen;
  } finally {
    server.close();
  }
}

test("events are read whatever the pieces they come in", async () => {
  const events = [{ a: 1 }, "x\ny", [2]];
  const bytes = HEAD + events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  for (const size of [1, 2, 3, 7, 1000]) {
    const seen = await read(async (socket) => {
      socket.setNoDelay(true);
      for (let at = 0; at < bytes.length; at += size) {
        socket.write(bytes.slice(at, at + size));
        await turn();
      }
    });
    assert.deepEqual(seen, events, `${size} bytes at a time`);
  }
});

/** Milliseconds of this process's CPU, as a busy machine takes no more of it, for one event of so many MiB. */
async function cost(mebibytes: number): Promise<number> {
  const size = mebibytes * 2 ** 20;
  const text = JSON.stringify("x".repeat(size));
  const began = process.cpuUsage();
  const [seen] = await read(async (socket) => {
    socket.write(`${HEAD}data: ${text}\n\n`);
  });
  assert.equal((seen as string).length, size);
  return process.cpuUsage(began).user / 1000;
}

test("a large event takes time in proportion to its size", async () => {
  await cost(3);
  const [small, large] = [await cost(3), await cost(48)];
  assert.ok(large < small * 16 * 4, `3 MiB: ${small} ms, 48 MiB: ${large} ms`);
});
