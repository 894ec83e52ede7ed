/** The playground on real namespaces, links and Docker Engines. Its hosts see a stand-in for hansa that writes down when it was called. */
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isHansaError } from "../../src/errors.ts";
import { hostDir } from "../../src/playground/layout.ts";
import { type Host, Playground } from "../../src/playground/playground.ts";
import { fairNow, slowness } from "../fair-time.ts";
import { remainsOf } from "./remains.ts";

const NAME = "hpgt";
const STAND_IN = `#!/bin/sh
docker=down
[ -e /run/playground/dockerd.pid ] && docker=started
echo "$* docker-$docker" >>/var/lib/hansa/calls
`;

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
const folder = mkdtempSync(join(tmpdir(), "hpgt-"));

before(async () => {
  // From here on it is known how slow the machine is.
  fairNow();
  const binary = join(folder, "hansa");
  writeFileSync(binary, STAND_IN, { mode: 0o755 });
  playground = await Playground.up({ name: NAME, hosts: 3, links: 2, binary });
  one = playground.host(1);
  two = playground.host(2);
  three = playground.host(3);
});
after(async () => {
  await playground?.down();
  rmSync(folder, { recursive: true, force: true });
});

async function out(host: Host, ...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await host.exec(argv, { timeoutMs: 300_000 });
  assert.equal(status, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** True as soon as one packet went there and back. */
async function hears(from: Host, to: string): Promise<boolean> {
  return (await from.exec(["ping", "-c", "1", "-W", "3", to])).status === 0;
}

/** True when nothing came back for a while. */
async function isDeaf(from: Host, to: string): Promise<boolean> {
  return (await from.exec(["ping", "-c", "1", "-W", "0.3", to])).status !== 0;
}

/** Round trip times in milliseconds of the pings that were answered. */
async function roundTrips(from: Host, to: string, count: number): Promise<number[]> {
  const argv = ["ping", "-c", `${count}`, "-i", "0.01", "-W", "3", to];
  const { stdout } = await from.exec(argv);
  return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

async function eventually(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) assert.fail(`not within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function ended(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once("exit", resolve));
}

test("each host has its own engine, host name, processes and disk", async () => {
  const ids = await Promise.all(
    playground.hosts().map((host) => out(host, "docker", "info", "-f", "{{.ID}}")),
  );
  assert.equal(new Set(ids).size, 3, ids.join(" "));
  assert.equal(await out(two, "hostname"), "host2");
  assert.equal(await out(two, "cat", "/proc/1/comm"), "tini");
  await out(one, "touch", "/var/lib/hansa/mine", "/etc/mine", "/tmp/mine", "/run/mine");
  for (const path of ["/var/lib/hansa/mine", "/etc/mine", "/tmp/mine", "/run/mine"]) {
    assert.notEqual((await two.exec(["test", "-e", path])).status, 0, path);
    assert.notEqual(spawnSync("test", ["-e", path]).status, 0, `${path} on the machine`);
  }
});

test("what a host writes at home is its own, and the contexts of who tries it are not there", async () => {
  await out(one, "sh", "-c", "mkdir -p ~/.hansa/contexts && echo mine > ~/.hansa/contexts/one");
  assert.equal(await out(one, "cat", "/root/.hansa/contexts/one"), "mine");
  assert.equal((await two.exec(["ls", "/root/.hansa/contexts"])).status, 2);
  assert.ok(!existsSync("/root/.hansa/contexts/one"));
  // A whiteout, whether there is anything to hide on this machine or not.
  const disk = join(hostDir(NAME, 2), "root/.hansa");
  assert.ok(statSync(disk).isCharacterDevice());
});

test("docker run busybox works, with the applets that people use", async () => {
  assert.equal(await out(one, "docker", "run", "--rm", "busybox", "echo", "hello"), "hello");
  const serve = "echo hi >/index.html; exec httpd -f -h /";
  await out(one, "docker", "run", "-d", "--name", "web", "busybox", "sh", "-c", serve);
  const format = "{{.NetworkSettings.IPAddress}}";
  const url = `http://${await out(one, "docker", "inspect", "-f", format, "web")}/`;
  const fetch = `until wget -qO- -T 2 ${url}; do usleep 10000; done`;
  const argv = ["docker", "exec", "web", "timeout", "60", "sh", "-c", fetch];
  assert.equal(await out(one, ...argv), "hi");
  await out(one, "docker", "rm", "-f", "web");
});

test("hosts hear one another by name on every link, and the outside is there", async () => {
  for (const name of ["host2", "host2-b", "host3", "host3-b", playground.outside.address]) {
    assert.ok(await hears(one, name), name);
  }
});

test("exec passes input, environment, output and status, and a late program is killed", async () => {
  const script = "cat; echo $WORD >&2; exit 7";
  const options = { stdin: "in\n", env: { WORD: "word" } };
  const answer = await one.exec(["sh", "-c", script], options);
  assert.deepEqual(answer, { status: 7, stdout: "in\n", stderr: "word\n" });
  assert.equal((await one.exec(["no-such-program"])).status, 127);
  assert.equal((await one.exec(["sh", "-c", "kill -9 $$"])).status, 137);
  await assert.rejects(one.exec(["sleep", "4711"], { timeoutMs: 200 }), (error) =>
    isHansaError(error, "COMMAND_TIMEOUT"),
  );
  await eventually(
    "the late program is gone",
    async () => (await one.exec(["pgrep", "-f", "sleep 4711"])).status === 1,
  );
});

test("exec returns when a program has ended, though a daemon of its holds the output open", async () => {
  const start = performance.now();
  assert.equal(await out(one, "sh", "-c", "sleep 120 & echo started"), "started");
  assert.ok(performance.now() - start < 60_000);
});

test("a cut link is dead, the others live, and mend brings it back", async () => {
  await playground.cut(2, 0);
  assert.ok(await isDeaf(one, "host2"));
  assert.ok(await hears(one, "host2-b"));
  assert.ok(await hears(one, "host3"));
  await playground.cut(2);
  assert.ok(await isDeaf(one, "host2-b"));
  await playground.mend(2);
  assert.ok(await hears(one, "host2"));
  assert.ok(await hears(two, "host1-b"));
});

test("a split keeps groups apart both ways until it is healed", async () => {
  await playground.part([[1, 2], [3]]);
  assert.ok(await hears(one, "host2"));
  for (const [from, to] of [
    [one, "host3"],
    [three, "host1"],
    [three, "host2-b"],
  ] as const) {
    assert.ok(await isDeaf(from, to), `${from.name} hears ${to}`);
  }
  await playground.heal();
  assert.ok(await hears(one, "host3"));
  assert.ok(await hears(three, "host2-b"));
});

test("a one-way loss drops one direction only", async () => {
  await playground.oneway(1, 2);
  const receivers = [one, two].map((host) => host.spawn(["socat", "-u", "UDP4-RECV:5000", "-"]));
  const heard = receivers.map(() => "");
  for (const [index, receiver] of receivers.entries()) {
    receiver.stdout.on("data", (chunk) => {
      heard[index] += chunk;
    });
  }
  await eventually("host1 hears host2", async () => {
    await two.exec(["socat", "-u", "-", "UDP4:host1:5000"], { stdin: "from two" });
    await one.exec(["socat", "-u", "-", "UDP4:host2:5000"], { stdin: "from one" });
    return heard[0] !== "";
  });
  assert.equal(heard[1], "");
  await playground.heal();
  await eventually("host2 hears host1 again", async () => {
    await one.exec(["socat", "-u", "-", "UDP4:host2:5000"], { stdin: "from one" });
    return heard[1] !== "";
  });
  const ends = receivers.map(ended);
  for (const receiver of receivers) receiver.kill();
  await Promise.all(ends);
});

test("a blocked port is blocked between two hosts only, and other ports are not", async () => {
  const servers = [8000, 8001].map((port) =>
    two.spawn(["socat", `TCP-LISTEN:${port},fork,reuseaddr`, "EXEC:echo open"]),
  );
  const asks = async (from: Host, port: number): Promise<string> =>
    (await from.exec(["socat", "-T1", "-u", `TCP:host2:${port},connect-timeout=0.5`, "-"])).stdout;
  for (const port of [8000, 8001]) {
    await eventually("the server answers", async () => (await asks(one, port)) === "open\n");
  }
  await playground.block(1, 2, "tcp", 8000);
  assert.equal(await asks(one, 8000), "");
  // Those that answer may take longer than the one that is asked in vain may cost.
  await eventually("another port", async () => (await asks(one, 8001)) === "open\n");
  await eventually("another host", async () => (await asks(three, 8000)) === "open\n");
  await playground.heal();
  await eventually("all is open", async () => (await asks(one, 8000)) === "open\n");
  const ends = servers.map(ended);
  for (const server of servers) server.kill();
  await Promise.all(ends);
});

test("a delay makes the round trip longer by twice as much, and a cut link stays cut", async () => {
  await playground.delay(1, 2, 30);
  for (const name of ["host2", "host2-b"]) {
    const times = await roundTrips(one, name, 20);
    assert.equal(times.length, 20);
    const fastest = Math.min(...times);
    // A program of ours holds each packet back, and is late on a busy machine.
    assert.ok(fastest > 58 && fastest < 60 + 40 * slowness(), `${fastest} ms`);
  }
  assert.ok(Math.min(...(await roundTrips(one, "host3", 20))) < 10);
  await playground.cut(2, 0);
  assert.ok(await isDeaf(one, "host2"));
  assert.ok(await hears(one, "host2-b"));
  await playground.mend(2, 0);
  await playground.part([[1], [2]]);
  assert.ok(await isDeaf(one, "host2-b"));
  await playground.heal();
  assert.ok(Math.min(...(await roundTrips(two, "host1", 20))) > 58);
  await playground.delay(2, 1, 0);
  assert.ok(Math.min(...(await roundTrips(one, "host2", 20))) < 10);
  assert.doesNotMatch(await out(one, "ip", "link"), /delay/);
});

test("a lossy pair loses about as many packets as asked for", async () => {
  await playground.delay(1, 2, 0, 20);
  // Both ways: 0.8 x 0.8 of 100 come back.
  const answered = (await roundTrips(one, "host2", 100)).length;
  await playground.delay(1, 2, 0);
  assert.ok(answered > 45 && answered < 82, `${answered} of 100`);
  assert.equal((await roundTrips(one, "host2", 20)).length, 20);
});

test("a power cut loses network and processes, keeps the disk; boot starts hansa before and after docker", async () => {
  await out(
    two,
    "docker",
    "run",
    "-d",
    "--restart",
    "always",
    "--name",
    "c2",
    "busybox",
    "sleep",
    "9999",
  );
  await out(two, "docker", "volume", "create", "v2");
  await out(two, "ip", "link", "add", "left", "type", "bridge");
  await out(two, "sh", "-c", "echo {} >/var/lib/hansa/node.json; echo 1 >/etc/changed");
  await playground.part([[1], [2, 3]]);
  await two.kill();
  assert.ok(!two.isOn);
  await assert.rejects(two.exec(["true"]), (error) => isHansaError(error, "PLAYGROUND_HOST_OFF"));
  assert.ok(await isDeaf(three, "host2"));

  await two.boot();
  await eventually("hansa was called twice", async () => {
    const calls = await out(two, "cat", "/var/lib/hansa/calls");
    return calls === "boot early docker-down\nboot late docker-started";
  });
  assert.match(await out(two, "docker", "volume", "ls"), /v2/);
  assert.equal(await out(two, "cat", "/etc/changed"), "1");
  assert.notEqual((await two.exec(["ip", "link", "show", "left"])).status, 0);
  assert.notEqual((await two.exec(["test", "-e", "/tmp/mine"])).status, 0);
  await eventually("docker starts the container again", async () => {
    const running = await two.docker(["ps", "-q", "-f", "name=c2"]);
    return running.stdout.trim() !== "";
  });
  assert.ok(await hears(three, "host2"));
  assert.ok(await isDeaf(one, "host2"), "the split does not hold after boot");
  await playground.heal();
  assert.ok(await hears(one, "host2"));
});

test("a wiped host comes back as a new machine", async () => {
  const id = await out(three, "docker", "info", "-f", "{{.ID}}");
  await assert.rejects(three.wipe(), /host3 is on/);
  await three.kill();
  await three.wipe();
  await three.boot();
  assert.notEqual(await out(three, "docker", "info", "-f", "{{.ID}}"), id);
  assert.equal(await out(three, "docker", "run", "--rm", "busybox", "echo", "new"), "new");
});

test("docker stays away when stopped and comes back by itself when killed", async () => {
  await one.stopDocker();
  assert.notEqual((await one.docker(["ps"])).status, 0);
  await one.startDocker();
  const before = await out(one, "cat", "/run/playground/dockerd.pid");
  await one.killDocker();
  await one.waitForDocker();
  assert.notEqual(await out(one, "cat", "/run/playground/dockerd.pid"), before);
});

test("commands for what is not there are refused", async () => {
  const notFound = (error: unknown): boolean => isHansaError(error, "PLAYGROUND_NOT_FOUND");
  assert.throws(() => playground.host(4), notFound);
  assert.throws(() => playground.cut(1, 2), notFound);
  assert.throws(() => Playground.attach("nothere"), notFound);
  const usage = (error: unknown): boolean => isHansaError(error, "USAGE");
  for (const hosts of [0, 21, 1.5]) {
    await assert.rejects(Playground.up({ name: NAME, hosts }), usage);
  }
  await assert.rejects(Playground.up({ name: "../x", hosts: 1 }), usage);
  await assert.rejects(playground.delay(1, 1, 5), usage);
});

test("two playgrounds stand side by side with the same addresses", async () => {
  await using other = await Playground.up({ name: "hpgt2", hosts: 1 });
  assert.equal(await out(other.host(1), "hostname"), "host1");
  assert.ok(await isDeaf(other.host(1), two.ip()));
  await other.down();
  assert.deepEqual(remainsOf("hpgt2"), []);
  assert.ok(await hears(one, "host2"));
  assert.equal(await out(one, "docker", "run", "--rm", "busybox", "echo", "still"), "still");
});

test("down leaves nothing: no namespace, mount, process, control group or file", async () => {
  await playground.delay(1, 2, 5);
  assert.notDeepEqual(remainsOf(NAME), []);
  await playground.down();
  assert.deepEqual(remainsOf(NAME), []);
});
