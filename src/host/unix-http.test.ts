import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isErrno } from "../errors.ts";
import { keptConnections, unixRequest, unixStream, unixUpgrade } from "./unix-http.ts";

async function withServer(
  listener: RequestListener,
  work: (socketPath: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "hansa-unix-"));
  const socketPath = join(directory, "s");
  const server = createServer(listener);
  try {
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    await work(socketPath);
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

test("JSON goes out and comes back, with its status", async () => {
  await withServer(
    (request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += chunk;
      });
      request.on("end", () => {
        response.statusCode = 418;
        response.end(JSON.stringify({ method: request.method, url: request.url, text }));
      });
    },
    async (socketPath) => {
      const answer = await unixRequest({
        socketPath,
        method: "PUT",
        path: "/a?b=1",
        body: { ä: 1 },
      });
      assert.equal(answer.status, 418);
      assert.deepEqual(answer.body, { method: "PUT", url: "/a?b=1", text: '{"ä":1}' });
    },
  );
});

test("an answer that never comes, or never ends, is given up at the deadline", async () => {
  for (const part of [undefined, "half"]) {
    await withServer(
      (_request, response) => {
        if (part !== undefined) response.write(part);
      },
      async (socketPath) => {
        await assert.rejects(unixRequest({ socketPath, path: "/", timeoutMs: 100 }), (error) =>
          isErrno(error, "ETIMEDOUT"),
        );
      },
    );
  }
});

test("an answer that is too long is refused", async () => {
  await withServer(
    (_request, response) => response.end("x".repeat(1000)),
    async (socketPath) => {
      await assert.rejects(
        unixRequest({ socketPath, path: "/", maxBytes: 999 }),
        /longer than 999/,
      );
    },
  );
});

test("an answer that is not JSON has no body, and one that is not HTTP is an error", async () => {
  await withServer(
    (_request, response) => response.end("OK"),
    async (socketPath) => {
      const answer = await unixRequest({ socketPath, path: "/" });
      assert.deepEqual([answer.text, answer.body], ["OK", undefined]);
    },
  );
  const directory = await mkdtemp(join(tmpdir(), "hansa-unix-"));
  const socketPath = join(directory, "s");
  const server = createNetServer((socket) => socket.end("garbage\r\n\r\n"));
  try {
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    await assert.rejects(unixRequest({ socketPath, path: "/" }));
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});

test("a socket that is not there is the system's error", async () => {
  await assert.rejects(unixRequest({ socketPath: "/nonexistent/s", path: "/" }), (error) =>
    isErrno(error, "ENOENT"),
  );
});

test("a stream is handed back with its head, and ends with its signal", async () => {
  await withServer(
    (_request, response) => {
      response.write("first");
    },
    async (socketPath) => {
      const abort = new AbortController();
      const stream = await unixStream({ socketPath, path: "/", signal: abort.signal });
      const [chunk] = (await once(stream, "data")) as [Buffer];
      assert.equal(chunk.toString(), "first");
      const ended = once(stream, "error");
      abort.abort();
      await ended;
    },
  );
});

test("requests that follow each other go over one kept connection, which an upgrade takes along", async () => {
  const sockets = new Set<unknown>();
  let server: Server | undefined;
  await withServer(
    (request, response) => {
      sockets.add(request.socket);
      server ??= (request.socket as unknown as { readonly server: Server }).server;
      server.removeAllListeners("upgrade").on("upgrade", (upgraded, socket) => {
        sockets.add(upgraded.socket);
        socket.end(
          "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n",
        );
      });
      response.end("{}");
    },
    async (socketPath) => {
      const kept = keptConnections();
      const to = { socketPath, path: "/", kept } as const;
      await unixRequest(to);
      await unixRequest({ ...to, method: "POST", body: {} });
      const answer = await unixUpgrade({ ...to, method: "POST" }, "tcp");
      assert.ok("socket" in answer);
      answer.socket.destroy();
      assert.equal(sockets.size, 1);
      await unixRequest(to);
      assert.equal(sockets.size, 2);
      kept.destroy();
    },
  );
});

test("a question over a kept connection that just ended is asked again, a change is not", async () => {
  let seen = 0;
  let isEnding = false;
  const serve: RequestListener = (request, response) => {
    seen += 1;
    if (isEnding) request.socket.destroy();
    else response.end("{}");
    isEnding = false;
  };
  await withServer(serve, async (socketPath) => {
    const kept = keptConnections();
    const to = { socketPath, path: "/", kept } as const;
    await unixRequest(to);
    isEnding = true;
    await unixRequest(to);
    assert.equal(seen, 3);
    await unixRequest(to);
    isEnding = true;
    const change = unixRequest({ ...to, method: "POST", body: {} });
    await assert.rejects(change, (error) => isErrno(error, "ECONNRESET"));
    assert.equal(seen, 5);
    kept.destroy();
  });
});
