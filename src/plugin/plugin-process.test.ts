import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { silentLogger } from "../host/logger.ts";
import { unixRequest } from "../host/unix-http.ts";
import { handedSocket } from "../host/unix-listen.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import { ControlClient } from "./control-client.ts";
import { LeaseJournal } from "./lease-journal.ts";
import {
  makePluginPaths,
  type PluginPaths,
  PluginProcess,
  pluginScript,
} from "./plugin-process.ts";

const START = 0x0a280000;
const SPACE = {
  ready: true,
  subnet: "10.32.0.0/12",
  gateway: 0x0a200001,
  ranges: [{ start: START, end: START + 4096 }],
};
const any = { PoolID: "hansa/10.32.0.0/12", Address: "", Options: {} };

async function giveSpace(paths: PluginPaths): Promise<void> {
  const greeted = Promise.withResolvers<void>();
  const client = ControlClient.connect(paths.control, {
    hello: () => greeted.resolve(),
    usage: () => undefined,
    claim: async () => ({ ok: false, code: "IPAM_EXHAUSTED", message: "no more in this test" }),
    disconnected: () => undefined,
  });
  await greeted.promise;
  await client.setSpace(SPACE);
  client.close();
}

/** A daemon that hears a claim and never answers. */
async function silentDaemon(
  paths: PluginPaths,
): Promise<{ readonly asked: Promise<void>; close(): void }> {
  const greeted = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const client = ControlClient.connect(paths.control, {
    hello: () => greeted.resolve(),
    usage: () => undefined,
    claim: () => {
      asked.resolve();
      return new Promise(() => undefined);
    },
    disconnected: () => undefined,
  });
  await greeted.promise;
  return { asked: asked.promise, close: () => client.close() };
}

function leasesOnDisk(paths: PluginPaths): Set<string> {
  const journal = new LeaseJournal(paths.stateDir, { logger: silentLogger });
  const addresses = new Set([...journal.book.leases.keys()].map(formatIpv4));
  journal.close();
  return addresses;
}

/** What Docker was told; what it was still asking when the plugin died may be either. */
class Book {
  readonly held = new Set<string>();
  readonly unsure = new Set<string>();
  /** Requests for an address without an answer. */
  open = 0;
  answers = 0;
}

/** Requests and releases one after another until the plugin is gone. */
async function useUntilGone(plugin: PluginProcess, book: Book): Promise<void> {
  for (let step = 0; ; step++) {
    const [oldest] = book.held;
    const releases = step % 3 === 2 && oldest !== undefined;
    if (releases) {
      book.held.delete(oldest);
      book.unsure.add(oldest);
    } else {
      book.open++;
    }
    try {
      if (releases) {
        await plugin.ask("/IpamDriver.ReleaseAddress", { ...any, Address: oldest });
        book.unsure.delete(oldest);
        book.answers++;
        continue;
      }
      const answer = await plugin.ask("/IpamDriver.RequestAddress", any);
      assert.equal(answer["Error"], undefined);
      const address = `${answer["Address"]}`.split("/")[0] ?? "";
      assert.ok(!book.held.has(address) && !book.unsure.has(address), `${address} given twice`);
      book.held.add(address);
      book.open--;
      book.answers++;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
  }
}

/**
 * Three users at once, and the plugin is killed under them. The moment is counted in answers, so that a slow machine does as much as a
 * fast one; a bit of time puts it somewhere between two of them.
 */
async function killAmidUse(plugin: PluginProcess, book: Book): Promise<void> {
  const [answers, afterMs] = [3 + Math.floor(Math.random() * 150), Math.random() * 3];
  const when = `after ${answers} answers and ${afterMs} ms`;
  const enough = book.answers + answers;
  const users = Promise.all([1, 2, 3].map(() => useUntilGone(plugin, book)));
  while (book.answers < enough) {
    const isOver = await Promise.race([users.then(() => true), pause(1, false)]);
    assert.ok(!isOver, `the plugin went away by itself: ${plugin.log}`);
  }
  await pause(afterMs);
  await plugin.kill("SIGKILL");
  await users;
  const onDisk = leasesOnDisk(plugin.paths);
  const lost = [...book.held].filter((address) => !onDisk.has(address));
  assert.deepEqual(lost, [], when);
  const unknown = [...onDisk].filter(
    (address) => !book.held.has(address) && !book.unsure.has(address),
  );
  assert.ok(unknown.length <= book.open, `${unknown.length} leaks of ${book.open}, ${when}`);
  // Docker would release nothing of these: they stay leased and are never seen again.
  for (const address of unknown) book.unsure.add(address);
  book.open = 0;
}

test("kill -9 at any moment loses nothing that was answered and gives nothing twice", async () => {
  const paths = await makePluginPaths();
  await using first = await PluginProcess.start(paths);
  await giveSpace(paths);
  const book = new Book();
  let plugin = first;
  try {
    for (let round = 0; round < 6; round++) {
      if (round > 0) plugin = await PluginProcess.start(paths);
      await killAmidUse(plugin, book);
    }
  } finally {
    await plugin.kill();
  }
});

test("SIGTERM ends it with 0, leaves the leases and takes the sockets away", async () => {
  await using plugin = await PluginProcess.start(await makePluginPaths());
  const { paths } = plugin;
  await giveSpace(paths);
  assert.equal(statSync(paths.socket).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(paths.socket)).mode & 0o777, 0o755);
  const { Address } = await plugin.ask("/IpamDriver.RequestAddress", any);
  await plugin.kill("SIGTERM");
  assert.equal(plugin.child.exitCode, 0);
  assert.ok(!existsSync(paths.socket) && !existsSync(paths.control));
  assert.deepEqual([...leasesOnDisk(paths)], [`${Address}`.split("/")[0]]);
});

