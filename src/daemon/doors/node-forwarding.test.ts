import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, request as plainRequest } from "node:http";
import { createServer as createTcp } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { createServer as createTls } from "node:tls";
import { CALLER_HEADER, encodeCaller } from "../../api/caller-header.ts";
import { createApi } from "../../api/create-api.ts";
import { serveUnix } from "../../api/serve-unix.ts";
import { HansaError } from "../../errors.ts";
import { createAuthority } from "../../identity/authority.ts";
import { ForwardingWorld, type Member } from "./forwarding-world.ts";
import { NodeForwarding } from "./node-forwarding.ts";

let world: ForwardingWorld;
let one: Member;
let two: Member;

beforeEach(async () => {
  world = await ForwardingWorld.open();
  one = await world.member(1);
  two = await world.member(2);
});
afterEach(() => world[Symbol.asyncDispose]());

const code = (wanted: string, words: RegExp) => (error: { code?: string; message: string }) => {
  assert.equal(error.code, wanted, error.message);
  assert.match(error.message, words);
  return true;
};

test("each node answers for itself and for the other, by name and by id", async () => {
  for (const asked of [one, two]) {
    for (const [wanted, name] of [
      ["host1", "host1"],
      ["2", "host2"],
    ] as const) {
      assert.equal((await asked.client(wanted).status()).node.name, name);
    }
  }
  await assert.rejects(one.client("host9").status(), code("NODE_NOT_FOUND", /host9/));
});

test("another protocol that is offered in passing changes nothing, with a body or without, here or on the other node", async () => {
  const person = await world.leaf("ada", "admin");
  const headers = { connection: "Upgrade", upgrade: "h2c" };
  for (const node of [1, 2]) {
    const status = await world.ask(1, person, `/v1/nodes/${node}/status`, { headers });
    assert.equal(JSON.parse(status.text).node.id, node);
    const more = { method: "POST", body: { targets: ["host7"] }, headers };
    assert.equal((await world.ask(1, person, `/v1/nodes/${node}/targets`, more)).status, 200);
  }
});

test("a failure on the other node comes back as it is there", async () => {
  two.node.failure = new Error("no luck");
  await assert.rejects(one.client("host2").status(), code("INTERNAL", /no luck/));
});

test("the role is that of who asked first, and the other node's audit log names them and who passed it on", async () => {
  const [ada, root] = await Promise.all([world.leaf("ada", "viewer"), world.leaf("root", "admin")]);
  const targets = { method: "POST", body: { targets: ["host9"] } };
  const refused = await world.ask(1, ada, "/v1/nodes/host2/targets", targets);
  assert.equal(refused.status, 403);
  assert.match(refused.text, /connecting to a host needs the role operator, and ada is viewer/);
  assert.equal((await world.ask(1, root, "/v1/nodes/host2/targets", targets)).status, 200);
  assert.equal((await world.ask(1, ada, "/v1/nodes/host2/status")).status, 200);
  await one.client("host2").forget(["host9"]);
  const lines = (await two.audit())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ who, role, via, operation, result }) => [who, role, via, operation, result]),
    [
      ["ada", "viewer", "host1", "connect", "API_ROLE_MISSING"],
      ["root", "admin", "host1", "connect", "ok"],
      ["local", "admin", "host1", "forget", "ok"],
    ],
  );
  assert.equal(await one.audit(), "");
});

test("a person's certificate cannot claim to be somebody else, here or further on", async () => {
  const ada = await world.leaf("ada", "viewer");
  const claim = encodeCaller({ name: "root", role: "admin", from: "unix", serial: undefined });
  const asked = { method: "POST", body: { targets: ["x"] }, headers: { [CALLER_HEADER]: claim } };
  for (const path of ["/v1/targets", "/v1/nodes/host1/targets", "/v1/nodes/host2/targets"]) {
    assert.equal((await world.ask(1, ada, path, asked)).status, 403, path);
  }
});

