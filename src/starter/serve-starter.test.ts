/** The starter on a host whose roles are stand-ins, asked over its socket as the command line asks. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { closed } from "../../test/closed.ts";
import { type ErrorCode, HansaError, isHansaError } from "../errors.ts";
import { createLogger } from "../host/logger.ts";
import { loadIdentity, saveIdentity } from "../identity/identity-file.ts";
import { createNodeKey, createWireguardKey } from "../identity/node-key.ts";
import {
  createOneTimeKey,
  isNodeKeyProven,
  SEAL_NONCE_BYTES,
  sealRoots,
} from "../identity/sealed-roots.ts";
import { eventually, makeFakeHost, pidOf } from "../processes/fake-node.ts";
import { loadNodeFile } from "../processes/node-file.ts";
import { daemonAnswers } from "../processes/readiness.ts";
import type { ThisHost } from "../processes/this-host.ts";
import type { Admission, JoinQuestion } from "./admission.ts";
import { type Starter, serveStarter } from "./serve-starter.ts";
import type { StartRequest } from "./start-request.ts";
import { askToStart, askToStop } from "./starter-client.ts";

/** Nothing else on this machine uses them. */
const WISH = {
  subnet: "10.240.0.0/12",
  ports: { gossip: 17_783, overlay: 17_784, api: 17_443 },
  join: false,
} as const;
const ROOT = { root: new Uint8Array(randomBytes(32)), since: "2026-01-01T00:00:00.000Z" };

let host: ThisHost;
let starter: Starter;
let close: () => Promise<void>;
const logged: string[] = [];

beforeEach(async () => {
  ({ host, close } = await makeFakeHost());
  logged.length = 0;
  starter = await serve();
});
afterEach(async () => {
  await starter.close();
  await close();
});

function serve(more: Partial<Parameters<typeof serveStarter>[0]> = {}): Promise<Starter> {
  return serveStarter({
    host,
    leave: () => Promise.reject(new HansaError("NODE_NOT_RUNNING", "no daemon")),
    makeStore: async () => undefined,
    logger: createLogger({ write: (line) => logged.push(line) }),
    ...more,
  });
}

const nobody = async (): Promise<never> => assert.fail("nobody was to be asked");

function started(
  request: StartRequest,
  admit: (asked: JoinQuestion) => Promise<Admission> = nobody,
) {
  const answers = { progress: () => undefined, admit };
  return askToStart(host.paths.starterSocket, request, answers);
}

const refusal = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  isHansaError(error, code) && words.test(error.message);

test("a start makes a node with a token of its own, and the same again only starts it", async () => {
  const node = await started({ ...WISH, name: "smr-node-1", domain: "node-1.example.org" });
  assert.deepEqual(node, {
    ...{ already: false, id: 1, name: "smr-node-1", cluster: "hansa" },
    ...{ domain: "node-1.example.org", apiPort: 17_443, notes: [] },
  });
  const identity = await loadIdentity(host.paths.stateDir);
  assert.match(identity?.token ?? "", /^[A-Za-z0-9_-]{32}$/);
  assert.ok(!logged.join("").includes(identity?.token ?? ""));
  assert.equal((await loadNodeFile(host.paths.nodeFile))?.domain, "node-1.example.org");
  const pid = pidOf(host.paths, "daemon");
  assert.equal((await started({ join: false })).already, true);
  assert.equal(pidOf(host.paths, "daemon"), pid);
  const differs: readonly (readonly [StartRequest, RegExp])[] = [
    [{ name: "other", join: false }, /its name is smr-node-1, not other$/],
    [{ domain: "localhost", join: false }, /its domain is node-1.example.org, not localhost$/],
    [{ ports: { api: 1443 }, join: false }, /its api port is 17443, not 1443$/],
    [{ join: true }, /cannot join another$/],
  ];
  for (const [request, words] of differs) {
    await assert.rejects(started(request), refusal("LAUNCH_DIFFERS", words));
  }
});

