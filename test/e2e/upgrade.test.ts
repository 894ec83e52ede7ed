/**
 * From the build of the previous commit to this one, on a living cluster: connections between containers stay open and are answered,
 * containers go on, new ones start meanwhile. And back, by hand and by itself.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  addressOf,
  allReachAll,
  eventually,
  fullMesh,
  HANSA,
  launch,
  must,
  NETWORK,
  type Served,
} from "./cluster.ts";

const ROOT = join(import.meta.dirname, "../..");
/**
 * The longest wait for an echo that is taken for none, in seconds, where the machine itself stands still for nobody: a lost packet costs TCP
 * 0.2 s or more. Twice the longest wait inside one container, meanwhile, is added: that is the machine's.
 */
const GAP_S = 1;
let previous: string;
let playground: Playground;
let members: Host[];
const containers: Served[] = [];

function run(argv: readonly string[], cwd: string): string {
  const [program = "", ...words] = argv;
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: "utf8" });
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Builds the previous commit; without any, these very sources under another version, and says so. */
function buildPrevious(): string {
  const folder = mkdtempSync(join(tmpdir(), "hansa-previous-"));
  const archive = join(folder, "sources.tar");
  const made = spawnSync("git", ["archive", "-o", archive, "HEAD~1"], { cwd: ROOT });
  if (made.status === 0) {
    run(["tar", "-xf", archive], folder);
  } else {
    process.stdout.write("no previous commit here: the same sources with another version\n");
    run(
      ["cp", "-r", ...["src", "scripts", "package.json"].map((each) => join(ROOT, each)), folder],
      folder,
    );
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, version: "0.0.1" }));
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  run([process.execPath, "scripts/build.ts"], folder);
  return folder;
}

/** Puts a file of this machine into the /tmp of each host. */
function give(file: string, name: string): void {
  for (const host of members) {
    const there = join(host.stateDir, "tmp", name);
    try {
      linkSync(file, there);
    } catch {
      copyFileSync(file, there);
    }
  }
}

before(async () => {
  previous = buildPrevious();
  playground = await Playground.up({
    name: "e2eup",
    hosts: 3,
    binary: join(previous, "dist/hansa"),
  });
  members = [1, 2, 3].map((id) => playground.host(id));
  give(HANSA, "hansa-new");
  await Promise.all(members.map((host, index) => launch(host, index + 1, "host1", "host2")));
  await fullMesh(members, 15_000);
  for (const host of members) {
    const name = `c${host.number}`;
    const script = `echo ${name} > /index.html; httpd -h /; exec nc -ll -p 7 -e cat`;
    await must(
      host,
      "docker",
      "run",
      "-d",
      "--name",
      name,
      ...NETWORK,
      "busybox",
      "sh",
      "-c",
      script,
    );
    containers.push({ host, name, address: await addressOf(host, name) });
  }
  await allReachAll(containers);
});
after(async () => {
  await playground?.down();
  if (previous) rmSync(previous, { recursive: true, force: true });
});

interface Traffic {
  /** Ends it; the longest time between two echoes. Fails when one was lost or the connection broke. */
  stop(): Promise<number>;
}

