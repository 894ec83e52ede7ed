import assert from "node:assert/strict";
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { request } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as connectTls, TLSSocket } from "node:tls";
import { closed } from "../../../test/closed.ts";
import { freePort } from "../../../test/free-port.ts";
import { FakeNode } from "../../api/fake-node.ts";
import { ManualClock } from "../../host/clock.ts";
import { createLogger } from "../../host/logger.ts";
import { type Authority, createAuthority, fromNow, type Leaf } from "../../identity/authority.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import type { Role } from "../../values/role.ts";
import { CertificateBook } from "../membership/certificate-book.ts";
import { AuditLog } from "./audit-log.ts";
import { ControlPlane } from "./control-plane.ts";

const ROOT = createHash("sha256").update("the cluster's root").digest();
const DAY_MS = 86_400_000;

interface Served {
  readonly plane: ControlPlane;
  readonly node: FakeNode;
  readonly port: number;
  readonly clock: ManualClock;
  readonly logged: string[];
  readonly auditPath: string;
  readonly book: CertificateBook;
  addresses: string[];
}

let served: Served;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "hansa-api-"));
  const clock = new ManualClock(Date.now());
  const logged: string[] = [];
  const logger = createLogger({ write: (line) => logged.push(line) });
  const node = new FakeNode();
  const port = await freePort();
  const auditPath = join(folder, "audit.log");
  const book = await CertificateBook.load({
    ...{ path: join(folder, "certificates.json"), self: 1, clock, logger },
    tell: () => undefined,
    revoked: () => served.plane.revoked(),
  });
  const state = { node, port, clock, logged, auditPath, book, addresses: ["192.0.2.1"] };
  const plane = planeOf(port, {
    answers: () => node,
    audit: new AuditLog(auditPath, logger, () => clock.wallMs()),
    book,
    addresses: () => state.addresses,
    clock,
    logger,
  });
  served = Object.assign(state, { plane });
  await plane.begin();
});
after(async () => {
  await served.plane.close();
  await rm(folder, { recursive: true });
});

function planeOf(
  api: number,
  parts: Omit<ConstructorParameters<typeof ControlPlane>[0], "node" | "identity">,
  node: Partial<NodeFile> = {},
): ControlPlane {
  const keys = { privateKey: "", publicKey: "" };
  return new ControlPlane({
    node: {
      ...{ version: 1, id: 1, name: "host1", cluster: "test", subnet: "10.32.0.0/12", targets: [] },
      ...{ links: [], ports: { gossip: 1, overlay: 2, api }, encryption: "wireguard" },
      ...node,
    },
    identity: {
      roots: [{ root: ROOT, since: "2026-01-01T00:00:00Z" }],
      ...{ nodeKey: keys, wireguard: keys, binding: 0 },
    },
    ...parts,
  });
}

function authority(
  root: Uint8Array = ROOT,
  nowMs = () => served.clock.wallMs(),
): Promise<Authority> {
  return createAuthority(root, "test", fromNow(nowMs));
}

async function leaf(role?: Role, of?: Promise<Authority>): Promise<Leaf> {
  const by = await (of ?? authority());
  return by.mint({ names: [], name: "ada", addresses: [], ...(role && { role }) });
}

interface Answer {
  readonly status: number | undefined;
  readonly body: { readonly error?: { readonly code: string; readonly message: string } };
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly body?: unknown;
  readonly host?: string;
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
}

