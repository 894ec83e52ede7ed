import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { isHansaError } from "../errors.ts";
import { Gossip, StreamError } from "./gossip.ts";
import {
  eventually,
  KEY,
  type Node,
  RecordingDelegate,
  startNode,
  view,
} from "./recording-delegate.ts";

test("five nodes that only know the first find each other, with metadata and states", async () => {
  await using stack = new AsyncDisposableStack();
  const nodes: Node[] = [];
  for (let id = 1; id <= 5; id++) nodes.push(stack.use(await startNode(`n${id}`)));
  const [first] = nodes as [Node, ...Node[]];
  for (const node of nodes.slice(1)) {
    const result = await node.gossip.join(first.at);
    assert.ok(result.ok, JSON.stringify(result));
  }
  const all = "n1 alive, n2 alive, n3 alive, n4 alive, n5 alive";
  await eventually("all see all", () => nodes.every((node) => view(node) === all));
  const [, second] = nodes as [Node, Node];
  const third = second.gossip.member("n3");
  assert.equal(Buffer.from(third?.meta ?? []).toString(), "meta of n3");
  assert.equal(third?.endpoint.ip, "127.0.0.1");
  assert.ok(second.delegate.merged.includes("join state of n1"));
  assert.ok(first.delegate.merged.includes("join state of n5"));
  assert.equal(first.delegate.synchronised.length >= 4, true);
  assert.deepEqual(first.delegate.incarnations, [1]);
});

test("eight nodes that join at the same moment, each over another, agree", async () => {
  await using stack = new AsyncDisposableStack();
  const nodes: Node[] = [];
  for (let id = 1; id <= 8; id++) {
    const ip = `127.0.0.${id + 1}`;
    const options = { bind: { ip, port: 0 }, advertise: { ip, port: 0 } };
    nodes.push(stack.use(await startNode(`n${id}`, options)));
  }
  const results = await Promise.all(
    nodes.map((node, index) => node.gossip.join(nodes[(index + 1) % 8]?.at ?? node.at)),
  );
  assert.ok(
    results.every((result) => result.ok),
    JSON.stringify(results),
  );
  await eventually("all see all alive", () =>
    nodes.every((node) => view(node).split(" alive").length === 9),
  );
});

test("an incarnation is written down before it is sent, also when a delegate calls back", async () => {
  class Restless extends RecordingDelegate {
    node: Gossip | undefined;
    override memberEvent(): void {
      const at = this.node?.member("r")?.endpoint;
      const meta = Buffer.from(`after ${this.incarnations.length}`);
      if (at !== undefined && this.incarnations.length < 5) this.node?.announce(meta, at);
    }
  }
  const delegate = new Restless();
  await using restless = await startNode("r", { delegate, incarnation: 7 });
  delegate.node = restless.gossip;
  await using other = await startNode("o");
  assert.ok((await restless.gossip.join(other.at)).ok);
  await eventually("the last announcement", () => {
    const seen = other.gossip.member("r");
    return seen?.incarnation === delegate.incarnations.at(-1) && seen?.incarnation !== 8;
  });
  assert.deepEqual(
    delegate.incarnations,
    delegate.incarnations.map((_, index) => 8 + index),
  );
});

test("a state too large for a stream is an answer, not a crash", async () => {
  await using a = await startNode("a");
  await using b = await startNode("b");
  a.delegate.state = "x".repeat(11 * 1024 * 1024);
  const ours = await a.gossip.join(b.at);
  assert.ok(
    !ours.ok && ours.reason === "protocol" && /above/.test(ours.message),
    ours.ok ? "" : ours.message,
  );
  const theirs = await b.gossip.join(a.at);
  assert.ok(!theirs.ok && /the other side says: a pushPull of/.test(theirs.message));
});

