import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { type SecureContextOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import fc from "fast-check";
import { closed } from "../../test/closed.ts";
import { fairNow } from "../../test/fair-time.ts";
import type { NodeId } from "../values/node-id.ts";
import { encodeFrame, type RelayFrame } from "./relay-frame.ts";
import { RelayStreams } from "./relay-streams.ts";
import { RELAY_PROTOCOL, relayTls } from "./relay-tls.ts";

const root = new Uint8Array(32).fill(7);
const keyOf = (id: NodeId): string => `${id}`.padStart(8, "0");

class TestNode {
  readonly id: NodeId;
  readonly frames: [RelayFrame, NodeId][] = [];
  /** How often a stream came or went. */
  changes = 0;
  readonly streams: RelayStreams;
  readonly ports = new Map<NodeId, number>();

  constructor(id: NodeId, roots: readonly Uint8Array[] = [root]) {
    this.id = id;
    this.streams = new RelayStreams({
      id,
      fingerprint: keyOf(id),
      at: { ip: "127.0.0.1", port: 0 },
      tls: () => relayTls(roots),
      isMember: (peer, fingerprint) => peer <= 4 && fingerprint === keyOf(peer),
      addresses: (peer) => {
        const port = this.ports.get(peer);
        return port === undefined ? [] : [{ ip: "127.0.0.1", port }];
      },
      isInside: () => false,
      frame: (frame, from) =>
        this.frames.push([
          frame.type === "data" ? { ...frame, datagram: Buffer.from(frame.datagram) } : frame,
          from,
        ]),
      changed: () => {
        this.changes++;
      },
      problem: (error) => assert.equal(error, undefined),
    });
  }
}

async function until(what: string, condition: () => boolean, deadlineMs = 30_000): Promise<void> {
  for (const end = performance.now() + deadlineMs; !condition(); ) {
    assert.ok(performance.now() < end, `${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let server: TestNode;
let tls: SecureContextOptions;
before(async () => {
  server = new TestNode(1);
  tls = await relayTls([root]);
  await until("listening", () => server.streams.port > 0);
});
after(() => server.streams.close());

function dialTls(different: object = {}): TLSSocket {
  return tlsConnect({
    host: "127.0.0.1",
    port: server.streams.port,
    ...tls,
    ALPNProtocols: [RELAY_PROTOCOL],
    checkServerIdentity: () => undefined,
    ...different,
  });
}

test("a stream is made when one side wants it, and carries frames both ways", async () => {
  const client = new TestNode(2);
  try {
    client.ports.set(1, server.streams.port);
    client.streams.want(new Set([1]));
    await until("streams", () => server.streams.open.has(2) && client.streams.open.has(1));
    const data: RelayFrame = { type: "data", from: 2, to: 1, datagram: Buffer.alloc(60_000, 5) };
    const say: RelayFrame = { type: "say", from: 1, to: 2, directOk: true, back: false };
    client.streams.send(1, data);
    server.streams.send(2, say);
    const isNews = ([frame]: [RelayFrame, NodeId]) => frame.type !== "alive";
    await until("frames", () => server.frames.some(isNews) && client.frames.some(isNews));
    assert.deepEqual(server.frames.filter(isNews), [[data, 2]]);
    assert.deepEqual(client.frames.filter(isNews), [[say, 1]]);
  } finally {
    await client.streams.close();
  }
  await until("the server notices", () => !server.streams.open.has(2));
});

/** A way to the server that counts the connections that came by it and have ended: what did not begin until then never will. */
class CountingDoor {
  turnedAway = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      const inner = connect(server.streams.port, "127.0.0.1");
      for (const [one, other] of [
        [socket, inner],
        [inner, socket],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => one.destroy());
        one.on("close", () => other.destroy());
        one.pipe(other);
      }
      socket.on("close", () => this.turnedAway++);
    });
  }

  static async open(): Promise<CountingDoor> {
    const door = new CountingDoor();
    await new Promise<void>((resolve) => door.#server.listen(0, "127.0.0.1", resolve));
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

test("nodes of another cluster, strangers and impostors get no stream", async () => {
  const foreign = new TestNode(2, [new Uint8Array(32).fill(8)]);
  const stranger = new TestNode(9);
  // Node 4 is dialled, and 1 answers there.
  const lost = new TestNode(3);
  const callers = [
    { node: foreign, dials: 1 },
    { node: stranger, dials: 1 },
    { node: lost, dials: 4 },
  ];
  const before = server.changes;
  try {
    for (const { node, dials } of callers) {
      await using door = await CountingDoor.open();
      node.ports.set(dials, door.port);
      node.streams.want(new Set([dials]));
      await until("a refusal", () => door.turnedAway > 0);
      assert.equal(node.changes, 0, `a stream was open at node ${node.id}`);
      // Node 3 is a member: only it can know that it meant another.
      if (node !== lost) assert.equal(server.changes, before, `a stream of node ${node.id}`);
    }
  } finally {
    for (const { node } of callers) await node.streams.close();
  }
  await until("nothing stays", () => server.streams.open.size === 0);
});

test("a rekey half way: who has old and new root speaks with who has only one", async () => {
  const both = new TestNode(2, [new Uint8Array(32).fill(8), root]);
  try {
    await using door = await CountingDoor.open();
    both.ports.set(1, door.port);
    both.streams.want(new Set([1]));
    // Its certificate is the new root's, which node 1 does not know.
    await until("a refusal", () => door.turnedAway > 0);
    assert.ok(!server.streams.open.has(2) && both.changes === 0);
    const third = new TestNode(3, [root, new Uint8Array(32).fill(8)]);
    try {
      await until("listening", () => third.streams.port > 0);
      both.ports.set(3, third.streams.port);
      both.streams.want(new Set([3]));
      await until("a stream", () => third.streams.open.has(2));
    } finally {
      await third.streams.close();
    }
  } finally {
    await both.streams.close();
  }
});

test("without TLS, without a certificate, with TLS 1.2 or another protocol the connection is closed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 400 }), async (bytes) => {
      const socket = connect(server.streams.port, "127.0.0.1");
      socket.on("error", () => socket.destroy());
      // A first byte that begins a record of TLS makes the server wait for all of it.
      socket.end(Uint8Array.of(0x47, ...bytes));
      await closed(socket);
    }),
    { numRuns: 20 },
  );
  await closed(dialTls({ cert: undefined, key: undefined }));
  await closed(dialTls({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }));
  await closed(dialTls({ ALPNProtocols: ["http/1.1"] }));
  const mute = dialTls({ ALPNProtocols: undefined });
  mute.write(encodeFrame({ type: "hello", id: 2, fingerprint: keyOf(2) }));
  await closed(mute);
  assert.deepEqual([...server.streams.open], []);
});

test("a member that sends nonsense after its name loses its stream, and nothing else happens", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 3, maxLength: 500 }), async (bytes) => {
      const socket = dialTls();
      const gone = closed(socket);
      socket.write(encodeFrame({ type: "hello", id: 2, fingerprint: keyOf(2) }));
      socket.write(Buffer.from(bytes));
      // A frame without a body, which there is not.
      socket.end(Buffer.alloc(70_000));
      await gone;
    }),
    { numRuns: 20 },
  );
  await until("streams are gone", () => server.streams.open.size === 0);
});

test("strangers that say nothing are cut off after five seconds, and many of them keep no member out", async () => {
  const { port } = server.streams;
  const sockets = Array.from({ length: 40 }, () => connect({ port, host: "127.0.0.1" }));
  const [began, fairBegan] = [performance.now(), fairNow()];
  const gone = Promise.all(sockets.map(closed));
  await Promise.all(
    sockets.map((socket) => new Promise<unknown>((resolve) => socket.once("connect", resolve))),
  );
  const client = new TestNode(2);
  try {
    client.ports.set(1, port);
    client.streams.want(new Set([1]));
    await until("a stream", () => server.streams.open.has(2));
    assert.ok(
      sockets.some(({ closed }) => !closed),
      "it had to wait until the strangers were gone",
    );
    await gone;
    const took = performance.now() - began;
    const fairTook = fairNow() - fairBegan;
    assert.ok(took > 4_000 && fairTook < 8_000, `${took} ms, of a machine at rest ${fairTook}`);
    assert.ok(server.streams.open.has(2));
  } finally {
    await client.streams.close();
  }
});

test("certificates that could not be made once are made for the next stream", async () => {
  const problems: unknown[] = [];
  let tries = 0;
  const client = new RelayStreams({
    id: 2,
    fingerprint: keyOf(2),
    at: { ip: "127.0.0.1", port: 0 },
    tls: async () => {
      tries++;
      if (tries === 1) throw new Error("no memory");
      return relayTls([root]);
    },
    isMember: (peer) => peer === 1,
    addresses: () => [{ ip: "127.0.0.1", port: server.streams.port }],
    isInside: () => false,
    frame: () => undefined,
    changed: () => undefined,
    problem: (error) => problems.push(error),
  });
  try {
    client.want(new Set([1]));
    await until("a stream", () => client.open.has(1));
    assert.equal(tries, 2);
    assert.ok(problems.some((error) => error instanceof Error));
    assert.equal(problems.at(-1), undefined, "what is mended is a problem no more");
  } finally {
    await client.close();
  }
});
