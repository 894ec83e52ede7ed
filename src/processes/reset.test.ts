import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { FakeEngine } from "../docker/fake-engine.ts";
import { type ErrorCode, HansaError, isHansaError } from "../errors.ts";
import { makeFakeHost } from "./fake-node.ts";
import { launch } from "./launch.ts";
import { daemonAnswers } from "./readiness.ts";
import { type Left, type ResetOptions, reset } from "./reset.ts";
import { stopNode } from "./stop.ts";
import type { ThisHost } from "./this-host.ts";

const LEFT: Left = {
  heir: { id: 2, name: "host2" },
  handedOver: 131_072,
  lost: 0,
  problem: null,
  hadPeers: true,
};

let host: ThisHost;
let close: () => Promise<void>;
let engine: FakeEngine;
let done: string[];

beforeEach(async () => {
  ({ host, close } = await makeFakeHost());
  engine = new FakeEngine();
  done = [];
});
afterEach(() => close());

async function launched(): Promise<void> {
  const ports = { gossip: 16_785, overlay: 16_786, api: 16_445 };
  await launch(
    { id: 3, token: "my-cluster-password", subnet: "10.240.0.0/12", ports, targets: [] },
    host,
  );
  await engine.createNetwork({
    name: "hansa",
    driver: "bridge",
    ipamDriver: "hansa",
    subnet: "10.240.0.0/12",
    gateway: "10.240.0.3",
    options: {},
    labels: {},
  });
}

function options(different: Partial<ResetOptions> = {}): ResetOptions {
  return {
    force: false,
    engine,
    leave: async () => {
      done.push("left");
      return LEFT;
    },
    cleanUp: async () => void done.push("cleaned up"),
    ...different,
  };
}

const refused = (code: ErrorCode, words: RegExp) => (error: unknown) => {
  assert.ok(isHansaError(error, code), `${error}`);
  assert.match(error.message, words);
  return true;
};

async function assertGone(): Promise<void> {
  assert.equal(existsSync(host.paths.stateDir), false, "state is left");
  assert.equal(existsSync(host.paths.runDir), false, "sockets are left");
  assert.equal(existsSync(host.paths.pluginSpec), false, "the plugin's spec is left");
  assert.equal(await daemonAnswers(host.paths.apiSocket), false);
  assert.equal(await engine.inspectNetwork("hansa"), undefined);
}

test("a reset leaves, removes everything, says who has the addresses, and does nothing the second time", async () => {
  await launched();
  assert.deepEqual(await reset(options(), host), {
    id: 3,
    notes: ["131072 addresses are node 2's (host2) now"],
  });
  assert.deepEqual(done, ["left", "cleaned up"]);
  await assertGone();
  assert.deepEqual(await reset(options(), host), { id: undefined, notes: [] });
  assert.deepEqual(done, ["left", "cleaned up", "cleaned up"]);
  await assertGone();
});

test("containers on the network are named and nothing is changed; with force they are disconnected", async () => {
  await launched();
  const id = engine.createContainer({ name: "web", network: "hansa" });
  await engine.startContainer(id);
  const before = readdirSync(host.paths.stateDir);
  await assert.rejects(reset(options(), host), refused("NETWORK_IN_USE", /web \(running\)/));
  assert.deepEqual(readdirSync(host.paths.stateDir), before);
  assert.equal(await daemonAnswers(host.paths.apiSocket), true);
  assert.deepEqual(done, []);
  await reset(options({ force: true }), host);
  assert.equal((await engine.inspectContainer(id))?.running, true);
  await assertGone();
});

test("without Docker it is refused; with force the network is said to stay", async () => {
  await launched();
  engine.stop();
  await assert.rejects(reset(options(), host), refused("DOCKER_UNREACHABLE", /cannot be asked/));
  const { id, notes } = await reset(options({ force: true }), host);
  assert.equal(id, 3);
  assert.match(notes.join(), /Docker keeps its network hansa/);
  assert.equal(existsSync(host.paths.stateDir), false);
});

test("a daemon that does not run is started so that it can leave", async () => {
  await launched();
  await stopNode(host);
  const leave = async (): Promise<Left> => {
    assert.equal(await daemonAnswers(host.paths.apiSocket), true);
    return { ...LEFT, heir: null, handedOver: 0, lost: 9, problem: "no other node is in reach" };
  };
  const { notes } = await reset(options({ leave }), host);
  assert.match(notes.join(), /^9 addresses stay lost .* no other node is in reach: .*take-over 3$/);
  await assertGone();
});

test("a step that failed keeps node.json, and another reset goes on from there", async () => {
  await launched();
  const cleanUp = async (): Promise<void> => {
    throw new HansaError("OVERLAY_REFUSED", "nft refused");
  };
  await assert.rejects(reset(options({ cleanUp }), host), refused("OVERLAY_REFUSED", /nft/));
  assert.ok(existsSync(host.paths.nodeFile));
  // What a kill between the secrets and node.json leaves.
  rmSync(join(host.paths.stateDir, "identity.json"));
  assert.equal((await reset(options(), host)).id, 3);
  await assertGone();
});

test("a damaged node.json does not keep a host from being reset", async () => {
  await launched();
  writeFileSync(host.paths.nodeFile, "{");
  assert.equal((await reset(options(), host)).id, undefined);
  await assertGone();
});
