import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import type { ClusterContext } from "../contexts/context.ts";
import { isHansaError } from "../errors.ts";
import { contextDoor } from "./context-door.ts";

const open = new Set<Socket>();
const servers: Server[] = [];
afterEach(() => {
  for (const socket of open) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A place where connections are taken and then `serve` does with them what it does. */
async function place(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

function context(...api: string[]): ClusterContext {
  return { version: 1, api, ca: "", certificate: "", privateKey: "" };
}

test("a place that says nothing does not keep the next ones waiting, and all failures are named", async () => {
  let asked = 0;
  let givenUp = false;
  const silent = await place((socket) => {
    socket.resume().once("close", () => {
      givenUp = true;
    });
  });
  const shut = await place((socket) => {
    asked += 1;
    socket.destroy();
  });
  const opening = contextDoor("office", context(silent, shut, shut)).open();
  while (asked < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(!givenUp, "they waited until the first place was given up");
  await assert.rejects(opening, (error) => {
    assert.ok(isHansaError(error, "CONTEXT_UNREACHABLE"));
    assert.match(error.message, /no node of the context office answers \(.*no answer within 5 s/);
    assert.equal(error.message.split("; ").length, 3);
    return true;
  });
});
