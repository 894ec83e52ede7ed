import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Caller } from "../../api/caller.ts";
import { LOCAL_CALLER } from "../../api/caller.ts";
import { type AuditEntry, createApi } from "../../api/create-api.ts";
import { FakeNode } from "../../api/fake-node.ts";
import { Gate } from "../../api/gate.ts";
import { serveUnix } from "../../api/serve-unix.ts";
import { StreamServer } from "../../api/stream-server.ts";
import { askContainer } from "../../client/container-answers.ts";
import { isProcessTable } from "../../client/container-check.ts";
import { type NodeClient, nodeClient } from "../../client/node-client.ts";
import { FakeEngine } from "../../docker/fake-engine.ts";
import { isHansaError } from "../../errors.ts";
import { INITIAL_WINDOW } from "../../streams/stream-frame.ts";
import { until } from "../timing/until.ts";
import { ContainerFinder } from "./container-finder.ts";
import { ReachIn } from "./reach-in.ts";

const HOST1 = { id: 1, name: "host1" };

interface World {
  readonly engine: FakeEngine;
  readonly client: NodeClient;
  readonly path: string;
  readonly audited: AuditEntry[];
  caller: Caller;
  /** As on 1443. */
  readonly gate: Gate;
  /** Names of those whose certificates are called back. */
  readonly revoked: Set<string>;
}

const PLACES = 70;

/** A daemon's streams on a unix socket, with a fake Docker that runs `web` on the network and `own` outside of it. */
async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "hansa-reach-"));
  const engine = new FakeEngine();
  const network = { driver: "bridge", ipamDriver: "default", options: {}, labels: {} };
  await engine.createNetwork({ ...network, name: "hansa", subnet: "10.32.0.0/12", gateway: "" });
  const service = { "com.docker.compose.service": "shop" };
  engine.createContainer({ name: "web", network: "hansa", labels: service });
  engine.createContainer({ name: "own" });
  await engine.startContainer("web");
  await engine.startContainer("own");
  const path = join(folder, "s");
  const audited: AuditEntry[] = [];
  const revoked = new Set<string>();
  const gate = new Gate(({ name }) => (revoked.has(name) ? `${name} was revoked` : undefined));
  const world: World = {
    ...{ engine, path, audited, client: nodeClient(path), caller: LOCAL_CALLER },
    ...{ gate, revoked },
  };
  const finder = new ContainerFinder({
    ...{ self: HOST1, engine, nodes: () => [HOST1] },
    running: () => [],
    all: async () => [],
  });
  const streams = new StreamServer({
    reach: new ReachIn(engine, finder, 20),
    callerOf: () => world.caller,
    admit: (caller, { socket }) => gate.admit(caller, socket),
    places: PLACES,
    audit: (entry) => audited.push(entry),
    onDefect: (error) => assert.fail(error as Error),
    passOn: () => assert.fail("there is no other node"),
  });
  const listener = await serveUnix(createApi(new FakeNode()), { path, streams });
  try {
    await work(world);
  } finally {
    await listener.close();
    await rm(folder, { recursive: true });
  }
}

function exec(client: NodeClient, container: string, ...command: string[]) {
  const path = `/v1/containers/${encodeURIComponent(container)}/exec`;
  return client.stream({ method: "POST", path, open: { command, stdin: true } });
}

