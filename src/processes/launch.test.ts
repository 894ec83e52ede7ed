import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { type ErrorCode, type HansaError, isHansaError } from "../errors.ts";
import { createIdentity } from "../identity/identity.ts";
import { loadIdentity, saveIdentity } from "../identity/identity-file.ts";
import { plainLinks } from "../values/node-link.ts";
import { copiesOf, eventually, launchApart, makeFakeHost, pidOf } from "./fake-node.ts";
import { type LaunchOptions, launch } from "./launch.ts";
import { loadNodeFile } from "./node-file.ts";
import { pidFile } from "./paths.ts";
import { daemonAnswers, socketAccepts } from "./readiness.ts";
import { stopNode } from "./stop.ts";
import type { ThisHost } from "./this-host.ts";

const PORTS = { gossip: 16_783, overlay: 16_784, api: 16_443 };
const OPTIONS: LaunchOptions = {
  id: 7,
  token: "my-cluster-password",
  name: "host7",
  subnet: "10.240.0.0/12",
  ports: PORTS,
  targets: ["host1", "host2:7000"],
};

let host: ThisHost;
let root: string;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ host, root, close } = await makeFakeHost());
});
afterEach(() => close());

async function refused(
  options: LaunchOptions,
  code: ErrorCode,
  words: RegExp,
  on: ThisHost = host,
): Promise<HansaError> {
  const before = await disk();
  try {
    await launch(options, on);
  } catch (error) {
    assert.ok(isHansaError(error, code), `${error}`);
    assert.match(error.message, words);
    assert.doesNotMatch(error.message + error.hint, /my-cluster-password|[^.]\.$/);
    assert.deepEqual(await disk(), before, "something changed on disk");
    return error;
  }
  return assert.fail("it was not refused");
}

/** All files of the host with their contents, but for its sockets and logs. */
async function disk(): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) files[path] = "directory";
    if (entry.isFile() && !path.endsWith(".log")) files[path] = readFileSync(path, "utf8");
  }
  return files;
}

test("a first launch writes identity, node and plugin spec, and everything runs", async () => {
  const progress: string[] = [];
  const onProgress = (text: string): number => progress.push(text);
  const { already, node } = await launch({ ...OPTIONS, onProgress }, host);
  assert.equal(already, false);
  assert.deepEqual(await loadNodeFile(host.paths.nodeFile), node);
  assert.deepEqual(node.targets, OPTIONS.targets);
  assert.equal(node.cluster, "hansa");
  assert.equal((await loadIdentity(host.paths.stateDir))?.roots.length, 1);
  assert.equal(readFileSync(host.paths.pluginSpec, "utf8"), `unix://${host.paths.ipamSocket}`);
  assert.equal(statSync(host.paths.stateDir).mode & 0o777, 0o700);
  assert.equal(await daemonAnswers(host.paths.apiSocket), true);
  await eventually("the plugin answers", () => socketAccepts(host.paths.ipamSocket));
  await eventually("the supervisor runs", () => pidOf(host.paths, "supervise"));
  assert.deepEqual(progress.slice(0, 2), ["deriving the cluster's keys", "starting"]);
  const files = Object.values(await disk()).join();
  assert.ok(!files.includes(OPTIONS.token), "the token is on disk");
});

test("a witness becomes no node", async () => {
  const home = join(host.paths.stateDir, "witness");
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "witness.json"), "{}");
  await refused(OPTIONS, "HOST_IS_WITNESS", /this host is a witness/);
});