test("a stop ends the node, which a start brings back with its id and name", async () => {
  const stop = () => askToStop(host.paths.starterSocket, { leave: false }, () => undefined);
  await assert.rejects(stop(), refusal("NODE_NOT_LAUNCHED", /this host is no node/));
  await started({ ...WISH, name: "smr-node-1" });
  assert.deepEqual(await stop(), { id: 1, notes: [] });
  assert.equal(await daemonAnswers(host.paths.apiSocket), false);
  assert.equal((await started({ join: false })).name, "smr-node-1");
  assert.equal(await daemonAnswers(host.paths.apiSocket), true);
});

/** A cluster that gives everybody id 7. */
function admission({ nodeKey, oneTimeKey, name, proof }: JoinQuestion): Admission {
  assert.ok(isNodeKeyProven(nodeKey, oneTimeKey, name, proof));
  const joiner = { nodeKey, oneTimeKey, id: 7 };
  const nonce = randomBytes(SEAL_NONCE_BYTES);
  return {
    ...{ id: 7, name, cluster: "theirs", subnet: WISH.subnet, encryption: "none" },
    targets: ["node-1.example.org"],
    sealed: sealRoots({ roots: [ROOT] }, joiner, createOneTimeKey(), nonce),
  };
}

const JOIN: StartRequest = { ports: WISH.ports, name: "smr-node-2", join: true };

test("a join has the asker ask, and launches with the roots that come back", async () => {
  const node = await started(JOIN, async (question) => admission(question));
  assert.deepEqual([node.id, node.cluster, node.domain], [7, "theirs", "localhost"]);
  const identity = await loadIdentity(host.paths.stateDir);
  assert.deepEqual(identity?.roots, [ROOT]);
  assert.equal(identity?.token, undefined);
  const file = await loadNodeFile(host.paths.nodeFile);
  assert.deepEqual([file?.targets, file?.encryption], [["node-1.example.org"], "none"]);
  assert.equal((await started(JOIN)).already, true);
});

test("a cluster that refuses, an answer for somebody else, and an asker who goes away leave nothing", async () => {
  const refuse = async (): Promise<never> => {
    throw new HansaError("NODE_NAME_TAKEN", "node 1 has it", { hint: "another" });
  };
  await assert.rejects(started(JOIN, refuse), refusal("NODE_NAME_TAKEN", /^node 1 has it$/));
  const others = async (question: JoinQuestion): Promise<Admission> => ({
    ...admission(question),
    id: 8,
  });
  await assert.rejects(started(JOIN, others), refusal("API_ANSWER_INVALID", /not sealed for this/));
  const malformed = async (question: JoinQuestion): Promise<Admission> => ({
    ...admission(question),
    targets: [],
  });
  await assert.rejects(started(JOIN, malformed), refusal("API_ANSWER_INVALID", /at targets$/));
  const socket = connect(host.paths.starterSocket);
  socket.write(`${JSON.stringify({ id: 1, op: "start", ...JOIN })}\n`);
  await once(socket, "data");
  socket.destroy();
  await eventually("it is told", () => logged.some((line) => line.includes("went away")));
  assert.equal(existsSync(host.paths.stateDir), false);
  assert.equal(existsSync(host.paths.pluginSpec), false);
});

test("nobody is asked to admit a host on which a node could not be launched", async () => {
  const api = { ...WISH.ports, api: WISH.ports.gossip };
  await assert.rejects(started({ ...JOIN, ports: api }), refusal("USAGE", /api port/));
  const without = { ...host, folders: [] };
  await starter.close();
  starter = await serve({ host: without });
  await assert.rejects(started(JOIN), refusal("TOOL_MISSING", /./));
});