async function text(source: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("a command's outputs come apart, and its exit status last", async () => {
  await withWorld(async ({ client, audited }) => {
    const stream = await exec(client, "web", "sh", "-c", "echo out; echo bad >&2; exit 3");
    const outputs = [text(stream.bytes("stdout")), text(stream.bytes("stderr"))];
    assert.deepEqual(await Promise.all(outputs), ["out\n", "bad\n"]);
    assert.equal(await stream.outcome, 3);
    assert.equal(stream.facts?.container, "host1/web");
    const [entry, ...more] = audited;
    assert.deepEqual(more, []);
    assert.deepEqual(
      [entry?.operation, entry?.container, entry?.result, entry?.caller.name],
      ["exec", "host1/web", "ok", "local"],
    );
    assert.doesNotMatch(JSON.stringify(audited), /echo|bad/);
  });
});

test("input goes in whole, also far more of it than the windows hold", async () => {
  await withWorld(async ({ client }) => {
    const stream = await exec(client, "shop", "cat");
    const sent = Buffer.alloc(5 * INITIAL_WINDOW, "0123456789");
    const writing = stream.send("stdin", sent).then(() => stream.end("stdin"));
    assert.equal(await text(stream.bytes("stdout")), sent.toString());
    await writing;
    assert.equal(await stream.outcome, 0);
  });
});

test("a client that takes nothing keeps its place while the command runs, and not for long after its end", async () => {
  await withWorld(async ({ client, engine }) => {
    const stream = await exec(client, "shop", "cat");
    void stream.send("stdin", Buffer.alloc(2 * INITIAL_WINDOW)).catch(() => undefined);
    await until(() => engine.inside.lookedAt > 5);
    let isOver = false;
    const over = assert
      .rejects(stream.outcome, (error) => isHansaError(error, "STREAM_LOST"))
      .finally(() => {
        isOver = true;
      });
    await until(() => engine.inside.lookedAt > 10);
    assert.equal(isOver, false);
    stream.end("stdin");
    await over;
  });
});

test("a program that is not there ends with 127, as in a shell", async () => {
  await withWorld(async ({ client }) => {
    const stream = await exec(client, "web", "nosuch");
    assert.match(await text(stream.bytes("stdout")), /executable file not found/);
    assert.equal(await stream.outcome, 127);
  });
});

test("the terminal's first size and each later one reach the command", async () => {
  await withWorld(async ({ client, engine }) => {
    const stream = await client.stream({
      method: "POST",
      path: "/v1/containers/web/exec",
      open: { command: ["cat"], tty: true, stdin: true, size: { rows: 10, columns: 20 } },
    });
    await until(() => engine.inside.sizes.length === 1);
    stream.resize(30, 40);
    await until(() => engine.inside.sizes.length === 2);
    assert.deepEqual(engine.inside.sizes, [
      { rows: 10, columns: 20 },
      { rows: 30, columns: 40 },
    ]);
    stream.end("stdin");
    assert.equal(await stream.outcome, 0);
  });
});

test("who may not is refused before anything is done, and that is in the audit log", async () => {
  await withWorld(async (world) => {
    world.caller = { name: "ada", role: "viewer", from: "192.0.2.1", serial: "01" };
    const refused = (code: Parameters<typeof isHansaError>[1]) => (error: unknown) =>
      isHansaError(error, code);
    await assert.rejects(exec(world.client, "web", "true"), refused("API_ROLE_MISSING"));
    const top = (options: string) =>
      askContainer(world.client, "web", "top", { arguments: options }, isProcessTable);
    await top("");
    // "e" makes ps show environments.
    await assert.rejects(top("auxe"), refused("API_ROLE_MISSING"));
    world.caller = { ...world.caller, role: "operator" };
    await assert.rejects(exec(world.client, "own", "true"), refused("CONTAINER_OUTSIDE"));
    await assert.rejects(exec(world.client, "none", "true"), refused("CONTAINER_NOT_FOUND"));
    await assert.rejects(exec(world.client, "host9/web", "true"), refused("NODE_NOT_FOUND"));
    world.caller = { ...world.caller, role: "admin" };
    assert.equal(await (await exec(world.client, "host1/own", "pwd")).outcome, 0);
    assert.deepEqual(
      world.audited.map(({ container, result }) => [container, result]),
      [
        ["web", "API_ROLE_MISSING"],
        ["own", "CONTAINER_OUTSIDE"],
        ["none", "CONTAINER_NOT_FOUND"],
        ["host9/web", "NODE_NOT_FOUND"],
        ["host1/own", "ok"],
      ],
    );
  });
});

/** Follows the log of `web`. */
function follow({ client }: World) {
  return client.stream({
    ...{ method: "GET", path: "/v1/containers/web/logs", open: { follow: true } },
  });
}

test("who is called back loses its open streams, and is refused new ones, which the audit log tells", async () => {
  await withWorld(async (world) => {
    world.caller = { name: "ada", role: "operator", from: "192.0.2.1", serial: "01" };
    const [log, command] = [await follow(world), await exec(world.client, "web", "cat")];
    world.caller = { ...world.caller, name: "bert", serial: "02" };
    const kept = await follow(world);
    await until(async () => world.audited.length === 1);
    world.revoked.add("ada");
    assert.equal(world.gate.sweep(), 2);
    for (const stream of [log, command]) {
      await assert.rejects(stream.outcome, (error) => isHansaError(error, "STREAM_LOST"));
    }
    world.caller = { ...world.caller, name: "ada", serial: "01" };
    await assert.rejects(
      exec(world.client, "web", "true"),
      (error) => isHansaError(error, "API_CERTIFICATE_REFUSED") && /ada was/.test(error.message),
    );
    assert.deepEqual(
      world.audited.map(({ caller: { name }, result }) => [name, result]),
      [
        ["ada", "ok"],
        ["ada", "API_CERTIFICATE_REFUSED"],
      ],
    );
    kept.close();
  });
});

test("one certificate leaves streams to others, and has a place again when one of its own is over", async () => {
  await withWorld(async (world) => {
    world.caller = { name: "ada", role: "viewer", from: "192.0.2.1", serial: "01" };
    const own = [];
    for (let index = 0; index < (PLACES * 4) / 5; index += 1) own.push(await follow(world));
    await assert.rejects(
      follow(world),
      (error) =>
        isHansaError(error, "STREAMS_MANY") &&
        /serves 56 streams already, 56 of them with the same certificate/.test(error.message),
    );
    world.caller = { ...world.caller, name: "bert", serial: "02" };
    for (let index = 0; index < 12; index += 1) await follow(world);
    await assert.rejects(follow(world), (error) => isHansaError(error, "STREAMS_MANY"));
    world.caller = { ...world.caller, name: "ada", serial: "01" };
    for (const stream of own.splice(0, 20)) stream.close();
    await until(async () => {
      const stream = await follow(world).catch(() => undefined);
      return stream !== undefined;
    });
  });
});

test("what is asked is checked, and a stopped container is Docker's refusal", async () => {
  await withWorld(async ({ client, engine }) => {
    const wrong = await client.stream({
      method: "POST",
      path: "/v1/containers/web/exec",
      open: { command: [], more: 1 },
    });
    await assert.rejects(wrong.outcome, (error) => isHansaError(error, "USAGE"));
    engine.stopContainer("web");
    const stopped = await exec(client, "web", "true");
    await assert.rejects(
      stopped.outcome,
      (error) => isHansaError(error, "DOCKER_REFUSED") && /is not running/.test(error.message),
    );
  });
});

test("another Upgrade is not ours and answered as if it had not been asked for", async () => {
  await withWorld(async ({ path }) => {
    const socket = connect(path);
    socket.end(
      "GET /v1/version HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, close\r\nupgrade: h2c\r\n\r\n",
    );
    assert.match(await text(socket as AsyncIterable<Buffer>), /^HTTP\/1\.1 200 /);
  });
});

test("fifty readers of a log who do not read hold up Docker after a window each, and one who reads on gets all of it", async () => {
  await withWorld(async ({ client, engine }) => {
    const lines = 2_000;
    for (let line = 0; line < lines; line += 1) {
      engine.inside.say("web", "stdout", `${line} ${"x".repeat(1_000)}\n`);
    }
    const path = "/v1/containers/web/logs";
    const open = () => client.stream({ method: "GET", path, open: { follow: true } });
    const readers = await Promise.all(Array.from({ length: 50 }, open));
    let before = -1;
    await until(async () => {
      const isStill = before === engine.inside.given && before > 0;
      before = engine.inside.given;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return isStill;
    });
    const most = Math.ceil(INITIAL_WINDOW / 1_000) + 2;
    assert.ok(before >= 50 && before <= 50 * most, `${before} messages`);
    const [first, ...others] = readers;
    let got = 0;
    for await (const _message of first?.bytes("stdout") ?? []) {
      got += 1;
      if (got === lines) break;
    }
    assert.equal(got, lines);
    assert.ok(engine.inside.given <= before + lines);
    for (const reader of [first, ...others]) reader?.close();
  });
});