test("the same launch again is idempotent and hands its targets to the daemon; a different one is refused", async () => {
  await launch(OPTIONS, host);
  const pids = ["daemon", "ipam-plugin"].map((name) => pidOf(host.paths, name));
  const added: string[] = [];
  const addTargets = async (targets: readonly string[]): Promise<void> => {
    added.push(...targets);
  };
  const least = { id: 7, token: OPTIONS.token, targets: ["host3"] };
  const again = await launch({ ...least, addTargets }, host);
  assert.equal(again.already, true);
  assert.deepEqual(added, ["host3"]);
  assert.deepEqual(
    ["daemon", "ipam-plugin"].map((name) => pidOf(host.paths, name)),
    pids,
  );
  const other = await refused(
    { ...OPTIONS, id: 8 },
    "LAUNCH_DIFFERS",
    /^invalid argument: id, required: 7 \(existing\), received: 8$/,
  );
  assert.match(other.hint, /start over/);
  await refused({ ...OPTIONS, token: "another" }, "TOKEN_DIFFERS", /another token/);
  await refused({ ...OPTIONS, cluster: "other" }, "TOKEN_DIFFERS", /cluster hansa, not other/);
  await refused({ ...OPTIONS, subnet: "10.0.0.0/12" }, "LAUNCH_DIFFERS", /subnet.*10\.240/);
  await refused({ ...OPTIONS, ports: { gossip: 9 } }, "LAUNCH_DIFFERS", /gossip port/);
  const clear = /launched before with encryption, not without encryption: .* whole cluster$/;
  await refused({ ...OPTIONS, encryption: "none" }, "LAUNCH_DIFFERS", clear);
});

test("a launch with other links keeps them, and starts the daemon anew and nothing else", async () => {
  await launch(OPTIONS, host);
  const pids = ["daemon", "ipam-plugin"].map((name) => pidOf(host.paths, name));
  const strange = { ...OPTIONS, links: plainLinks(["192.0.2.77"]) };
  await refused(strange, "USAGE", /link0, 192.0.2.77 is no address of this host/);
  const links = [{ number: 3, address: "127.0.0.1", priority: 9 }];
  const { already, node } = await launch({ ...OPTIONS, links }, host);
  assert.deepEqual([already, node.links], [true, links]);
  assert.deepEqual((await loadNodeFile(host.paths.nodeFile))?.links, links);
  const now = ["daemon", "ipam-plugin"].map((name) => pidOf(host.paths, name));
  assert.notEqual(now[0], pids[0]);
  assert.equal(now[1], pids[1]);
  await launch({ ...OPTIONS, links }, host);
  assert.equal(pidOf(host.paths, "daemon"), now[0], "equal links change nothing");
});

test("a launch onto a stopped node starts it again with the targets added, and repairs the plugin spec", async () => {
  await launch(OPTIONS, host);
  await stopNode(host);
  await rm(host.paths.pluginSpec);
  const again = await launch({ ...OPTIONS, targets: ["host9", "host1"] }, host);
  assert.equal(again.already, true);
  assert.ok(existsSync(host.paths.pluginSpec));
  assert.equal(await daemonAnswers(host.paths.apiSocket), true);
  const stored = await loadNodeFile(host.paths.nodeFile);
  assert.deepEqual(stored?.targets, ["host1", "host2:7000", "host9"]);
});

for (const [moment, path] of [
  ["its identity is written", (on: ThisHost) => join(on.paths.stateDir, "identity.json")],
  ["node.json is written", (on: ThisHost) => on.paths.nodeFile],
  ["the daemon is started", (on: ThisHost) => pidFile(on.paths, "daemon")],
] as const) {
  test(`a launch killed as ${moment} is mended by the same launch, with one copy of each process`, async () => {
    const first = launchApart(OPTIONS);
    await eventually(moment, () => existsSync(path(host)));
    first.kill("SIGKILL");
    await once(first, "exit");
    const left = await loadIdentity(host.paths.stateDir);
    await launch(OPTIONS, host);
    assert.deepEqual(await loadIdentity(host.paths.stateDir), left);
    assert.equal(await daemonAnswers(host.paths.apiSocket), true);
    assert.equal(readFileSync(host.paths.pluginSpec, "utf8"), `unix://${host.paths.ipamSocket}`);
    await eventually("all run", () =>
      ["supervise", "daemon", "ipam-plugin"].every((role) => copiesOf(host, role) === 1),
    );
  });
}

