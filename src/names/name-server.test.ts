/** Real sockets on loopback: what is served, who is answered, and what happens to streams that misbehave. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { closed } from "../../test/closed.ts";
import { NameServer } from "./name-server.ts";
import type { QueryVia } from "./responder.ts";

const ADDRESS = "127.0.0.99";

/** Two ports that are free now. */
async function freePorts(): Promise<[number, number]> {
  const sockets = [createSocket("udp4"), createSocket("udp4")] as const;
  const ports = await Promise.all(
    sockets.map(async (socket) => {
      socket.bind(0, ADDRESS);
      await once(socket, "listening");
      return socket.address().port;
    }),
  );
  for (const socket of sockets) socket.close();
  return [ports[0] ?? 0, ports[1] ?? 0];
}

class Stage implements Disposable {
  readonly asked: [string, QueryVia][] = [];
  inside = true;
  readonly server: NameServer;
  #changed = Promise.withResolvers<void>();

  constructor([port, divertedPort]: readonly [number, number]) {
    this.server = new NameServer({
      address: ADDRESS,
      port,
      divertedPort,
      respond: (query, via) => {
        const text = Buffer.from(query).toString();
        this.asked.push([text, via]);
        if (text === "flood") return Buffer.alloc(60_000);
        return text === "silence" ? undefined : Buffer.from(`${text}!`);
      },
      isInside: () => this.inside,
      changed: () => {
        this.#changed.resolve();
        this.#changed = Promise.withResolvers<void>();
      },
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise;
  }

  [Symbol.dispose](): void {
    this.server.close();
  }
}

async function client(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

async function answerOf(socket: Socket): Promise<string> {
  const [bytes] = await once(socket, "message");
  return bytes.toString();
}

test("queries are answered over UDP, TCP and the port of diverted ones, and who is outside gets nothing", async () => {
  const ports = await freePorts();
  using stage = new Stage(ports);
  await stage.until(() => stage.server.isServing);
  const socket = await client();
  socket.send("one", ports[0], ADDRESS);
  assert.equal(await answerOf(socket), "one!");
  socket.send("two", ports[1], ADDRESS);
  assert.equal(await answerOf(socket), "two!");
  const stream = connect(ports[0], ADDRESS);
  // Two queries in one write, the second in two.
  stream.write(Buffer.from("\0\u0003abc\0\u0003d"));
  await once(stream, "data");
  stream.write(Buffer.from("ef"));
  const [second] = await once(stream, "data");
  assert.equal(second.toString(), "\0\u0004def!");
  stream.destroy();
  stage.inside = false;
  socket.send("outside", ports[0], ADDRESS);
  socket.send("diverted", ports[1], ADDRESS);
  assert.equal(await answerOf(socket), "diverted!");
  const refused = connect(ports[0], ADDRESS);
  await closed(refused);
  socket.close();
  assert.deepEqual(stage.asked, [
    ["one", "udp"],
    ["two", "diverted"],
    ["abc", "tcp"],
    ["def", "tcp"],
    ["diverted", "diverted"],
  ]);
});

test("a stream with a query too long, or one that has no answer, is ended", async () => {
  const ports = await freePorts();
  using stage = new Stage(ports);
  await stage.until(() => stage.server.isServing);
  for (const bytes of [Buffer.from([0xff, 0xff, 1]), Buffer.from("\0\u0007silence")]) {
    const stream = connect(ports[0], ADDRESS);
    stream.on("error", () => undefined);
    stream.write(bytes);
    await closed(stream);
  }
});

test("a port that another program has is named, costs only itself, and is taken when it is free", async () => {
  const ports = await freePorts();
  const other = createServer().listen(ports[0], ADDRESS);
  await once(other, "listening");
  using stage = new Stage(ports);
  await stage.until(() => stage.server.taken.length > 0);
  assert.deepEqual(stage.server.taken, [`${ports[0]}/tcp`]);
  const socket = await client();
  socket.send("still", ports[1], ADDRESS);
  assert.equal(await answerOf(socket), "still!");
  socket.close();
  other.close();
  await stage.until(() => stage.server.isServing);
  assert.deepEqual(stage.server.taken, []);
});

test("a query from port 0, which only a raw socket can send, is not answered and harms nobody", async () => {
  const ports = await freePorts();
  const opened: Socket[] = [];
  const note = (message: unknown) => void opened.push((message as { socket: Socket }).socket);
  subscribe("udp.socket", note);
  using stage = new Stage(ports);
  unsubscribe("udp.socket", note);
  await stage.until(() => stage.server.isServing);
  for (const socket of opened) {
    socket.emit("message", Buffer.from("raw"), { address: "127.0.0.1", port: 0 });
  }
  assert.deepEqual(stage.asked, []);
});

test("who asks by TCP and does not read the answers is not asked for more queries", async () => {
  const ports = await freePorts();
  using stage = new Stage(ports);
  await stage.until(() => stage.server.isServing);
  const stream = connect(ports[0], ADDRESS);
  stream.pause();
  const queries = 2_000;
  stream.write(Buffer.from("\0\u0005flood".repeat(queries)));
  const count = () => stage.asked.length;
  // What fits into both sockets' buffers is answered; then nothing until somebody reads.
  for (let before = -1; before < count() || count() === 0; ) {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(count() < queries / 2, `${count()} answers were made`);
  let read = 0;
  stream.on("data", (chunk: Buffer) => {
    read += chunk.length;
  });
  stream.resume();
  const all = queries * 60_002;
  while (read < all) await once(stream, "data");
  assert.equal(read, all);
  stream.destroy();
});

test("one asker has 16 streams at most, and others are served beside it", async () => {
  const ports = await freePorts();
  using stage = new Stage(ports);
  await stage.until(() => stage.server.isServing);
  const hogs = Array.from({ length: 16 }, () => connect(ports[0], ADDRESS));
  await Promise.all(hogs.map((hog) => once(hog, "connect")));
  const refused = connect(ports[0], ADDRESS);
  refused.on("error", () => undefined);
  await closed(refused);
  assert.ok(
    hogs.every(({ closed }) => !closed),
    "and not because all were idle for too long",
  );
  const other = connect({ port: ports[0], host: ADDRESS, localAddress: "127.0.0.98" });
  other.write(Buffer.from("\0\u0003abc"));
  assert.equal((await once(other, "data"))[0].toString(), "\0\u0004abc!");
  for (const stream of [...hogs, other]) stream.destroy();
});