test("a second copy is refused and leaves the first serving", async () => {
  await using plugin = await PluginProcess.start(await makePluginPaths());
  await assert.rejects(PluginProcess.start(plugin.paths), /SOCKET_TAKEN/);
  assert.deepEqual(await plugin.ask("/Plugin.Activate"), { Implements: ["IpamDriver"] });
});

test("a Docker that starts again gets the fixed addresses of its dead containers back", async () => {
  const paths = await makePluginPaths();
  await using first = await PluginProcess.start(paths);
  await giveSpace(paths);
  const fixed = { ...any, Address: "10.40.0.77" };
  assert.equal((await first.ask("/IpamDriver.RequestAddress", fixed))["Error"], undefined);
  // Docker stops its containers while the plugin is down: nobody hears the release.
  await first.kill("SIGKILL");
  const second = await PluginProcess.start(paths);
  try {
    const refused = await second.ask("/IpamDriver.RequestAddress", fixed);
    assert.match(`${refused["Error"]}`, /^IPAM_ADDRESS_IN_USE/);
    await second.ask("/Plugin.Activate");
    const answer = await second.ask("/IpamDriver.RequestAddress", fixed);
    const links = /^\s*veth/m.test(readFileSync("/proc/self/net/dev", "utf8"));
    // On a machine where containers live nothing may be forgotten.
    assert.equal(answer["Address"], links ? undefined : "10.40.0.77/12");
  } finally {
    await second.kill();
  }
});

