import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type ServerResponse,
} from "node:http";
import { createServer as createTcp, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { createServer as createTls } from "node:tls";
import { LOCAL_CALLER } from "../api/caller.ts";
import { CALLER_HEADER, encodeCaller } from "../api/caller-header.ts";
import { createApi } from "../api/create-api.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveUnix, type UnixListener } from "../api/serve-unix.ts";
import { unixDoor } from "../client/door.ts";
import { apiClient, type NodeClient } from "../client/node-client.ts";
import { HansaError } from "../errors.ts";
import { ManualClock } from "../host/clock.ts";
import { createLogger } from "../host/logger.ts";
import { createAuthority, type Leaf } from "../identity/authority.ts";
import { AuditLog } from "./audit-log.ts";
import { CertificateBook } from "./certificate-book.ts";
import { ControlPlane } from "./control-plane.ts";
import { NodeForwarding } from "./node-forwarding.ts";
import { PeerRequests } from "./peer-requests.ts";
import type { Roster } from "./roster.ts";
import { until } from "./until.ts";

const ROOT = randomBytes(32);
let folder: string;
let one: Member;
let two: Member;
/** All that is known of the nodes, as gossip would have it. */
let known: Map<number, { name: string; port: number; state: string }>;
/** To any other node; none where there is no choice. */
let links: { theirs: string; state: "up" | "down"; inUse: boolean }[] = [];
const closers: (() => unknown)[] = [];

interface Member {
  readonly id: number;
  readonly node: FakeNode;
  readonly plane: ControlPlane;
  readonly peers: PeerRequests;
  readonly client: (node?: string) => NodeClient;
  readonly socket: string;
  readonly audit: () => Promise<string>;
  readonly book: CertificateBook;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hansa-forward-"));
  known = new Map();
  links = [];
  one = await member(1);
  two = await member(2);
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await rm(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createTcp().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function rosterWithout(self: number): Roster {
  const peers = [...known]
    .filter(([id]) => id !== self)
    .map(([id, { name, port, state }]) => ({
      member: { state, sinceMs: 0, endpoint: { ip: "127.0.0.1", port: 6783 } },
      metadata: { id, name, ports: { api: port } },
    }));
  return { peers } as unknown as Roster;
}

async function member(id: number): Promise<Member> {
  const name = `host${id}`;
  const port = await freePort();
  known.set(id, { name, port, state: "alive" });
  const logger = createLogger({ write: () => undefined });
  const node = new FakeNode();
  node.current = { ...node.current, node: { ...node.current.node, id, name } };
  const auditPath = join(folder, `audit-${id}`);
  const audit = new AuditLog(auditPath, logger);
  const peers = new PeerRequests({
    self: id,
    roster: () => rosterWithout(id),
    remembered: () => [],
    inside: () => undefined,
    roundabout: () => undefined,
    reachedAt: () => links.find(({ inUse }) => inUse)?.theirs,
    links: () => links,
    secureContext: () => plane.secureContext(),
    nowMs: () => 130_000,
  });
  const forwarding = new NodeForwarding({ self: { id, name }, peers });
  const clock = new ManualClock(Date.now());
  const book = await CertificateBook.load({
    ...{ path: join(folder, `certificates-${id}`), self: id, clock, logger },
    tell: () => undefined,
    revoked: () => {
      plane.revoked();
      clock.advance(1_000);
    },
  });
  const keys = { privateKey: "", publicKey: "" };
  const plane = new ControlPlane({
    node: {
      ...{ version: 1, id, name, cluster: "test", subnet: "10.32.0.0/12", targets: [], links: [] },
      ...{ ports: { gossip: 1, overlay: 2, api: port }, encryption: "wireguard" },
    },
    identity: {
      roots: [{ root: ROOT, since: "2026-01-01T00:00:00Z" }],
      ...{ nodeKey: keys, wireguard: keys, binding: 0 },
    },
    answers: () => node,
    routing: (callerOf) => forwarding.routing(callerOf),
    ...{ audit, logger, addresses: () => [], clock, book },
  });
  await plane.begin();
  const socket = join(folder, `${id}.sock`);
  const listener: UnixListener = await serveUnix(
    createApi(node, { audit: (entry) => audit.note(entry) }),
    { path: socket, routing: forwarding.routing(() => LOCAL_CALLER) },
  );
  closers.push(async () => {
    await listener.close();
    await plane.close();
    peers.close();
  });
  return {
    ...{ id, node, plane, peers, socket, book },
    client: (other) => apiClient(unixDoor(socket), other),
    audit: () => readFile(auditPath, "utf8").catch(() => ""),
  };
}

async function leaf(name: string, role: "viewer" | "admin" | "node"): Promise<Leaf> {
  const authority = await createAuthority(ROOT, "test");
  return authority.mint({ names: [], name, addresses: ["127.0.0.1"], role });
}

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

/** Asks node `id` over its port with a certificate. */
async function ask(
  id: number,
  by: Leaf,
  path: string,
  more: { readonly method?: string; readonly body?: unknown; readonly headers?: object } = {},
): Promise<Answer> {
  const { request } = await import("node:https");
  const { method = "GET", body, headers = {} } = more;
  const asked = request({
    ...{ host: "127.0.0.1", port: known.get(id)?.port, path, method, agent: false },
    ...{ key: by.privateKey, cert: by.certificate, ca: by.ca, headers: { ...headers } },
  });
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, text: Buffer.concat(chunks).toString() };
}

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
  const person = await leaf("ada", "admin");
  const headers = { connection: "Upgrade", upgrade: "h2c" };
  for (const node of [1, 2]) {
    const status = await ask(1, person, `/v1/nodes/${node}/status`, { headers });
    assert.equal(JSON.parse(status.text).node.id, node);
    const more = { method: "POST", body: { targets: ["host7"] }, headers };
    assert.equal((await ask(1, person, `/v1/nodes/${node}/targets`, more)).status, 200);
  }
});

