/** Places on the API's port: who has many leaves some to others, and nodes have theirs. Here, because certificates are nothing that `api` knows how to make. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as plainConnect, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { connect } from "node:tls";
import { freePort } from "../../../test/free-port.ts";
import { createApi } from "../../api/create-api.ts";
import { FakeNode } from "../../api/fake-node.ts";
import { serveTls, type TlsListener } from "../../api/serve-tls.ts";
import { type Authority, createAuthority } from "../../identity/authority.ts";
import type { Role } from "../../values/role.ts";

let listener: TlsListener;
let authority: Authority;
let port: number;
const refusals: string[] = [];
const sockets: Socket[] = [];

before(async () => {
  authority = await createAuthority(createHash("sha256").update("a root").digest(), "test");
  const leaf = await mint("host1", "node");
  port = await freePort();
  listener = await serveTls(createApi(new FakeNode()), {
    port,
    secureContext: async () => ({ key: leaf.privateKey, cert: leaf.certificate, ca: leaf.ca }),
    refused: (_from, why) => refusals.push(why),
    places: { unproved: 20, persons: 20 },
    // A test that waits may take as long as it takes.
    patience: { headMs: 120_000, requestMs: 120_000 },
  });
});
afterEach(async () => {
  const gone = sockets
    .splice(0)
    .map((socket) => (socket.closed ? undefined : once(socket.destroy(), "close")));
  await Promise.all(gone);
});
after(() => listener.close());

function mint(name: string, role: Role): ReturnType<Authority["mint"]> {
  return authority.mint({ names: ["localhost"], name, addresses: [], role });
}

type Leaf = Awaited<ReturnType<typeof mint>>;

/** The answer to one request, on a connection that stays open. */
async function asks(leaf: Leaf, localAddress = "127.0.0.1"): Promise<string> {
  const socket = connect({
    ...{ host: "127.0.0.1", servername: "localhost", port, localAddress },
    ...{ ca: leaf.ca, key: leaf.privateKey, cert: leaf.certificate },
  });
  sockets.push(socket.on("error", () => undefined));
  socket.write("GET /v1/version HTTP/1.1\r\nhost: a\r\n\r\n");
  const [chunk] = await once(socket, "data");
  return String(chunk);
}

test("one certificate leaves places to others, and persons leave them to nodes", async () => {
  const [anna, bert, node] = [
    await mint("anna", "viewer"),
    await mint("bert", "viewer"),
    await mint("host2", "node"),
  ];
  for (let index = 0; index < 16; index += 1) assert.match(await asks(anna), / 200 OK/);
  const refused = await asks(anna);
  assert.match(refused, /^HTTP\/1\.1 503 /);
  assert.match(
    refused,
    /"API_CONNECTIONS_MANY","message":"16 connections stand already, 16 of them/,
  );
  for (let index = 0; index < 3; index += 1) assert.match(await asks(bert), / 200 OK/);
  assert.match(await asks(await mint("carla", "viewer")), / 200 OK/);
  assert.match(await asks(await mint("dora", "viewer")), / 503 /);
  for (let index = 0; index < 40; index += 1) assert.match(await asks(node), / 200 OK/);
});

test("connections that show no certificate leave places to other addresses, and who went has its place back", async () => {
  const anna = await mint("anna", "viewer");
  for (let index = 0; index < 16; index += 1) sockets.push(await silent());
  const one = await silent();
  await once(one, "close");
  assert.ok(refusals.includes("has 16 connections already that did not show who it is"));
  assert.match(await asks(anna, "127.0.0.2"), / 200 OK/);
  const [first] = sockets;
  first?.destroy();
  // When the listener has heard of it.
  for (;;) {
    const answer = await asks(anna).catch(() => "");
    if (/ 200 OK/.test(answer)) break;
  }
});

async function silent(): Promise<Socket> {
  const socket = plainConnect(port, "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}