test("who asks for another node too often is told when to come back, also for a stream", async () => {
  const limited = (): never => {
    throw new HansaError("API_RATE_LIMITED", "ada asks too often: wait 1 s");
  };
  const forwarding = new NodeForwarding({ self: { id: 1, name: "host1" }, peers: one.peers });
  const socketPath = join(world.folder, "limited.sock");
  const routing = forwarding.routing(limited);
  const listener = await serveUnix(createApi(one.node), { path: socketPath, routing });
  world.closers.push(() => listener.close());
  for (const headers of [{}, { connection: "Upgrade", upgrade: "hansa-stream" }]) {
    const asked = plainRequest({ socketPath, path: "/v1/nodes/host2/status", headers }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    assert.deepEqual([response.statusCode, response.headers["retry-after"]], [429, "1"]);
  }
});

test("a node that names nobody fit is refused, and never answered as a node", async () => {
  const node = await world.leaf("host2", "node");
  const asNode = encodeCaller({ name: "x", role: "node", from: "y", serial: undefined });
  for (const claim of ["%%%", "e30", asNode]) {
    const answer = await world.ask(1, node, "/v1/status", { headers: { [CALLER_HEADER]: claim } });
    assert.equal(answer.status, 401, claim);
  }
});

test("what a node passed on is passed on no further", async () => {
  const node = await world.leaf("host2", "node");
  const headers = {
    [CALLER_HEADER]: encodeCaller({ name: "a", role: "admin", from: "b", serial: undefined }),
  };
  for (const more of [{}, { headers }]) {
    const answer = await world.ask(1, node, "/v1/nodes/host2/status", more);
    assert.equal(answer.status, 404);
    assert.match(answer.text, /passed on no further/);
    assert.equal((await world.ask(1, node, "/v1/nodes/1/status", more)).status, 200);
  }
});

test("events come through, and end on the other node when the reader goes away", async () => {
  const end = new AbortController();
  const seen: string[] = [];
  for await (const { targets } of one.client("host2").watchStatus(end.signal)) {
    seen.push(targets.join());
    if (seen.length === 1) await two.client().connect(["host7"], true);
    else end.abort();
  }
  assert.deepEqual(seen.slice(1), ["host7"]);
  while (two.node.watching > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a wait on the other node ends when the one who waits goes away", async () => {
  two.node.setReady(false);
  const end = new AbortController();
  const waiting = one.client("host2").prime(end.signal);
  while (two.node.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  end.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  while (two.node.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a node that is held dead is not asked, and who waits for one that comes to be held so is told", async () => {
  two.node.setReady(false);
  const waiting = one.client("host2").prime();
  const watching = one.client("host2").watchStatus(new AbortController().signal);
  const events = watching[Symbol.asyncIterator]();
  await events.next();
  while (two.node.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  world.known.set(2, { name: "host2", port: world.known.get(2)?.port ?? 0, state: "dead" });
  one.peers.changed();
  const words = /node 2 \(host2\) cannot be asked: .*; not heard for 2m10s/;
  await assert.rejects(waiting, code("NODE_UNREACHABLE", words));
  await assert.rejects(events.next(), code("NODE_UNREACHABLE", words));
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", words));
  world.known.set(2, { name: "host2", port: world.known.get(2)?.port ?? 0, state: "alive" });
  assert.equal((await one.client("host2").status()).node.id, 2);
});

test("a revoked certificate is refused by the node that is asked and by the one that is meant, whichever knows it; what it has open there ends", async () => {
  const [ada, eve] = [await world.leaf("ada", "admin"), await world.leaf("eve", "admin")];
  assert.equal((await world.ask(1, ada, "/v1/nodes/host2/version")).status, 200);
  two.node.setReady(false);
  const waiting = world.ask(1, ada, "/v1/nodes/host2/prime");
  const other = world.ask(1, eve, "/v1/nodes/host2/prime");
  while (two.node.waiting < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  two.book.revoke({ name: "ada" }, "local");
  assert.match((await waiting).text, /NODE_UNREACHABLE|ada was revoked/);
  const refused = await world.ask(1, ada, "/v1/nodes/host2/version");
  assert.equal(refused.status, 401);
  assert.match(refused.text, /ada was revoked/);
  assert.equal((await world.ask(1, ada, "/v1/version")).status, 200);
  const far = world.ask(1, eve, "/v1/nodes/host2/prime");
  while (two.node.waiting < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const ended = [other, far].map((each) => assert.rejects(each, /hang up|ECONNRESET/));
  one.book.revoke({ name: "eve" }, "local");
  await Promise.all(ended);
  assert.match((await world.ask(1, eve, "/v1/nodes/host2/version")).text, /eve was revoked/);
});

test("a node that goes away in the middle is said so at once", async () => {
  two.node.setReady(false);
  const waiting = one.client("host2").prime();
  const watching = one.client("host2").watchStatus(new AbortController().signal);
  const events = watching[Symbol.asyncIterator]();
  await events.next();
  while (two.node.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const ends = Promise.all([
    assert.rejects(waiting, code("NODE_UNREACHABLE", /host2/)),
    assert.rejects(events.next(), code("NODE_UNREACHABLE", /host2/)),
  ]);
  await two.plane.close();
  await ends;
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", /ECONNREFUSED/));
});

test("another node under that address, and a stranger's authority, are not asked", async () => {
  const three = await world.member(3);
  world.known.set(2, { name: "host2", port: world.known.get(3)?.port ?? 0, state: "alive" });
  two.peers.changed();
  await assert.rejects(
    one.client("host2").status(),
    code("NODE_UNREACHABLE", /the node host3 answers there, not host2/),
  );
  assert.equal(three.node.waiting, 0);
  const authority = await createAuthority(randomBytes(32), "test");
  const other = await authority.mint({ names: [], name: "host2", addresses: [], role: "node" });
  const port = await world.served(
    createTls({ key: other.privateKey, cert: other.certificate }, (socket) => socket.end()),
  );
  world.known.set(2, { name: "host2", port, state: "alive" });
  await assert.rejects(
    one.client("host2").status(),
    code("NODE_UNREACHABLE", /self-signed|verify/),
  );
});

test("a person's certificate passes for no node", async () => {
  const ada = await world.leaf("host2", "admin");
  const port = await world.served(
    createTls({ key: ada.privateKey, cert: ada.certificate }, (socket) => socket.end()),
  );
  world.known.set(2, { name: "host2", port, state: "alive" });
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", /purpose|no node/));
});

test("a port that says nothing ends within its deadline", async () => {
  const port = await world.served(createTcp());
  world.known.set(2, { name: "host2", port, state: "alive" });
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", /no answer within/));
});

test("a connection leaves HTTP through both nodes, and a refusal to do so comes back whole", async () => {
  const node = await world.leaf("host2", "node");
  const far = createServer();
  far.on("upgrade", (asked, socket) => {
    const told = asked.headers[CALLER_HEADER] === undefined ? "nobody" : "somebody";
    socket.write(
      `HTTP/1.1 101 Yes\r\nconnection: Upgrade\r\nupgrade: hansa-stream\r\nx-told: ${told}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  const tls = createTls(
    { key: node.privateKey, cert: node.certificate, ca: node.ca, requestCert: true },
    (socket) => far.emit("connection", socket),
  );
  world.known.set(2, { name: "host2", port: await world.served(tls), state: "alive" });
  const asked = plainRequest({
    ...{ socketPath: one.socket, path: "/v1/nodes/host2/echo", method: "POST" },
    headers: { connection: "Upgrade", upgrade: "hansa-stream" },
  }).end();
  const [answer, socket] = await once(asked, "upgrade");
  assert.equal(answer.headers["x-told"], "somebody");
  const big = randomBytes(3_000_000);
  const chunks: Buffer[] = [];
  let bytes = 0;
  socket.write(big);
  for await (const chunk of socket) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= big.length) break;
  }
  assert.ok(Buffer.concat(chunks).equals(big));
  const refused = plainRequest({
    ...{ socketPath: one.socket, path: "/v1/nodes/host9/echo", method: "POST" },
    headers: { connection: "Upgrade", upgrade: "hansa-stream" },
  }).end();
  const [no] = await once(refused, "response");
  assert.equal(no.statusCode, 404);
});
