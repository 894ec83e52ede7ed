import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Node, startNode } from "../../gossip/recording-delegate.ts";
import { Dialer, type TargetView } from "../../membership/dialer.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import { formatEndpoint } from "../../values/endpoint.ts";
import { until } from "../timing/until.ts";
import { DialLoop } from "./dial-loop.ts";

const OWN = "127.0.0.11";

const nodeAt = (name: string, ip: string, key?: Uint8Array): Promise<Node> =>
  startNode(name, {
    bind: { ip, port: 0 },
    advertise: { ip, port: 0 },
    ...(key && { keys: [key] }),
  });

/** The dialling node with its dialer, fed by its members as the membership loop does. */
class Stage implements AsyncDisposable {
  readonly node: Node;
  readonly dialer: Dialer;
  readonly loop: DialLoop;
  readonly ended: (Endpoint | undefined)[] = [];
  readonly own = new Set([OWN]);

  private constructor(node: Node) {
    this.node = node;
    this.dialer = new Dialer(
      { defaultPort: node.gossip.port, random: () => 0.5 },
      performance.now(),
    );
    this.loop = new DialLoop({
      dialer: this.dialer,
      gossip: node.gossip,
      ownAddresses: () => this.own,
      ownPort: node.gossip.port,
      changed: (contacted) => {
        this.ended.push(contacted);
        this.tellMembers();
      },
    });
  }

  static async make(): Promise<Stage> {
    return new Stage(await nodeAt("1-00000001", OWN));
  }

  tellMembers(): void {
    const others = this.node.gossip.members().filter(({ name }) => name !== "1-00000001");
    this.dialer.setMembers(others, performance.now(), Date.now());
  }

  /** Dials one target and gives its view when that ended. */
  async dial(target: string): Promise<TargetView> {
    const before = this.ended.length;
    this.dialer.connect([target], performance.now());
    this.loop.kick();
    await until(() => this.ended.length > before);
    return this.dialer.targets().find((view) => view.target === target) ?? assert.fail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.loop.close();
    await this.node.gossip.close();
  }
}

/** Takes connections and says nothing. */
class Listener implements AsyncDisposable {
  readonly sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    // Unread bytes would hide the end.
    socket.resume();
    socket.on("close", () => this.sockets.delete(socket));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.12", resolve));
    const address = this.#server.address();
    assert.ok(address !== null && typeof address === "object");
    return `127.0.0.12:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

test("a target that answers is satisfied by the member that answered", async () => {
  await using stage = await Stage.make();
  await using there = await nodeAt("2-00000002", "127.0.0.12");
  const view = await stage.dial(formatEndpoint(there.at));
  assert.deepEqual([view.state, view.member, view.error], ["satisfied", "2-00000002", undefined]);
  assert.deepEqual(stage.ended, [there.at]);
});

test("who answers is known also at an address that it does not announce", async () => {
  await using stage = await Stage.make();
  await using there = await startNode("2-00000002", {
    bind: { ip: "0.0.0.0", port: 0 },
    advertise: { ip: "127.0.0.12", port: 0 },
  });
  const view = await stage.dial(`127.0.0.13:${there.gossip.port}`);
  assert.equal(view.member, "2-00000002");
});

test("ourselves are not dialled, by address or by name, and never tried again", async () => {
  await using stage = await Stage.make();
  for (const target of [OWN, formatEndpoint({ ip: OWN, port: stage.node.gossip.port })]) {
    const { state, error, retryAtMs } = await stage.dial(target);
    assert.deepEqual([state, error, retryAtMs], ["failed", "cannot connect to ourself", undefined]);
  }
  stage.own.add("127.0.0.1");
  assert.equal((await stage.dial("localhost")).state, "failed");
  assert.equal(stage.node.gossip.counters()["streamsOut"] ?? 0, 0);
});

test("another port of our own address is somebody else's", async () => {
  await using stage = await Stage.make();
  await using there = await nodeAt("2-00000002", OWN);
  assert.equal((await stage.dial(formatEndpoint(there.at))).state, "satisfied");
});

test("a port where nobody listens is refused, with the ports to open, and tried again", async () => {
  await using stage = await Stage.make();
  const listener = new Listener();
  const at = await listener.listen();
  await listener[Symbol.asyncDispose]();
  const view = await stage.dial(at);
  const port = at.split(":")[1];
  assert.equal(
    view.error,
    `connection refused at ${at}/tcp: no node runs there, or a firewall refuses (open ${port}/tcp and udp)`,
  );
  assert.equal(view.state, "retrying");
  assert.ok((view.retryAtMs ?? 0) > performance.now());
});

test("a name that stands for nothing says so and is tried again", async () => {
  await using stage = await Stage.make();
  const view = await stage.dial("no-such-host.invalid");
  assert.equal(view.error, "the name no-such-host.invalid cannot be resolved");
  assert.deepEqual([view.state, typeof view.retryAtMs], ["retrying", "number"]);
});

test("a node of another token is told as that", async () => {
  await using stage = await Stage.make();
  await using there = await nodeAt("2-00000002", "127.0.0.12", Buffer.alloc(32, 7));
  const view = await stage.dial(formatEndpoint(there.at));
  assert.equal(view.error, "authentication failed or other cluster");
  assert.equal(view.state, "retrying");
});

test("a target that failed is dialled again by itself and found once it is there", async () => {
  await using stage = await Stage.make();
  const listener = new Listener();
  const at = await listener.listen();
  await listener[Symbol.asyncDispose]();
  assert.equal((await stage.dial(at)).state, "retrying");
  const port = Number(at.split(":")[1]);
  await using _there = await startNode("2-00000002", {
    bind: { ip: "127.0.0.12", port },
    advertise: { ip: "127.0.0.12", port },
  });
  await until(() => stage.dialer.targets()[0]?.state === "satisfied");
});

test("closed in the middle of a dial, it ends the connection and reports nothing", async () => {
  await using stage = await Stage.make();
  await using listener = new Listener();
  const at = await listener.listen();
  stage.dialer.connect([at], performance.now());
  stage.loop.kick();
  await until(() => listener.sockets.size === 1);
  stage.loop.close();
  await until(() => listener.sockets.size === 0);
  await delay(20);
  stage.loop.kick();
  assert.deepEqual(stage.ended, []);
});