test("a node that vanishes is held dead, one that leaves is held left", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b, c, d] = [
    stack.use(await startNode("a")),
    stack.use(await startNode("b")),
    stack.use(await startNode("c")),
    stack.use(await startNode("d")),
  ] as const;
  for (const node of [b, c, d]) assert.ok((await node.gossip.join(a.at)).ok);
  await eventually("all four alive", () =>
    [a, b, c, d].every((node) => view(node) === "a alive, b alive, c alive, d alive"),
  );
  await d.gossip.leave(2_000);
  await d.gossip.close();
  await c.gossip.close();
  await eventually("c dead and d left", () =>
    [a, b].every((node) => view(node) === "a alive, b alive, c dead, d left"),
  );
  assert.ok(a.delegate.events.includes("suspect c"));
});

test("broadcasts reach everybody, packets and streams the one meant", async () => {
  await using stack = new AsyncDisposableStack();
  const [a, b, c] = [
    stack.use(await startNode("a")),
    stack.use(await startNode("b")),
    stack.use(await startNode("c")),
  ] as const;
  assert.ok((await b.gossip.join(a.at)).ok);
  assert.ok((await c.gossip.join(a.at)).ok);
  await eventually("three alive", () => view(b) === "a alive, b alive, c alive");
  a.gossip.broadcast("row", Buffer.from("hello all"));
  await eventually("broadcast everywhere", () =>
    [b, c].every((node) => node.delegate.users.includes("packet hello all")),
  );
  a.gossip.sendPacket(b.at, new Uint8Array(9000));
  await eventually("a large packet", () => b.delegate.users.includes("packet 9000"));
  await a.gossip.sendStream(c.at, new Uint8Array(3_000_000));
  assert.ok(c.delegate.users.includes("stream 3000000"));
  assert.ok(!b.delegate.users.includes("stream 3000000"));
  assert.throws(() => a.gossip.broadcast("big", new Uint8Array(1400)), RangeError);
  assert.throws(() => a.gossip.sendPacket(b.at, new Uint8Array(9001)), RangeError);
  b.gossip.announce(Buffer.from("new"), { ip: "127.0.0.1", port: b.at.port });
  await eventually(
    "the new metadata",
    () => Buffer.from(c.gossip.member("b")?.meta ?? []).toString() === "new",
  );
});

test("another key or label changes nothing, and both sides are told", async () => {
  await using a = await startNode("a");
  await using otherKey = await startNode("k", { keys: [Buffer.alloc(32, 2)] });
  await using otherLabel = await startNode("l", { label: "other" });
  await using noLabel = await startNode("m", { label: "" });
  for (const stranger of [otherKey, otherLabel, noLabel]) {
    const result = await stranger.gossip.join(a.at);
    assert.deepEqual(result, {
      ok: false,
      reason: "authentication",
      message: "authentication failed or other cluster",
    });
    await assert.rejects(
      stranger.gossip.sendStream(a.at, Buffer.from("x")),
      /authentication failed or other cluster/,
    );
    stranger.gossip.sendPacket(a.at, Buffer.from("x"));
  }
  await eventually("nine rejections", () => a.delegate.rejections.length === 9);
  assert.deepEqual(a.delegate.rejections.toSorted(), [
    ...Array(3).fill("authentication"),
    ...Array(6).fill("label"),
  ]);
  assert.equal(view(a), "a alive");
  assert.deepEqual(a.delegate.users, []);
  assert.equal(a.gossip.counters()["rejectedAuthentication"], 3);
});

test("keys can be rolled one node after the other", async () => {
  const NEW = Buffer.alloc(32, 9);
  await using a = await startNode("a");
  await using b = await startNode("b");
  assert.ok((await b.gossip.join(a.at)).ok);
  a.gossip.setKeys([KEY, NEW]);
  b.gossip.setKeys([NEW, KEY]);
  assert.ok((await b.gossip.join(a.at)).ok);
  a.gossip.setKeys([NEW]);
  assert.ok((await a.gossip.join(b.at)).ok);
});

