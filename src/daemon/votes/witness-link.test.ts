/** A node's link to a witness, both real, on loopback; in place of the etcds listeners that say who they are. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isHansaError } from "../../errors.ts";
import { systemClock } from "../../host/clock.ts";
import type { Fields } from "../../host/line-channel.ts";
import { createLogger } from "../../host/logger.ts";
import {
  createSigningKey,
  createSigningRequest,
  publicKeyHash,
} from "../../identity/signing-request.ts";
import { certifyVoter, type StoreTls, storeTls } from "../../store/store-tls.ts";
import type { WitnessRecord } from "../../store/witness-record.ts";
import { RaftProxy } from "../../witness/raft-proxy.ts";
import { TALK } from "../../witness/witness-protocol.ts";
import { WitnessServer } from "../../witness/witness-server.ts";
import { dialWitness } from "./witness-connection.ts";
import { WitnessLink } from "./witness-link.ts";

const ROOT = new Uint8Array(randomBytes(32));
const MARK = { id: "a1", generation: 3 };
/** Of loopback, and none of 127.0.0.0/8 in the eyes of the witness: it is only a name there. */
const NODE_IP = "10.32.0.1";
const logger = createLogger({ write: () => undefined });

let record: WitnessRecord;
let server: WitnessServer;
let proxy: RaftProxy;
let proxyPort: number;
let link: WitnessLink;
let nodeTls: StoreTls;
let boxEtcd: Server;
let nodeEtcd: Server;
const told: unknown[] = [];
/** Connections that the node began, and how many it had when it first said something. */
let dials = 0;
let dialsBeforeHello: number | undefined;
const open = new Set<Socket>();

function saying(text: string): Promise<Server> {
  const listener = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => socket.write(`${text} heard ${chunk}`));
  });
  listener.listen(0, "127.0.0.1");
  return once(listener, "listening").then(() => listener);
}

const portOf = (listener: Server): number => (listener.address() as AddressInfo).port;