test("a half launch with another token is nobody's, and is replaced", async () => {
  await saveIdentity(host.paths.stateDir, await createIdentity({ token: "x", cluster: "hansa" }));
  const left = await loadIdentity(host.paths.stateDir);
  await launch(OPTIONS, host);
  assert.notDeepEqual(await loadIdentity(host.paths.stateDir), left);
});

test("a daemon that dies at its start is told with the last sentence of its log", async () => {
  await writeFile(join(root, "FAKE_FAILS"), "the moon is full");
  await assert.rejects(launch(OPTIONS, host), (error) => {
    assert.ok(isHansaError(error, "NODE_NOT_RUNNING"));
    assert.equal(error.message, "the daemon ended at once: cannot start: the moon is full");
    return true;
  });
  await rm(join(root, "FAKE_FAILS"));
  await eventually("the supervisor brings it up", () => daemonAnswers(host.paths.apiSocket));
});

test("what is wrong with the request is refused with one sentence and nothing changed", async () => {
  const bad: readonly (readonly [Partial<LaunchOptions>, ErrorCode, RegExp])[] = [
    [{ id: 0 }, "USAGE", /id, required: number \[1-65535\], received: 0/],
    [{ id: 65_536 }, "USAGE", /received: 65536/],
    [{ id: 1.5 }, "USAGE", /received: 1.5/],
    [{ token: "" }, "USAGE", /missing required parameter: token/],
    [{ cluster: "a b" }, "USAGE", /cluster.*received: a b/],
    [{ name: "-x" }, "USAGE", /name/],
    [{ targets: ["host1", "ho st"] }, "USAGE", /received: ho st/],
    [{ links: plainLinks(["host1"]) }, "USAGE", /link.*received: host1/],
    [{ links: plainLinks(Array(9).fill("10.0.0.1")) }, "USAGE", /links, required: at most 8/],
    [{ ports: { gossip: 70_000 } }, "USAGE", /gossip port/],
    [{ ports: { gossip: 5, overlay: 5 } }, "USAGE", /overlay port/],
    [{ subnet: "10.32.0.1/12" }, "IPAM_SUBNET_INVALID", /subnet.*10\.32\.0\.1\/12/],
    [{ subnet: "10.32.0.0/24" }, "IPAM_SUBNET_INVALID", /subnet/],
    [{ subnet: "10.32.0.0/20", id: 256 }, "IPAM_ID_OUTSIDE_SUBNET", /up to 255, not for 256/],
  ];
  for (const [wrong, code, words] of bad) await refused({ ...OPTIONS, ...wrong }, code, words);
});

test("without root, Docker or tools it is refused with a hint and nothing changed", async () => {
  const plain = await refused(OPTIONS, "ROOT_REQUIRED", /root/, { ...host, isRoot: false });
  assert.match(plain.hint, /sudo/);
  const gone = { ...host, dockerHost: `unix://${root}/none.sock` };
  await refused(OPTIONS, "DOCKER_UNREACHABLE", /none\.sock \(no such socket\)/, gone);
  const remote = { ...host, dockerHost: "tcp://1.2.3.4:2375" };
  await refused(OPTIONS, "DOCKER_UNREACHABLE", /tcp:\/\/1\.2\.3\.4:2375/, remote);
  await rm(join(root, "bin/nft"));
  const missing = await refused(OPTIONS, "TOOL_MISSING", /^the programs nft, wireguard-go must/, {
    ...host,
    kernelHasWireguard: false,
  });
  assert.equal(missing.hint, "apt-get install nftables wireguard-go");
});

test("a taken port is refused naming port, protocol and who holds it", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(PORTS.gossip, "127.0.0.1", resolve));
  try {
    const words = new RegExp(`^port ${PORTS.gossip}/tcp is held by .*\\(pid ${process.pid}\\)$`);
    await refused(OPTIONS, "PORT_TAKEN", words);
  } finally {
    server.close();
  }
});