test("a join that cannot be is told apart: refused, unanswered, closed, other protocol, cancelled", async () => {
  await using a = await startNode("a");
  const gone = await startNode("gone");
  await gone.gossip.close();
  const refused = await a.gossip.join(gone.at);
  assert.ok(!refused.ok && refused.reason === "refused", JSON.stringify(refused));

  await using web = await serve((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const protocol = await a.gossip.join(web.at);
  assert.ok(!protocol.ok && protocol.reason === "protocol", JSON.stringify(protocol));

  await using rude = await serve((socket) => socket.resetAndDestroy());
  const closed = await a.gossip.join(rude.at);
  assert.ok(!closed.ok && closed.reason === "closed", JSON.stringify(closed));

  await using mute = await serve(() => undefined);
  const cancelled = await a.gossip.join(mute.at, AbortSignal.timeout(50));
  assert.ok(!cancelled.ok && cancelled.message === "cancelled", JSON.stringify(cancelled));

  const name = await a.gossip.join({ ip: "host1", port: 1 });
  assert.ok(!name.ok && name.reason === "unreachable", JSON.stringify(name));

  const pending = a.gossip.join(mute.at);
  await a.gossip.close();
  assert.deepEqual(await pending, { ok: false, reason: "closed", message: "hansa is stopping" });
});

test("a port in use is named with its protocol", async () => {
  await using a = await startNode("a");
  await assert.rejects(startNode("b", { bind: a.at }), (error) => {
    assert.ok(isHansaError(error, "PORT_TAKEN"));
    assert.match(error.message, new RegExp(`^port ${a.at.port}/udp on 127.0.0.1 is taken`));
    return true;
  });
  await using web = await serve(() => undefined);
  await assert.rejects(startNode("b", { bind: web.at }), /\d+\/tcp on 127.0.0.1 is taken/);
  // Both sockets of the failed attempts are free again.
  await using c = await startNode("c");
  await a.gossip.close();
  await using again = await startNode("a", { bind: a.at });
  assert.ok((await again.gossip.join(c.at)).ok);
});

test("keys, names and metadata that cannot be are refused before anything is open", async () => {
  const base = { bind: { ip: "127.0.0.1", port: 0 }, advertise: { ip: "127.0.0.1", port: 0 } };
  const rest = { label: "", incarnation: 0, delegate: new RecordingDelegate() };
  const start = (keys: Uint8Array[], meta: Uint8Array) =>
    Gossip.start({ name: "a", keys, meta, ...base, ...rest });
  await assert.rejects(start([], new Uint8Array(0)), RangeError);
  await assert.rejects(start([new Uint8Array(5)], new Uint8Array(0)), RangeError);
  await assert.rejects(start([KEY], new Uint8Array(513)), RangeError);
  await assert.rejects(startNode("a", { advertise: { ip: "host1", port: 1 } }), RangeError);
});

test("a node on the wildcard address of both families talks to IPv4", async () => {
  await using a = await startNode("a", { bind: { ip: "::", port: 0 } });
  await using b = await startNode("b", { bind: { ip: "0.0.0.0", port: 0 } });
  const result = await b.gossip.join({ ip: "127.0.0.1", port: a.gossip.port });
  assert.ok(result.ok, JSON.stringify(result));
  await eventually("both alive", () => view(a) === "a alive, b alive" && view(b) === view(a));
  await eventually("a measures b", () => a.gossip.member("b")?.rttMs !== undefined);
});

test("a stream to nobody rejects with a StreamError", async () => {
  await using a = await startNode("a");
  const gone = await startNode("gone");
  await gone.gossip.close();
  await assert.rejects(a.gossip.sendStream(gone.at, Buffer.from("x")), StreamError);
});

test("closing ends everything that keeps a process alive", async () => {
  const a = await startNode("a");
  const socket = connect(a.at.port, a.at.ip);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  await a.gossip.close();
  await a.gossip.close();
  assert.equal((await a.gossip.join(a.at)).ok, false);
  socket.destroy();
});

async function serve(onSocket: (socket: import("node:net").Socket) => void) {
  const sockets = new Set<import("node:net").Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.resume();
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    at: { ip: "127.0.0.1", port: address.port },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
