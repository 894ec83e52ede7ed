import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createPlain } from "node:net";
import { after, before, test } from "node:test";
import { createServer } from "node:tls";
import { isHansaError } from "../errors.ts";
import { createAuthority } from "../identity/authority.ts";
import { deriveRoot } from "../identity/roots.ts";
import { enter, meet, requireFingerprint } from "./first-contact.ts";

const TOKEN = "a token of a cluster";
/** Bytes of HTTP that reached the node. */
let heard = "";
let port = 0;
let server: ReturnType<typeof createServer>;

before(async () => {
  const authority = await createAuthority(await deriveRoot(TOKEN, "prod"), "prod");
  const { certificate, privateKey, ca } = await authority.mint({
    ...{ name: "hp1", names: ["hp1"], addresses: ["192.0.2.1"], role: "node" },
  });
  server = createServer({ cert: certificate, key: privateKey, ca, requestCert: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      heard += bytes;
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    });
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
after(() => server.close());

test("a node is met without a word of HTTP: its certificate, and what it says the cluster is called", async () => {
  const met = await meet("127.0.0.1", port);
  assert.equal(met.cluster, "prod");
  assert.match(met.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  requireFingerprint(met, met.fingerprint.replaceAll(":", "").toLowerCase());
  const other = met.fingerprint.replace(/^../, (byte) => (byte === "00" ? "11" : "00"));
  assert.throws(
    () => requireFingerprint(met, other),
    (error) => isHansaError(error, "JOIN_FINGERPRINT_DIFFERS"),
  );
  assert.equal(heard, "");
});

test("a wrong token is noticed here and nothing is said to the node; with the right one it is asked", async () => {
  const met = await meet("127.0.0.1", port);
  assert.equal(await enter(met, "another token", "hp2"), undefined);
  assert.equal(heard, "");
  const entry = await enter(met, TOKEN, "hp2");
  assert.ok(entry);
  await assert.rejects(entry.clientAt("127.0.0.1", port).joinInfo(), (error) =>
    isHansaError(error, "API_ANSWER_INVALID"),
  );
  assert.match(heard, /^GET \/v1\/join\/info /);
  assert.ok(!heard.includes(TOKEN));
});

test("what is no node, and nobody at all, are told apart", async () => {
  const plain = createPlain((socket) => {
    socket.on("error", () => undefined).resume();
    socket.end("no tls\n");
  }).listen(0, "127.0.0.1");
  await once(plain, "listening");
  const at = (plain.address() as AddressInfo).port;
  await assert.rejects(meet("127.0.0.1", at), (error) =>
    isHansaError(error, "CONTEXT_UNREACHABLE"),
  );
  plain.close();
  await once(plain, "close");
  await assert.rejects(meet("127.0.0.1", at), (error) =>
    isHansaError(error, "CONTEXT_UNREACHABLE"),
  );
});
