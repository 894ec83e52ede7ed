/** The end of a plugin that another one follows: who has come to it is still answered. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { silentLogger } from "../host/logger.ts";
import { createDockerIpam, type DockerIpam } from "./docker-ipam-http.ts";

let folder: string;
let path: string;
let docker: DockerIpam;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hansa-drained-"));
  path = join(folder, "ipam.sock");
  docker = createDockerIpam({
    desk: () => assert.fail("nothing asks for addresses here"),
    logger: silentLogger,
    activated: () => undefined,
  });
  docker.server.listen(path);
  await once(docker.server, "listening");
});
afterEach(async () => {
  docker.server.closeAllConnections();
  docker.server.close();
  await rm(folder, { recursive: true });
});

/** A connection that the server has taken. */
async function connected(): Promise<Socket> {
  const taken = once(docker.server, "connection");
  const socket = connect(path);
  await taken;
  return socket;
}

/** As the plugin ends itself. */
async function end(): Promise<void> {
  await docker.drained();
  docker.server.closeAllConnections();
}

test("who had connected before the end, and asks only then, is answered", async () => {
  const socket = await connected();
  const ending = end();
  for (let turns = 0; turns < 10; turns += 1) await turn();
  socket.write("POST /Plugin.Activate HTTP/1.1\r\nhost: docker\r\ncontent-length: 0\r\n\r\n");
  let text = "";
  for await (const chunk of socket) text += chunk;
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(text, /IpamDriver/);
  await ending;
});

test("who connects and asks nothing does not hold the end up for long", async () => {
  const [socket] = [await connected(), await connected()];
  socket.destroy();
  await end();
});