test("a join that failed after the cluster answered asks again with the same key; once it was made, another join has another", async () => {
  const asked: string[] = [];
  const ask = (id: number) => async (question: JoinQuestion) => {
    asked.push(question.nodeKey);
    return { ...admission(question), id };
  };
  await assert.rejects(started(JOIN, ask(8)), refusal("API_ANSWER_INVALID", /not sealed/));
  await started(JOIN, ask(7));
  await askToStop(host.paths.starterSocket, { leave: false }, () => undefined);
  await rm(host.paths.stateDir, { recursive: true });
  await started(JOIN, ask(7));
  assert.equal(asked[0], asked[1]);
  assert.notEqual(asked[1], asked[2]);
});

test("a join that died after the cluster answered is taken up with the same key", async () => {
  const nodeKey = createNodeKey();
  const left = { roots: [ROOT], nodeKey, wireguard: createWireguardKey(), binding: 0 };
  await saveIdentity(host.paths.stateDir, left);
  const asked: string[] = [];
  await started(JOIN, async (question) => {
    asked.push(question.nodeKey);
    return admission(question);
  });
  assert.deepEqual(asked, [nodeKey.publicKey]);
});

test("other words, a second request, long lines and silence are refused or cut off; each request is in the log", async () => {
  const path = host.paths.starterSocket;
  const say = async (text: string): Promise<string> => {
    const socket = connect(path);
    let heard = "";
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("utf8");
      socket.end();
    });
    socket.on("error", () => socket.destroy());
    socket.write(text);
    await new Promise((resolve) => socket.once("close", resolve));
    return heard;
  };
  assert.match(
    await say('{"id":1,"op":"exec","argv":["sh"]}\n'),
    /the starter knows no \\"exec\\"/,
  );
  assert.match(await say('{"id":1,"op":"start","argv":["sh"]}\n'), /malformed at argv/);
  assert.match(await say('{"id":1,"op":"x"}\n{"id":2,"op":"start"}\n'), /one request a connection/);
  assert.equal(await say("hello\n"), "");
  assert.equal(await say('{"op":"start"}\n'), "");
  assert.equal(await say(`{"id":1,"op":"start","name":"${"x".repeat(200_000)}`), "");
  await starter.close();
  starter = await serve({ silenceMs: 20 });
  assert.equal(await say(""), "");
  assert.ok(logged.some((line) => /"operation":"exec".*"result":"USAGE"/.test(line)));
  assert.equal(existsSync(host.paths.stateDir), false);
});

test("where systemd starts it for each use it ends when nobody asks any more", async () => {
  const rested = Promise.withResolvers<void>();
  await starter.close();
  starter = await serve({ idle: { afterMs: 10, tell: rested.resolve } });
  await rested.promise;
});

test("it does not end in the middle of what it does for somebody who went away", async () => {
  const rested = Promise.withResolvers<boolean>();
  await starter.close();
  const isDone = (): boolean => logged.some((line) => line.includes('"done"'));
  let isGone = false;
  const tell = (): void => {
    if (isGone) rested.resolve(isDone());
  };
  starter = await serve({ idle: { afterMs: 1, tell } });
  const socket = connect(host.paths.starterSocket);
  socket.write(`${JSON.stringify({ id: 1, op: "start", ...WISH })}\n`);
  await once(socket, "data");
  isGone = true;
  socket.destroy();
  assert.equal(await rested.promise, true);
});

test("what is asked by somebody who went away before its turn is not done", async () => {
  await starter.close();
  const isBusy = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  const makeStore = (): Promise<void> => {
    isBusy.resolve();
    return mayGoOn.promise;
  };
  starter = await serve({ makeStore });
  const first = started(WISH);
  await isBusy.promise;
  const socket = connect(host.paths.starterSocket);
  socket.end(`${JSON.stringify({ id: 1, op: "stop" })}\n`);
  await closed(socket);
  // Both ends of it are in this process.
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  mayGoOn.resolve();
  await first;
  assert.equal((await started(WISH)).already, true);
  assert.ok(logged.some((line) => line.includes("went away before its turn")));
});

test("without a starter, or without the right to ask it, the asker is told what to do", async () => {
  await starter.close();
  await assert.rejects(started(WISH), refusal("STARTER_UNREACHABLE", /hansa install was not run/));
});
