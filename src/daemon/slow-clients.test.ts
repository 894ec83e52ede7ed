/** What the API on 1443 does with clients that take their time. Here, because certificates are nothing that `api` knows how to make. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { createApi } from "../api/create-api.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveTls, type TlsListener } from "../api/serve-tls.ts";
import { createAuthority, type Leaf } from "../identity/authority.ts";

const PATIENCE = { headMs: 300, requestMs: 600 };

let listener: TlsListener;
let leaf: Leaf;
let port: number;

before(async () => {
  const root = createHash("sha256").update("a root").digest();
  const authority = await createAuthority(root, "test");
  leaf = await authority.mint({ names: ["localhost"], name: "host1", addresses: [], role: "node" });
  const probe = createServer().listen(0);
  await once(probe, "listening");
  ({ port } = probe.address() as { port: number });
  await new Promise((resolve) => probe.close(resolve));
  listener = await serveTls(createApi(new FakeNode()), {
    port,
    secureContext: async () => ({ key: leaf.privateKey, cert: leaf.certificate, ca: leaf.ca }),
    refused: () => undefined,
    patience: PATIENCE,
  });
});
after(() => listener.close());

async function opened(): Promise<TLSSocket> {
  const socket = connect({
    ...{ host: "localhost", port, ca: leaf.ca, key: leaf.privateKey, cert: leaf.certificate },
  });
  await once(socket, "secureConnect");
  return socket;
}

/** All that comes until the other side ends, while `words` go out one after the other without an end. */
async function told(socket: TLSSocket, first: string, then: string): Promise<string> {
  socket.on("error", () => undefined);
  socket.write(first);
  const dripping = setInterval(() => socket.write(then), 50);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close", { signal: AbortSignal.timeout(20_000) });
  clearInterval(dripping);
  return text;
}

test("a client that sends its head without end is told, and cut off", async () => {
  const text = await told(await opened(), "GET /v1/version HTTP/1.1\r\nhost: a\r\n", "x: y\r\n");
  assert.match(text, /^HTTP\/1\.1 408 /);
});

test("so is one whose body never ends", async () => {
  const head = "POST /v1/targets HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n";
  assert.match(await told(await opened(), head, "{"), /^HTTP\/1\.1 408 /);
});

test("a head that is too long is not served", async () => {
  const text = await told(
    await opened(),
    `GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
    "",
  );
  // The answer may be lost with what was not read of the head.
  assert.match(text, /^(HTTP\/1\.1 431 |$)/);
});
