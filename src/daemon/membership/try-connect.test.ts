import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { tryConnect } from "./try-connect.ts";

test("a port that takes or refuses connections is reached; one behind nothing is not", async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const here = { ip: "127.0.0.1", port: address.port };
  assert.equal(await tryConnect(here, 1000), null);
  server.close();
  await once(server, "close");
  assert.equal(await tryConnect(here, 1000), null);
  const nowhere = await tryConnect({ ip: "255.255.255.255", port: 9 }, 200);
  assert.equal(typeof nowhere, "string");
});