async function freePort(): Promise<number> {
  const listener = await saying("");
  const port = portOf(listener);
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

beforeEach(async () => {
  told.length = 0;
  dials = 0;
  dialsBeforeHello = undefined;
  const key = createSigningKey();
  const { certificate = "", ca } = await certifyVoter(
    [ROOT],
    await createSigningRequest(key, "witness"),
  );
  boxEtcd = await saying("the box");
  nodeEtcd = await saying("the node");
  proxy = new RaftProxy();
  proxyPort = await freePort();
  await proxy.listen(proxyPort);
  const port = await freePort();
  server = new WitnessServer({
    ...{ port, proxy, raftPort: portOf(boxEtcd), logger, tls: { key, cert: certificate, ca } },
    talk: async (op, fields): Promise<Fields> => {
      told.push([op, fields["store"]]);
      dialsBeforeHello ??= dials;
      return { version: "1", store: MARK };
    },
    claim: () => async () => ({ seen: true }),
  });
  await server.listen();
  record = { host: "127.0.0.1", port, key: publicKeyHash(key), raftPort: await freePort() };
  nodeTls = await storeTls([ROOT], [NODE_IP], "node");
  link = new WitnessLink({
    ...{ record, clock: systemClock, logger, mark: () => MARK, changed: () => undefined },
    tls: async () => {
      dials += 1;
      return nodeTls;
    },
    raft: () => ({ ip: "127.0.0.1", port: portOf(nodeEtcd) }),
  });
});

afterEach(() => {
  link.close();
  server.close();
  proxy.close();
  for (const socket of open) socket.destroy();
  for (const listener of [boxEtcd, nodeEtcd]) listener.close();
});

async function until(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 120_000;
  while (!(await is())) {
    assert.ok(performance.now() < end, what);
    await delay(20);
  }
}

/** What comes back for "hello". */
async function exchanged(socket: Socket): Promise<string> {
  socket.write("hello");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return `${chunk}`;
}

/** As etcd does that goes by the proxy. */
async function byProxy(
  address: string,
): Promise<{ readonly status: number; readonly socket: Socket }> {
  const made = request({ host: "127.0.0.1", port: proxyPort, method: "CONNECT", path: address });
  made.end();
  const [response, socket] = await once(made, "connect");
  open.add(socket);
  return { status: response.statusCode, socket };
}

test("the two know what each holds to, and raft's connections pass both ways", async () => {
  await until("it is heard", () => link.state.isHeard);
  assert.deepEqual(link.state.mark, MARK);
  assert.ok((link.rttMs ?? 0) > 0, "the way to it is measured");
  assert.deepEqual(told[0], ["hello", MARK]);
  const forth = connect({ host: "127.0.0.1", port: record.raftPort });
  assert.equal(await exchanged(forth), "the box heard hello");
  forth.destroy();
  let reached: Awaited<ReturnType<typeof byProxy>> | undefined;
  await until("the way back is there", async () => {
    reached = await byProxy(`${NODE_IP}:9212`);
    return reached.status === 200;
  });
  assert.ok(reached);
  assert.equal(await exchanged(reached.socket), "the node heard hello");
  // One was used: others take its place, as often as they are wanted.
  for (let count = 0; count < 8; count++) {
    await until("another one waits", async () => {
      const again = await byProxy(`${NODE_IP}:9212`);
      return again.status === 200 && (await exchanged(again.socket)) === "the node heard hello";
    });
  }
  assert.equal((await byProxy("10.32.0.2:9212")).status, 503);
});

test("who has no node's certificate of the store's authority, or another authority's, is let in nowhere", async () => {
  const key = createSigningKey();
  const asked = await certifyVoter([ROOT], await createSigningRequest(key, "witness"));
  const former = { key, cert: asked.certificate ?? "", ca: asked.ca };
  const plain = await storeTls([ROOT], [NODE_IP]);
  const stranger = await storeTls([new Uint8Array(randomBytes(32))], [NODE_IP], "node");
  for (const shown of [former, plain, { ...stranger, ca: nodeTls.ca }]) {
    told.length = 0;
    const socket = await dialWitness(record, TALK, shown).catch((error: unknown) => {
      assert.ok(isHansaError(error, "WITNESS_UNREACHABLE"));
      return undefined;
    });
    if (socket === undefined) continue;
    socket.resume();
    socket.write('{"id":1,"op":"hello","store":"a stranger"}\n');
    if (!socket.closed) await once(socket, "close");
    assert.ok(!JSON.stringify(told).includes("a stranger"));
  }
});

test("nothing is said to a witness with another key than was written down", async () => {
  const other = { ...record, key: `sha256:${"0".repeat(64)}` };
  await assert.rejects(dialWitness(other, TALK, nodeTls), (error) =>
    isHansaError(error, "WITNESS_UNREACHABLE"),
  );
  const strange = await storeTls([new Uint8Array(randomBytes(32))], [NODE_IP], "node");
  await assert.rejects(dialWitness(record, TALK, strange), (error) =>
    isHansaError(error, "WITNESS_UNREACHABLE"),
  );
});

test("when the witness is gone it is not heard, its ways end, and they are there again when it is", async () => {
  await until("it is heard", () => link.state.isHeard);
  const forth = connect({ host: "127.0.0.1", port: record.raftPort });
  forth.on("error", () => forth.destroy());
  assert.equal(await exchanged(forth), "the box heard hello");
  const closed = once(forth, "close");
  forth.resume();
  server.renew({ ...nodeTls });
  await closed;
  await until("it is not the one", () => !link.state.isHeard);
  assert.match(`${link.problem}`, /^WITNESS_UNREACHABLE: .* is not the witness that was set up$/);
});

test("woken while it dials it opens no second conversation", async () => {
  for (let count = 0; count < 5; count++) {
    link.wake();
    await delay(1);
  }
  await until("it is heard", () => link.state.isHeard);
  assert.equal(dialsBeforeHello, 1);
});
