/** What is passed on between nodes with two networks: over the link that is used now. */
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type ServerResponse,
} from "node:http";
import { afterEach, beforeEach, test } from "node:test";
import { createServer as createTls } from "node:tls";
import { until } from "../timing/until.ts";
import { ForwardingWorld, type Member } from "./forwarding-world.ts";

let world: ForwardingWorld;
let one: Member;

beforeEach(async () => {
  world = await ForwardingWorld.open();
  one = await world.member(1);
  await world.member(2);
});
afterEach(() => world[Symbol.asyncDispose]());

const FIRST = "127.0.0.1";
const SECOND = "127.0.0.2";

/** Answers to what came for this address of node 2, in its place; what is asked there is written down. */
async function onTwoLinks(
  answer: (at: string, response: ServerResponse) => void,
): Promise<string[]> {
  const node = await world.leaf("host2", "node");
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
  const port = await world.served(tls, "0.0.0.0");
  world.known.set(2, { name: "host2", port, state: "alive" });
  use(FIRST, "up");
  return asked;
}

/** This link is used; the other one is in that state. */
function use(address: string, other: "up" | "down"): void {
  world.links = [FIRST, SECOND].map((theirs) => {
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