test("a failure on the other node comes back as it is there", async () => {
  two.node.failure = new Error("no luck");
  await assert.rejects(one.client("host2").status(), code("INTERNAL", /no luck/));
});

test("the role is that of who asked first, and the other node's audit log names them and who passed it on", async () => {
  const [ada, root] = await Promise.all([leaf("ada", "viewer"), leaf("root", "admin")]);
  const targets = { method: "POST", body: { targets: ["host9"] } };
  const refused = await ask(1, ada, "/v1/nodes/host2/targets", targets);
  assert.equal(refused.status, 403);
  assert.match(refused.text, /connect needs the role operator, and ada is viewer/);
  assert.equal((await ask(1, root, "/v1/nodes/host2/targets", targets)).status, 200);
  assert.equal((await ask(1, ada, "/v1/nodes/host2/status")).status, 200);
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
  const ada = await leaf("ada", "viewer");
  const claim = encodeCaller({ name: "root", role: "admin", from: "unix", serial: undefined });
  const asked = { method: "POST", body: { targets: ["x"] }, headers: { [CALLER_HEADER]: claim } };
  for (const path of ["/v1/targets", "/v1/nodes/host1/targets", "/v1/nodes/host2/targets"]) {
    assert.equal((await ask(1, ada, path, asked)).status, 403, path);
  }
});

