import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { until } from "../timing/until.ts";
import { splice } from "./splice.ts";

interface Ends {
  readonly client: Socket;
  readonly node: Socket;
  readonly middle: readonly Socket[];
}

async function listener(taken: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, taken).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function open(server: Server, allowHalfOpen = true): Socket {
  const { port } = server.address() as { port: number };
  return connect({ port, host: "127.0.0.1", allowHalfOpen });
}

/** A client and a node, joined by a splice in between. */
async function joined(work: (ends: Ends) => Promise<void>, allowHalfOpen = true): Promise<void> {
  const node = Promise.withResolvers<Socket>();
  const far = await listener(node.resolve);
  const middle: Socket[] = [];
  const near = await listener((socket) => {
    const outgoing = open(far, allowHalfOpen);
    middle.push(socket, outgoing);
    splice(socket, outgoing);
  });
  const client = open(near);
  try {
    await work({ client, node: await node.promise, middle });
  } finally {
    for (const socket of [client, await node.promise, ...middle]) socket.destroy();
    near.close();
    far.close();
  }
}

for (const allowHalfOpen of [true, false]) {
  const kind = allowHalfOpen ? "half open" : "as node:http makes them";
  test(`all that was sent before an orderly end arrives, however slow its reader is and although it still sends (${kind})`, async () => {
    await joined(async ({ client, node }) => {
      const sent = Buffer.alloc(8 * 1024 * 1024, "abc");
      node.resume();
      node.end(sent);
      client.write("still speaking");
      await new Promise((resolve) => setTimeout(resolve, 50));
      let size = 0;
      for await (const chunk of client as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (!client.destroyed) client.write("x");
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(size, sent.length);
    }, allowHalfOpen);
  });
}

test("each direction ends on its own", async () => {
  await joined(async ({ client, node }) => {
    client.end("question");
    let question = "";
    for await (const chunk of node.iterator({ destroyOnReturn: false })) question += chunk;
    assert.equal(question, "question");
    node.end("answer");
    let answer = "";
    for await (const chunk of client) answer += chunk;
    assert.equal(answer, "answer");
  });
});

test("one that breaks off breaks the other off", async () => {
  for (const which of ["client", "node"] as const) {
    await joined(async (ends) => {
      const other = which === "client" ? ends.node : ends.client;
      other.on("error", () => undefined);
      other.resume();
      ends[which].resetAndDestroy();
      await until(() => ends.middle.every((socket) => socket.destroyed));
      await until(() => other.destroyed || other.readableEnded);
    });
  }
});