/** One connection from a container to another on which a line goes out every 20 ms and must come back. */
async function echoes(from: Host, to: Host, inside = false): Promise<Traffic> {
  const format = "{{.NetworkSettings.Networks.hansa.IPAddress}}";
  const address = inside
    ? "127.0.0.1"
    : await must(to, "docker", "inspect", "-f", format, `c${to.number}`);
  const child = from.spawn(["docker", "exec", "-i", `c${from.number}`, "nc", address, "7"]);
  let [sent, heard, longest, last] = [0, "", 0, 0];
  child.stdout.on("data", (chunk: Buffer) => {
    const now = fairNow();
    if (last > 0) longest = Math.max(longest, now - last);
    last = now;
    heard += chunk.toString();
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdin.on("error", () => undefined);
  const timer = setInterval(() => child.stdin.write(`${sent++}\n`), 20);
  const name = `${from.name} to ${to.name}`;
  const end = (): void => {
    clearInterval(timer);
    child.kill("SIGKILL");
  };
  try {
    await eventually(`echoes from ${name}`, 15_000, async () => {
      if (heard.length > 20) return true;
      throw new Error(
        `${sent} sent, heard ${heard.length} bytes; ended ${child.exitCode}: ${said}`,
      );
    });
  } catch (error) {
    end();
    throw error;
  }
  return {
    async stop() {
      clearInterval(timer);
      try {
        assert.equal(child.exitCode, null, `the connection from ${name} broke`);
        await eventually(`all ${sent} echoes from ${name}`, 5_000, async () =>
          heard.split("\n").length - 1 === sent ? true : undefined,
        );
        assert.equal(heard, Array.from({ length: sent }, (_, index) => `${index}\n`).join(""));
        return longest / 1000;
      } finally {
        end();
      }
    },
  };
}

/** Starts containers on `host` one after another until told to stop; the longest time that one took. */
function startsContainers(host: Host): { stop(): Promise<{ count: number; longest: number }> } {
  let isOver = false;
  const work = (async () => {
    let [count, longest] = [0, 0];
    while (!isOver) {
      const started = fairNow();
      await must(host, "docker", "run", "--rm", ...NETWORK, "busybox", "true");
      longest = Math.max(longest, fairNow() - started);
      count += 1;
    }
    return { count, longest: longest / 1000 };
  })();
  // Told when it is awaited.
  work.catch(() => undefined);
  return {
    stop() {
      isOver = true;
      return work;
    },
  };
}

/** Echoes between all hosts and starts of containers on `host` while `action` runs. */
async function onLivingCluster(
  host: Host,
  title: string,
  action: () => Promise<void>,
): Promise<void> {
  const tunnels = await Promise.all(members.map((each) => must(each, "pgrep", "wireguard-go")));
  const started = await Promise.all(members.map(startTimes));
  const traffic = await Promise.all([
    echoes(host, host, true),
    ...members.map((from, index) => echoes(from, members[(index + 1) % members.length] ?? from)),
  ]);
  const starts = startsContainers(host);
  let gaps: number[] = [];
  try {
    await action();
  } finally {
    const ended = await Promise.allSettled([starts.stop(), ...traffic.map((each) => each.stop())]);
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") process.stdout.write(`${title}: ${failed.reason}\n`);
    assert.equal(failed, undefined);
    gaps = await Promise.all(
      ended.slice(1).map((each) => (each.status === "fulfilled" ? Number(each.value) : 99)),
    );
  }
  const [machine = 0, ...between] = gaps;
  const { count, longest } = await starts.stop();
  process.stdout.write(
    `${title}: longest gap ${Math.max(...between).toFixed(2)} s (inside one container ${machine.toFixed(2)} s); ${count} containers started, the slowest in ${longest.toFixed(2)} s\n`,
  );
  assert.ok(Math.max(...between) < GAP_S + 2 * machine, `gaps of ${between}`);
  assert.deepEqual(
    await Promise.all(members.map(startTimes)),
    started,
    "a container was restarted",
  );
  assert.deepEqual(
    await Promise.all(members.map((each) => must(each, "pgrep", "wireguard-go"))),
    tunnels,
    "a tunnel's process was replaced",
  );
}

function startTimes(host: Host): Promise<string> {
  return must(host, "docker", "inspect", "-f", "{{.Id}} {{.State.StartedAt}}", `c${host.number}`);
}

/** "version+revision" of an executable on a host. */
async function buildOf(host: Host, path: string): Promise<string> {
  const { version, revision } = JSON.parse(await must(host, path, "version", "-o", "json"));
  return `${version}+${revision}`;
}

/** id → build of each peer, as a host shows it. */
async function buildsSeen(host: Host): Promise<Record<string, string>> {
  const { peers } = JSON.parse(await must(host, "hansa", "status", "-o", "json"));
  return Object.fromEntries(
    peers.map(({ id, version }: { id: number; version: string }) => [id, version]),
  );
}

test("what is no build, or cannot read what is on disk, is refused in a sentence and changes nothing", async () => {
  const [host] = members;
  assert.ok(host);
  const old = `#!/bin/sh
echo '{"version":"0.0.9","revision":"old","formats":{"node.json":0}}'
`;
  await host.exec(["tee", "/tmp/too-old"], { stdin: old });
  await must(host, "chmod", "+x", "/tmp/too-old");
  const before = await must(host, "sh", "-c", "ls -li /usr/local/bin/hansa*; cat /run/hansa/*.pid");
  for (const [file, words] of [
    ["/tmp/too-old", /0\.0\.9\+old cannot go on here: node\.json is written in format 1/],
    ["/bin/true", /\/bin\/true is no build of hansa for this host: it does not tell its version/],
    ["/etc/hostname", /it may not be executed/],
    ["/tmp/none", /there is no such file/],
  ] as const) {
    const answer = await host.exec(["/tmp/hansa-new", "upgrade", file]);
    assert.equal(answer.status, 1);
    assert.match(answer.stderr, words);
    assert.match(answer.stderr, /hint: /i);
  }
  const check = await must(host, "/tmp/hansa-new", "upgrade", "--check");
  assert.match(
    check,
    /^replace \/usr\/local\/bin\/hansa: .* by .*\n(replace the process .*\n?){3}$/,
  );
  assert.equal(
    await must(host, "sh", "-c", "ls -li /usr/local/bin/hansa*; cat /run/hansa/*.pid"),
    before,
  );
});

test("each host is upgraded without a lost echo, a restarted container or a refused docker run; status tells who runs what", async () => {
  for (const [index, host] of members.entries()) {
    const [old, fresh] = [await buildOf(host, "hansa"), await buildOf(host, "/tmp/hansa-new")];
    assert.notEqual(old, fresh);
    await onLivingCluster(host, `${host.name} upgraded`, async () => {
      const printed = await must(host, "/tmp/hansa-new", "upgrade");
      assert.equal(printed, `upgraded from ${old} to ${fresh}`);
    });
    assert.equal(await buildOf(host, "hansa"), fresh);
    assert.equal(await buildOf(host, "hansa.previous"), old);
    await fullMesh(members, 15_000);
    await eventually("status tells the builds", 10_000, async () => {
      const seen = await buildsSeen(host);
      const isRight = members.every(({ number }, at) => (seen[number] === fresh) === at <= index);
      if (isRight) return true;
      throw new Error(JSON.stringify(seen));
    });
  }
  const [host] = members;
  assert.ok(host);
  assert.match(await must(host, "/tmp/hansa-new", "upgrade"), /and so is all that runs$/);
});

test("from now on the plugin hands over: the installed program upgrades itself to the build before and back", async () => {
  const [first, host] = members;
  assert.ok(first && host);
  const old = await buildOf(host, "hansa.previous");
  const fresh = await buildOf(host, "hansa");
  await onLivingCluster(host, "rolled back by hand", async () => {
    assert.equal(
      await must(host, "hansa", "upgrade", "--rollback"),
      `rolled back from ${fresh} to ${old}`,
    );
  });
  // Asked of another host: the build before may not tell yet.
  await eventually("host1 sees the older build", 10_000, async () =>
    (await buildsSeen(first))["2"] !== fresh ? true : undefined,
  );
  await onLivingCluster(host, "upgraded again", async () => {
    await must(host, "/tmp/hansa-new", "upgrade", "/tmp/hansa-new");
  });
  assert.equal((await buildsSeen(host))["2"], fresh);
});

test("a build under which the node does not run is taken back by itself", async () => {
  const [, , host] = members;
  assert.ok(host);
  const broken = `#!/bin/sh
case $1 in version) echo '{"version":"9.9.9","revision":"broken"}' ;; *) exit 1 ;; esac
`;
  await host.exec(["tee", "/tmp/broken"], { stdin: broken });
  await must(host, "chmod", "+x", "/tmp/broken");
  const fresh = await buildOf(host, "hansa");
  await onLivingCluster(host, "taken back", async () => {
    const answer = await host.exec(["hansa", "upgrade", "--wait", "15", "/tmp/broken"]);
    assert.equal(answer.status, 1);
    assert.match(answer.stderr, /9\.9\.9\+broken was not healthy .*; .* runs again/);
  });
  assert.equal(await buildOf(host, "hansa"), fresh);
  await fullMesh(members, 15_000);
  assert.equal((await buildsSeen(host))["3"], fresh);
  await eventually("the supervisor runs", 5_000, async () =>
    (await host.exec(["pgrep", "-f", "hansa supervise"])).status === 0 ? true : undefined,
  );
});