test("who asks for another node too often is told when to come back, also for a stream", async () => {
  const limited = (): never => {
    throw new HansaError("API_RATE_LIMITED", "ada asks too often: wait 1 s");
  };
  const forwarding = new NodeForwarding({ self: { id: 1, name: "host1" }, peers: one.peers });
  const socketPath = join(folder, "limited.sock");
  const routing = forwarding.routing(limited);
  const listener = await serveUnix(createApi(one.node), { path: socketPath, routing });
  closers.push(() => listener.close());
  for (const headers of [{}, { connection: "Upgrade", upgrade: "hansa-stream" }]) {
    const asked = plainRequest({ socketPath, path: "/v1/nodes/host2/status", headers }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    assert.deepEqual([response.statusCode, response.headers["retry-after"]], [429, "1"]);
  }
});

test("a node that names nobody fit is refused, and never answered as a node", async () => {
  const node = await leaf("host2", "node");
  const asNode = encodeCaller({ name: "x", role: "node", from: "y", serial: undefined });
  for (const claim of ["%%%", "e30", asNode]) {
    const answer = await ask(1, node, "/v1/status", { headers: { [CALLER_HEADER]: claim } });
    assert.equal(answer.status, 401, claim);
  }
});

test("what a node passed on is passed on no further", async () => {
  const node = await leaf("host2", "node");
  const headers = {
    [CALLER_HEADER]: encodeCaller({ name: "a", role: "admin", from: "b", serial: undefined }),
  };
  for (const more of [{}, { headers }]) {
    const answer = await ask(1, node, "/v1/nodes/host2/status", more);
    assert.equal(answer.status, 404);
    assert.match(answer.text, /passed on no further/);
    assert.equal((await ask(1, node, "/v1/nodes/1/status", more)).status, 200);
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
  known.set(2, { name: "host2", port: known.get(2)?.port ?? 0, state: "dead" });
  one.peers.changed();
  const words = /node 2 \(host2\) cannot be asked: .*; not heard for 2m10s/;
  await assert.rejects(waiting, code("NODE_UNREACHABLE", words));
  await assert.rejects(events.next(), code("NODE_UNREACHABLE", words));
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", words));
  known.set(2, { name: "host2", port: known.get(2)?.port ?? 0, state: "alive" });
  assert.equal((await one.client("host2").status()).node.id, 2);
});

test("a revoked certificate is refused by the node that is asked and by the one that is meant, whichever knows it; what it has open there ends", async () => {
  const [ada, eve] = [await leaf("ada", "admin"), await leaf("eve", "admin")];
  assert.equal((await ask(1, ada, "/v1/nodes/host2/version")).status, 200);
  two.node.setReady(false);
  const waiting = ask(1, ada, "/v1/nodes/host2/prime");
  const other = ask(1, eve, "/v1/nodes/host2/prime");
  while (two.node.waiting < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  two.book.revoke({ name: "ada" }, "local");
  assert.match((await waiting).text, /NODE_UNREACHABLE|ada was revoked/);
  const refused = await ask(1, ada, "/v1/nodes/host2/version");
  assert.equal(refused.status, 401);
  assert.match(refused.text, /ada was revoked/);
  assert.equal((await ask(1, ada, "/v1/version")).status, 200);
  const far = ask(1, eve, "/v1/nodes/host2/prime");
  while (two.node.waiting < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const ended = [other, far].map((each) => assert.rejects(each, /hang up|ECONNRESET/));
  one.book.revoke({ name: "eve" }, "local");
  await Promise.all(ended);
  assert.match((await ask(1, eve, "/v1/nodes/host2/version")).text, /eve was revoked/);
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
  const three = await member(3);
  known.set(2, { name: "host2", port: known.get(3)?.port ?? 0, state: "alive" });
  two.peers.changed();
  await assert.rejects(
    one.client("host2").status(),
    code("NODE_UNREACHABLE", /the node host3 answers there, not host2/),
  );
  assert.equal(three.node.waiting, 0);
  const authority = await createAuthority(randomBytes(32), "test");
  const other = await authority.mint({ names: [], name: "host2", addresses: [], role: "node" });
  const port = await served(
    createTls({ key: other.privateKey, cert: other.certificate }, (socket) => socket.end()),
  );
  known.set(2, { name: "host2", port, state: "alive" });
  await assert.rejects(
    one.client("host2").status(),
    code("NODE_UNREACHABLE", /self-signed|verify/),
  );
});

test("a person's certificate passes for no node", async () => {
  const ada = await leaf("host2", "admin");
  const port = await served(
    createTls({ key: ada.privateKey, cert: ada.certificate }, (socket) => socket.end()),
  );
  known.set(2, { name: "host2", port, state: "alive" });
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", /purpose|no node/));
});

test("a port that says nothing ends within its deadline", async () => {
  const port = await served(createTcp());
  known.set(2, { name: "host2", port, state: "alive" });
  await assert.rejects(one.client("host2").status(), code("NODE_UNREACHABLE", /no answer within/));
});

test("a connection leaves HTTP through both nodes, and a refusal to do so comes back whole", async () => {
  const node = await leaf("host2", "node");
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
  known.set(2, { name: "host2", port: await served(tls), state: "alive" });
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

const FIRST = "127.0.0.1";
const SECOND = "127.0.0.2";

/** Answers to what came for this address of node 2, in its place; what is asked there is written down. */
async function onTwoLinks(
  answer: (at: string, response: ServerResponse) => void,
): Promise<string[]> {
  const node = await leaf("host2", "node");
  const asked: string[] = [];
  const far = createServer((request, response) => {
    const at = `${request.socket.localAddress}`;
    asked.push(at);
    answer(at, response);
  });
  const tls = createTls(
    { key: node.privateKey, cert: node.certificate, ca: node.ca, requestCert: true },
    (socket) => far.emit("connection", socket),
  );
  const port = await served(tls, "0.0.0.0");
  known.set(2, { name: "host2", port, state: "alive" });
  use(FIRST, "up");
  return asked;
}

/** This link is used; the other one is in that state. */
function use(address: string, other: "up" | "down"): void {
  links = [FIRST, SECOND].map((theirs) => {
    const inUse = theirs === address;
    return { theirs, inUse, state: inUse ? "up" : other };
  });
}

async function getByOne(): Promise<string> {
  const asked = plainRequest({ socketPath: one.socket, path: "/v1/nodes/host2/echo" }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  return text;
}

test("what was asked over a link that was cut is asked again over the one that is used now", async () => {
  let isCut = false;
  const asked = await onTwoLinks((at, response) => {
    if (at === SECOND || !isCut) response.end(at);
  });
  assert.equal(await getByOne(), FIRST);
  isCut = true;
  // One on the connection that was kept, one on a new one.
  const waiting = [getByOne(), getByOne()];
  await until(() => asked.length === 3);
  use(SECOND, "down");
  one.peers.moved([2]);
  assert.deepEqual(await Promise.all(waiting), [SECOND, SECOND]);
});

test("what is under way on a link that is left and works comes to its end there, and the next goes over the other", async () => {
  const held: (() => void)[] = [];
  const asked = await onTwoLinks((at, response) => {
    if (asked.length === 1 || at === SECOND) response.end(at);
    else held.push(() => response.end(at));
  });
  assert.equal(await getByOne(), FIRST);
  const waiting = getByOne();
  await until(() => held.length === 1);
  use(SECOND, "up");
  one.peers.moved([2]);
  assert.equal(await getByOne(), SECOND);
  for (const end of held) end();
  assert.equal(await waiting, FIRST);
});

test("events go on over the link that is used now", async () => {
  await onTwoLinks((at, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: "${at}"\n\n`);
  });
  const [node] = one.peers.nodes();
  assert.ok(node);
  const end = new AbortController();
  const events = one.peers.events(node, "/v1/echo", end.signal, () => undefined);
  assert.equal((await events.next()).value, FIRST);
  for (const [address, other] of [
    [SECOND, "down"],
    [FIRST, "up"],
  ] as const) {
    use(address, other);
    one.peers.moved([2]);
    assert.equal((await events.next()).value, address);
  }
  end.abort();
  assert.equal((await events.next()).done, true);
});

test("a connection that lasts is told when it goes over another link than the one that is used", () => {
  const [node] = one.peers.nodes();
  assert.ok(node);
  const told: string[] = [];
  for (const remoteAddress of [FIRST, SECOND, "10.32.0.2"])
    one.peers.hold(node, () => told.push(remoteAddress), { remoteAddress });
  one.peers.hold(node, () => told.push("without"));
  use(SECOND, "up");
  one.peers.moved([2]);
  assert.deepEqual(told, [FIRST]);
});

async function served(server: Server, address = "127.0.0.1"): Promise<number> {
  const open = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => open.add(socket));
  server.listen(0, address);
  await once(server, "listening");
  closers.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}