test("a damaged lease file is told to Docker, and used again once it is repaired", async () => {
  const paths = await makePluginPaths();
  await using first = await PluginProcess.start(paths);
  await giveSpace(paths);
  await first.kill("SIGKILL");
  const { path } = new LeaseJournal(paths.stateDir, { logger: silentLogger });
  const good = readFileSync(path);
  writeFileSync(path, "nonsense");
  const second = await PluginProcess.start(paths);
  try {
    const answer = await second.ask("/IpamDriver.RequestAddress", any);
    assert.match(`${answer["Error"]}`, /^STATE_DAMAGED: .*leases\.log/);
    writeFileSync(path, good);
    const until = performance.now() + 120_000;
    for (;;) {
      const again = await second.ask("/IpamDriver.RequestAddress", any);
      if (again["Address"] === "10.40.0.0/12") break;
      assert.ok(performance.now() < until, `${again["Error"]}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await second.kill();
  }
});

test("a socket handed over by systemd is served, and requests that waited in it are answered", async () => {
  const paths = await makePluginPaths();
  const socketPath = `${paths.directory}/handed.sock`;
  const pidFile = `${paths.directory}/pid`;
  const readyFile = `${paths.directory}/listening`;
  const plugin = `process.env.LISTEN_PID = String(process.pid);
    require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
    ${pluginScript(paths, {})}`;
  // Listens and then never accepts, because it waits for its child, as systemd would.
  const launcher = `const server = require("node:net").createServer();
    server.listen(${JSON.stringify(socketPath)}, () => {
      require("node:fs").writeFileSync(${JSON.stringify(readyFile)}, "");
      require("node:child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(plugin)}], {
        stdio: ["ignore", "ignore", "ignore", server._handle.fd],
        env: { ...process.env, LISTEN_FDS: "1" },
      });
      process.exit();
    });`;
  const parent = spawn(process.execPath, ["-e", launcher], { stdio: "ignore" });
  const ended = once(parent, "exit");
  try {
    const until = performance.now() + 120_000;
    // The socket's file is there before anybody listens on it.
    while (!existsSync(readyFile)) {
      assert.ok(performance.now() < until, "the launcher does not listen");
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const request = { socketPath, method: "POST", path: "/Plugin.Activate" } as const;
    const { body } = await unixRequest({ ...request, timeoutMs: 120_000 });
    assert.deepEqual(body, { Implements: ["IpamDriver"] });
    assert.ok(!existsSync(paths.socket), "the plugin bound a socket of its own");
  } finally {
    if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, "utf8")), "SIGTERM");
    else parent.kill("SIGKILL");
    await ended;
    rmSync(paths.directory, { recursive: true, force: true });
  }
});

test("variables meant for another process hand over nothing", () => {
  assert.equal(handedSocket({ LISTEN_PID: "7", LISTEN_FDS: "1" }, 7), 3);
  assert.equal(handedSocket({ LISTEN_PID: "8", LISTEN_FDS: "1" }, 7), undefined);
  assert.equal(handedSocket({ LISTEN_PID: "7", LISTEN_FDS: "0" }, 7), undefined);
  assert.equal(handedSocket({ LISTEN_PID: "7", LISTEN_FDS: "x" }, 7), undefined);
  assert.equal(handedSocket({}, 7), undefined);
});

test("a successor takes the socket over while requests go on: none is refused, none is lost, and what waits is answered by who was asked", async () => {
  await using first = await PluginProcess.start(await makePluginPaths(), 2_000);
  const { paths } = first;
  await giveSpace(paths);
  // Nobody answers this claim for an address of another node, so it waits for most of its deadline.
  const daemon = await silentDaemon(paths);
  const slow = first.ask("/IpamDriver.RequestAddress", { ...any, Address: "10.33.0.9" });
  await daemon.asked;
  let stop = false;
  let refused: unknown;
  const held = new Set<string>();
  const traffic = (async () => {
    while (!stop) {
      const { Address } = await first.ask("/IpamDriver.RequestAddress", any);
      assert.ok(!held.has(`${Address}`), `${Address} twice`);
      held.add(`${Address}`);
    }
  })().catch((error: unknown) => {
    refused = error;
  });
  const three = async (): Promise<void> => {
    for (const enough = held.size + 3; held.size < enough && !refused; ) await pause(5);
    assert.equal(refused, undefined);
  };
  await three();
  await using second = await PluginProcess.start(paths, 10_000, first.child.pid);
  try {
    assert.equal(first.child.exitCode, 0, "the first was killed");
    const { Error: sentence } = await slow;
    assert.match(`${sentence}`, /^IPAM_OWNER_UNREACHABLE: /);
    await three();
  } finally {
    stop = true;
    await traffic;
    daemon.close();
  }
  assert.deepEqual([...leasesOnDisk(paths)].length, held.size);
  await second.kill("SIGTERM");
  assert.ok(!existsSync(paths.socket) && !existsSync(paths.control));
  assert.deepEqual(readdirSync(dirname(paths.socket)), []);
});
