/** What the API on 1443 does with clients that take their time. Here, because certificates are nothing that `api` knows how to make. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as plainConnect } from "node:net";
import { after, before, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { closed } from "../../../test/closed.ts";
import { freePort } from "../../../test/free-port.ts";
import { createApi } from "../../api/create-api.ts";
import { FakeNode } from "../../api/fake-node.ts";
import { serveTls, type TlsListener } from "../../api/serve-tls.ts";
import { createAuthority, type Leaf } from "../../identity/authority.ts";

const PATIENCE = { headMs: 300, requestMs: 600 };
const UNSENT = { stalledMs: 1_500, maxBytes: 40_000_000 };

let listener: TlsListener;
let leaf: Leaf;
let port: number;
const node = new FakeNode();
/** Why connections were refused or cut. */
const refusals: string[] = [];

before(async () => {
  const root = createHash("sha256").update("a root").digest();
  const authority = await createAuthority(root, "test");
  leaf = await authority.mint({ names: ["localhost"], name: "host1", addresses: [], role: "node" });
  port = await freePort();
  listener = await serveTls(createApi(node), {
    port,
    secureContext: async () => ({ key: leaf.privateKey, cert: leaf.certificate, ca: leaf.ca }),
    refused: (_from, why) => refusals.push(why),
    patience: PATIENCE,
    unsent: UNSENT,
    // So slowly that on no machine a token comes back while a test still needs that there is none.
    connecting: { burst: 60, perSecond: 0.2 },
  });
});
after(() => listener.close());

async function opened(): Promise<TLSSocket> {
  const socket = connect({
    ...{ host: "localhost", port, ca: leaf.ca, key: leaf.privateKey, cert: leaf.certificate },
  });
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  return socket;
}

/** All that comes until the other side ends, while `then` goes out again and again without an end; "" for never. */
async function told(socket: TLSSocket, first: string, then: string): Promise<string> {
  const over = closed(socket);
  socket.write(first);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  const dripping = then === "" ? undefined : setInterval(() => socket.write(then), 50);
  try {
    await over;
  } finally {
    clearInterval(dripping);
  }
  return text;
}

const HALF_A_HEAD = "GET /v1/version HTTP/1.1\r\nhost: a\r\n";
const NO_BODY = "POST /v1/targets HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n";

test("a client whose head or body does not come is told, and cut off", async () => {
  for (const first of [HALF_A_HEAD, NO_BODY]) {
    assert.match(await told(await opened(), first, ""), /^HTTP\/1\.1 408 /);
  }
});

test("one that sends its head or its body without end is cut off", async () => {
  for (const [first, then] of [
    [HALF_A_HEAD, "x: y\r\n"],
    [NO_BODY, "{"],
  ] as const) {
    // The answer may be lost with what was still sent.
    assert.match(await told(await opened(), first, then), /^(HTTP\/1\.1 408 |$)/);
  }
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

/** A status of so many bytes at least. */
function setStatus(bytes: number): void {
  node.set({ ...node.current, targets: Array(Math.ceil(bytes / 1_000)).fill("x".repeat(1_000)) });
}

test("a reader of a large answer that takes nothing is cut, and one that takes a little at a time gets all", async () => {
  setStatus(16_000_000);
  const [stuck, slow] = [await opened(), await opened()];
  const asked = "GET /v1/status HTTP/1.0\r\nhost: a\r\n\r\n";
  for (const socket of [stuck, slow]) socket.on("error", () => undefined).write(asked);
  stuck.pause();
  const began = performance.now();
  let bytes = 0;
  slow.on("data", (chunk) => {
    bytes += chunk.length;
    // 4 MB a second, which takes longer in all than one may stall; a slow machine makes no pauses.
    const aheadMs = began + bytes / 4_000 - performance.now();
    if (aheadMs <= 0) return;
    slow.pause();
    setTimeout(() => slow.resume(), aheadMs);
  });
  const ended = once(slow, "end", { signal: AbortSignal.timeout(120_000) });
  const watched = listenerSawCut(/did not read for 1.5 s/);
  await Promise.all([ended, watched]);
  assert.ok(bytes > 16_000_000, `${bytes}`);
  await closed(stuck);
});

test("a watcher that reads nothing is cut, and costs the others nothing", async () => {
  setStatus(4_000_000);
  const [stuck, other] = [await opened(), await opened()];
  for (const socket of [stuck, other]) {
    socket.on("error", () => undefined);
    socket.write("GET /v1/status/watch HTTP/1.1\r\nhost: a\r\n\r\n");
  }
  stuck.pause();
  let bytes = 0;
  other.on("data", (chunk) => {
    bytes += chunk.length;
  });
  const watched = listenerSawCut(/did not read/);
  for (let change = 1; change <= 4; change++) {
    const before = bytes;
    setStatus(4_000_000 + change);
    while (bytes < before + 4_000_000) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await watched;
  while (node.watching > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  other.destroy();
  stuck.destroy();
});

test("where more waits for all readers than may, those with the most are cut first", async () => {
  setStatus(30_000_000);
  const large = [await opened(), await opened()];
  for (const socket of large) {
    socket.on("error", () => undefined).write("GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n");
    socket.pause();
  }
  await listenerSawCut(/too much/);
  setStatus(100);
  const small = await opened();
  small.write("GET /v1/version HTTP/1.0\r\nhost: a\r\n\r\n");
  const [chunk] = await once(small, "data");
  assert.match(String(chunk), /200 OK/);
  for (const socket of large) socket.destroy();
});

test("who connects and says nothing is cut off, and counts as one who fails", async () => {
  const silent = plainConnect(port, "localhost");
  const cut = listenerSawCut(/^said nothing$/);
  await closed(silent);
  await cut;
});

test("who connects too often waits, and who fails waits longer", async () => {
  const strangers = Array.from({ length: 80 }, () =>
    connect({ host: "localhost", port, rejectUnauthorized: false }),
  );
  const gone = (socket: TLSSocket): Promise<unknown> =>
    new Promise((resolve) =>
      socket
        .on("error", () => undefined)
        .once("close", resolve)
        .resume(),
    );
  await Promise.all(strangers.map(gone));
  assert.ok(refusals.includes("connects too often"));
  const again = connect({ host: "localhost", port, rejectUnauthorized: false });
  await assert.rejects(once(again, "secureConnect"));
  again.on("error", () => undefined);
  await until(async () => {
    const socket = await opened().catch(() => undefined);
    socket?.destroy();
    return socket !== undefined;
  });
});

async function listenerSawCut(why: RegExp): Promise<void> {
  const from = refusals.length;
  await until(async () => refusals.slice(from).some((text) => why.test(text)));
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, "not within a minute");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