async function ask(by: Leaf | undefined, asked: Asked = {}): Promise<Answer> {
  const { method = "GET", path = "/v1/version", body, host = "127.0.0.1", maxVersion } = asked;
  const { certificate: ca } = await authority();
  const client = request({
    ...{ host, port: served.port, method, path, ca, agent: false },
    ...(by && { key: by.privateKey, cert: by.certificate }),
    ...(maxVersion && { maxVersion }),
  });
  client.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(client, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
}

test("a certificate of the cluster with a role is served, by TLS 1.2 and 1.3, over IPv4 and IPv6", async () => {
  const viewer = await leaf("viewer");
  for (const asked of [
    {},
    { maxVersion: "TLSv1.2" },
    { host: "::1" },
    { host: "localhost" },
  ] as const) {
    assert.equal((await ask(viewer, asked)).status, 200, JSON.stringify(asked));
  }
});

test("nobody is served without one, or with one of another cluster or without a role", async () => {
  const none = await ask(undefined);
  assert.equal(none.status, 401);
  assert.match(none.body.error?.message ?? "", /none was shown/);
  const strangers = authority(randomBytes(32));
  const stranger = await ask(await leaf("admin", strangers));
  assert.deepEqual([stranger.status, stranger.body.error?.code], [401, "API_CERTIFICATE_REFUSED"]);
  const roleless = await ask(await leaf());
  assert.deepEqual([roleless.status, roleless.body.error?.code], [401, "API_CERTIFICATE_REFUSED"]);
  assert.match(served.logged.join(""), /refused/);
});

test("a node that was started for a domain shows that name and localhost, its addresses and the ones given, and no other", async () => {
  const port = await freePort();
  const { clock, logged } = served;
  const logger = createLogger({ write: (line) => logged.push(line) });
  const plane = planeOf(
    port,
    {
      ...{ answers: () => served.node, audit: new AuditLog(served.auditPath, logger) },
      ...{ addresses: () => ["192.0.2.1"], book: served.book, clock, logger },
    },
    { domain: "node-1.example.org", certificateAddresses: ["203.0.113.7"] },
  );
  await plane.begin();
  try {
    const { certificate: ca } = await authority();
    const socket = connectTls({ host: "127.0.0.1", port, ca, servername: "node-1.example.org" });
    await once(socket, "secureConnect");
    assert.equal(
      socket.getPeerCertificate().subjectaltname,
      "DNS:node-1.example.org, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:192.0.2.1, IP Address:203.0.113.7",
    );
    assert.equal(socket.getPeerCertificate().subject.CN, "host1");
    socket.destroy();
    const other = connectTls({ host: "127.0.0.1", port, ca, servername: "host1" });
    const [error] = await once(other, "error");
    assert.match(`${error}`, /does not match certificate's altnames/);
  } finally {
    await plane.close();
  }
});

test("who connects first is shown the certificate that the node has told of, as join-info does", async () => {
  const port = await freePort();
  const { clock, logged } = served;
  const logger = createLogger({ write: (line) => logged.push(line) });
  const plane = planeOf(port, {
    ...{ answers: () => served.node, audit: new AuditLog(served.auditPath, logger) },
    ...{ addresses: () => ["192.0.2.1"], book: served.book, clock, logger },
  });
  await plane.begin();
  try {
    const { cert } = await plane.secureContext();
    const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    assert.equal(fingerprint256, new X509Certificate(`${cert}`).fingerprint256);
  } finally {
    await plane.close();
  }
});

test("an expired certificate is refused, and says that it has expired", async () => {
  const old = authority(ROOT, () => Date.now() - 400 * DAY_MS);
  const { status, body } = await ask(await leaf("admin", old));
  assert.equal(status, 401);
  assert.match(body.error?.message ?? "", /EXPIRED/);
});

test("a connection that outlasts its certificate is served no more, and what it has open ends", async () => {
  const port = await freePort();
  const clock = new ManualClock(Date.now());
  const logger = createLogger({ write: () => undefined });
  const plane = planeOf(port, {
    ...{ answers: () => served.node, audit: new AuditLog(served.auditPath, logger) },
    ...{ addresses: () => [], book: served.book, clock, logger },
  });
  await plane.begin();
  // They end half an hour before the plane looks after those who are connected.
  const by = await createAuthority(
    ROOT,
    "test",
    fromNow(() => clock.wallMs() + DAY_MS / 48),
  );
  const opened = async (role: Role): Promise<{ socket: TLSSocket; ask: () => Promise<string> }> => {
    const {
      ca,
      certificate: cert,
      privateKey: key,
    } = await by.mint({ names: [], name: "eve", addresses: [], role, days: 1 });
    const socket = connectTls({ ...{ port, host: "127.0.0.1", ca, key, cert } });
    await once(socket, "secureConnect");
    const ask = async (): Promise<string> => {
      socket.write("GET /v1/version HTTP/1.1\r\nhost: a\r\n\r\n");
      return String((await once(socket, "data"))[0]);
    };
    return { socket, ask };
  };
  try {
    const [person, other, node] = [
      await opened("admin"),
      await opened("admin"),
      await opened("node"),
    ];
    for (const { ask: again } of [person, other, node]) assert.match(await again(), /200 OK/);
    clock.advance(DAY_MS + DAY_MS / 48 + 60_000);
    assert.match(await person.ask(), /401 .*the certificate of eve ended at /s);
    const over = closed(other.socket);
    clock.advance(DAY_MS / 48);
    await over;
    assert.match(await node.ask(), /200 OK/);
  } finally {
    await plane.close();
  }
});

test("plain HTTP is told that this is TLS, and TLS 1.1 ends in the handshake", async () => {
  const plain = connect(served.port, "127.0.0.1");
  plain.write("GET /v1/version HTTP/1.1\r\nhost: a\r\n\r\n");
  const chunks: Buffer[] = [];
  for await (const chunk of plain) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  assert.match(text, /^HTTP\/1\.1 400 /);
  assert.match(text, /"API_TLS_REQUIRED"/);
  const old = connectTls({
    ...{ port: served.port, host: "127.0.0.1", rejectUnauthorized: false },
    ...{ minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
  });
  const [error] = await once(old, "error");
  assert.match(String(error), /version|handshake|alert/i);
});

test("a viewer changes nothing, an operator connects, and only an admin takes over", async () => {
  const [viewer, operator, admin] = await Promise.all([
    leaf("viewer"),
    leaf("operator"),
    leaf("admin"),
  ]);
  const targets = { method: "POST", path: "/v1/targets", body: { targets: ["host7"] } };
  const takeOver = {
    method: "POST",
    path: "/v1/ipam/take-over",
    body: { node: "host9", confirmed: true },
  };
  const before = JSON.stringify(await served.node.status());
  const refused = await ask(viewer, targets);
  assert.deepEqual([refused.status, refused.body.error?.code], [403, "API_ROLE_MISSING"]);
  assert.equal(
    refused.body.error?.message,
    "connecting to a host needs the role operator, and ada is viewer",
  );
  assert.equal(JSON.stringify(await served.node.status()), before);
  assert.equal((await ask(operator, targets)).status, 200);
  assert.equal((await ask(operator, takeOver)).status, 403);
  assert.notEqual((await ask(admin, takeOver)).status, 403);
  const lines = (await readFile(served.auditPath, "utf8")).trim().split("\n");
  const noted = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    noted.slice(0, 3).map(({ who, role, operation, result }) => [who, role, operation, result]),
    [
      ["ada", "viewer", "connect", "API_ROLE_MISSING"],
      ["ada", "operator", "connect", "ok"],
      ["ada", "operator", "takeOver", "API_ROLE_MISSING"],
    ],
  );
  assert.match(noted[0].serial, /^[0-9a-f]{32}$/);
  assert.equal((await stat(served.auditPath)).mode & 0o777, 0o600);
});

test("a revoked certificate is refused by name of the revocation, what it has open ends, and others stay", async () => {
  const by = await authority();
  const leafOf = (name: string): Promise<Leaf> =>
    by.mint({
      ...{ names: [], name, addresses: [], role: "admin" },
      serial: served.book.serialFor(name),
    });
  const [mallory, friend] = [await leafOf("mallory"), await leafOf("friend")];
  const watch = async (as: Leaf, request: string) => {
    const socket = connectTls({
      ...{ port: served.port, host: "127.0.0.1", ca: as.ca },
      ...{ key: as.privateKey, cert: as.certificate },
    });
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");
    socket.write(request);
    await once(socket, "data");
    return socket;
  };
  const stream = "GET /v1/status/watch HTTP/1.1\r\nhost: a\r\n\r\n";
  const idle = "GET /v1/version HTTP/1.1\r\nhost: a\r\n\r\n";
  const ended = [await watch(mallory, stream), await watch(mallory, idle)];
  const kept = [await watch(friend, stream), await watch(friend, idle)];
  const over = Promise.all(ended.map(closed));
  served.book.revoke({ name: "mallory" }, "local");
  const refused = await ask(mallory);
  assert.equal(refused.status, 401);
  assert.equal(refused.body.error?.code, "API_CERTIFICATE_REFUSED");
  assert.match(refused.body.error?.message ?? "", /mallory was revoked at .* by local$/);
  for (const path of ["/healthz", "/v1/openapi.json", "/v1/certificates"]) {
    assert.equal((await ask(mallory, { path })).status, 401, path);
  }
  served.clock.advance(1_000);
  await over;
  assert.deepEqual(
    kept.map((socket) => socket.destroyed),
    [false, false],
  );
  for (const socket of kept) socket.destroy();
  assert.equal((await ask(friend)).status, 200);
  assert.equal((await ask(await leafOf("mallory"))).status, 200);
});

test("a certificate that is issued is written down with who asked for it", async () => {
  const request = { name: "bob", role: "viewer" as const, days: 2 };
  const made = await served.plane.issue(request, "ada");
  const [known] = served.book.list().certificates.filter(({ name }) => name === "bob");
  assert.deepEqual([known?.role, known?.madeBy, known?.node], ["viewer", "ada", 1]);
  assert.equal((await ask({ ...made })).status, 200);
  served.book.revoke({ serial: known?.serial }, "local");
  assert.equal((await ask({ ...made })).status, 401);
});

test("the certificate names the node, loopback and its addresses, also those that come later, and half a year on it is another", async () => {
  interface Shown {
    readonly names: string;
    readonly serial: string;
    readonly until: string;
  }
  const viewer = await leaf("viewer");
  const shown = async (): Promise<Shown> => {
    const socket = connectTls({
      ...{ port: served.port, host: "127.0.0.1", rejectUnauthorized: false },
      ...{ key: viewer.privateKey, cert: viewer.certificate },
    });
    await once(socket, "secureConnect");
    assert.ok(socket instanceof TLSSocket);
    const { subjectaltname = "", serialNumber, valid_to: until } = socket.getPeerCertificate();
    socket.destroy();
    return { names: subjectaltname, serial: serialNumber, until };
  };
  const first = await shown();
  assert.match(first.names, /DNS:host1/);
  assert.match(first.names, /IP Address:192\.0\.2\.1/);
  served.addresses = ["192.0.2.2"];
  served.plane.changed();
  const changed = async (than: string): Promise<Shown> => {
    for (let tries = 0; tries < 200; tries++) {
      const now = await shown();
      if (now.serial !== than) return now;
    }
    throw new Error("the certificate stays the same");
  };
  const second = await changed(first.serial);
  assert.match(second.names, /192\.0\.2\.2/);
  served.clock.advance(181 * DAY_MS);
  const third = await changed(second.serial);
  assert.ok(Date.parse(third.until) - Date.parse(second.until) > 179 * DAY_MS);
});

test("512 connections of one address that show nothing are enough", async () => {
  const sockets = Array.from({ length: 620 }, () => connect(served.port, "127.0.0.1"));
  for (const socket of sockets) socket.on("error", () => undefined);
  const closed = new Set<number>();
  for (const [index, socket] of sockets.entries()) socket.once("close", () => closed.add(index));
  while (closed.size < 620 - 512) await new Promise(setImmediate);
  assert.ok(closed.size < 620);
  for (const socket of sockets) socket.destroy();
});

test("a port that is taken is a problem and no failure, and is served once it is free", async () => {
  const blocker = createServer().listen(0);
  await once(blocker, "listening");
  const { port } = blocker.address() as { port: number };
  const clock = new ManualClock(Date.now());
  const logger = createLogger({ write: () => undefined });
  const plane = planeOf(port, {
    answers: () => new FakeNode(),
    audit: new AuditLog(join(folder, "other.log"), logger),
    book: served.book,
    addresses: () => [],
    clock,
    logger,
  });
  await plane.begin();
  assert.match(plane.problem ?? "", /^PORT_TAKEN: port \d+\/tcp is held by another program/);
  await new Promise((resolve) => blocker.close(resolve));
  clock.advance(10_000);
  while (plane.problem !== undefined) await new Promise(setImmediate);
  await plane.close();
});
