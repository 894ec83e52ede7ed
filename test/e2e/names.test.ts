/** Names: containers and nodes of the whole cluster, asked for from containers, from hosts, across splits and a killed daemon. */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  type Answer,
  addressOf,
  eventually,
  fullMesh,
  hansa,
  hosts,
  launchTogether,
  must,
  NETWORK,
  serve,
} from "./cluster.ts";

const PROBE = join(import.meta.dirname, "name-probe.ts");
const ELSEWHERE = "203.0.113.7";
/** What is promised: cluster-wide within a second of a start and of an end. */
const LIVE_MS = 1_000;
/** By the clock; sooner nobody who fell silent is held dead. */
const HELD_DEAD_MS = 4_000;

let playground: Playground;
let h1: Host;
let h2: Host;
let h3: Host;
let upstream: ChildProcessWithoutNullStreams;
const asked: string[] = [];

before(async () => {
  playground = await hosts("names", 3);
  [h1, h2, h3] = [playground.host(1), playground.host(2), playground.host(3)];
  upstream = playground.outside.spawn([
    process.execPath,
    PROBE,
    "serve",
    playground.outside.address,
    ELSEWHERE,
  ]);
  upstream.stdout.on("data", (chunk: Buffer) => asked.push(...`${chunk}`.trim().split("\n")));
  await launchTogether([h1, h2, h3]);
  await eventually(
    "the name server outside",
    5_000,
    async () => asked.includes("serving") || undefined,
  );
  await Promise.all([h1, h2, h3].map((host) => serve(host, `c${host.number}`)));
  for (const [host, name] of [h1, h2, h3].flatMap((each) =>
    ["c1", "c2", "c3"].map((name) => [each, name] as const),
  )) {
    await eventually(`${name} is known on ${host.name}`, 10_000, async () =>
      (await lookUp(host, `c${host.number}`, `${name}.hansa`)).length === 1 ? true : undefined,
    );
  }
});
after(async () => {
  upstream?.kill();
  await playground?.down();
});

interface Dns {
  readonly rcode: number;
  readonly truncated: boolean;
  readonly authoritative: boolean;
  readonly authority: readonly number[];
  readonly ttls: readonly number[];
  readonly answers: readonly string[];
}

/** Runs the probe in a host's network, with this machine's files: a host does not see the folder that the tests are in. */
function probe(host: Host, ...words: string[]): ChildProcessWithoutNullStreams {
  return spawn("nsenter", ["-t", `${host.pid}`, "-n", "--", process.execPath, PROBE, ...words]);
}

/** The first that a program prints; "" when it ends without a word. It may go on to print. */
function firstWords(child: ChildProcessWithoutNullStreams): Promise<string> {
  return new Promise((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => resolve(`${chunk}`));
    child.on("close", () => resolve(""));
  });
}

/** A question from a host itself. */
async function ask(host: Host, ...words: string[]): Promise<Dns> {
  return JSON.parse(await firstWords(probe(host, "ask", ...words)));
}

/** What a program in container `from` finds behind the name; none when it finds nothing. */
async function lookUp(host: Host, from: string, name: string): Promise<string[]> {
  const { stdout } = await inside(host, from, `nslookup -type=a ${name}`);
  const answer = stdout.split("\n\n").slice(1).join("\n");
  return [...answer.matchAll(/^Address: (.*)$/gm)].map(([, address = ""]) => address).sort();
}

function inside(host: Host, container: string, script: string): Promise<Answer> {
  return host.exec(["docker", "exec", container, "sh", "-c", script], { timeoutMs: 120_000 });
}

/** Waits inside a container until the name is there, or is not; begun before `act`, it returns how long after `act` that was. */
async function msAfter(
  act: () => Promise<unknown>,
  [host, from]: readonly [Host, string],
  name: string,
  isThere: boolean,
): Promise<number> {
  const loop = `until ${isThere ? "" : "! "}nslookup -type=a ${name} >/dev/null; do usleep 10000; done`;
  const waiting = inside(host, from, `timeout 60 sh -c '${loop}'`).then(({ status: code }) => {
    assert.equal(code, 0, `${name} ${isThere ? "did not come" : "stayed"}`);
    return fairNow();
  });
  await act();
  const done = fairNow();
  return (await waiting) - done;
}

test("a container finds those of other hosts by name, and talks to them", async () => {
  const address = await addressOf(h2, "c2");
  assert.deepEqual(await lookUp(h1, "c1", "c2.hansa"), [address]);
  assert.deepEqual(await lookUp(h1, "c1", "C2.Hansa"), [address]);
  const { stdout } = await inside(h1, "c1", "wget -qO- -T 10 http://c2.hansa/");
  assert.equal(stdout.trim(), "c2");
  assert.deepEqual(await lookUp(h1, "c1", "nobody.hansa"), []);
  assert.deepEqual(await lookUp(h3, "c3", "host2.node.hansa"), ["10.32.0.2"]);
  const searched = await must(
    h3,
    ...["docker", "run", "--rm", ...NETWORK, "--dns-search", "hansa", "busybox"],
    ...["sh", "-c", "nslookup -type=a c2.hansa | tail -3"],
  );
  assert.ok(searched.includes(address), searched);
});

test("a name is there within a second of the start, on every other host, and gone within a second of the end", async () => {
  const run = ["docker", "run", "-d", "--name", "web", ...NETWORK, "busybox", "sleep", "1000"];
  const [first, second] = await Promise.all([
    msAfter(() => must(h2, ...run), [h1, "c1"], "web.hansa", true),
    msAfter(() => Promise.resolve(), [h3, "c3"], "web.hansa", true),
  ]);
  assert.ok(first <= LIVE_MS, `there after ${first.toFixed(0)} ms`);
  assert.ok(second > 0);
  const gone = await msAfter(
    () => must(h2, "docker", "kill", "web"),
    [h1, "c1"],
    "web.hansa",
    false,
  );
  assert.ok(gone <= LIVE_MS, `gone after ${gone.toFixed(0)} ms`);
  await must(h2, "docker", "rm", "web");
  console.log(`    there after ${first.toFixed(0)} ms, gone after ${gone.toFixed(0)} ms`);
});

test("of one name on several hosts all are found; renames, aliases, and the network's coming and going are followed", async () => {
  const run = (...options: string[]): string[] => [
    ...["docker", "run", "-d", ...options],
    ...["busybox", "sleep", "1000"],
  ];
  await must(h1, ...run("--name", "a1", ...NETWORK, "--network-alias", "shop"));
  await must(h2, ...run("--name", "a2", ...NETWORK, "--network-alias", "shop"));
  const both = [await addressOf(h1, "a1"), await addressOf(h2, "a2")].sort();
  const found = async (name: string, wanted: readonly string[]): Promise<void> => {
    await eventually(`${name} is ${wanted.join()}`, 3_000, async () => {
      const now = await lookUp(h3, "c3", name);
      if (now.join() !== wanted.join()) throw new Error(now.join());
      return true;
    });
  };
  await found("shop.hansa", both);
  await must(h1, "docker", "rename", "a1", "other_name.x-1");
  await found("other_name.x-1.hansa", [await addressOf(h1, "other_name.x-1")]);
  await found("a1.hansa", []);
  await must(h2, "docker", "network", "disconnect", "hansa", "a2");
  await found("a2.hansa", []);
  await must(h2, "docker", "network", "connect", "--alias", "back", "hansa", "a2");
  await found("back.hansa", [await addressOf(h2, "a2")]);
  await must(h1, "docker", "rm", "-f", "other_name.x-1");
  await must(h2, "docker", "rm", "-f", "a2");
  await found("shop.hansa", []);
});

test("names elsewhere go to the server that they were meant for, and ours do not", async () => {
  asked.length = 0;
  assert.deepEqual(await lookUp(h1, "c1", "www.example.com"), [ELSEWHERE]);
  assert.deepEqual(await lookUp(h1, "c1", "hansa.example.com"), [ELSEWHERE]);
  assert.equal((await lookUp(h1, "c1", "c3.hansa")).length, 1);
  assert.deepEqual(await lookUp(h1, "c1", "nobody.hansa"), []);
  assert.deepEqual(new Set(asked), new Set(["asked www.example.com", "asked hansa.example.com"]));
});

test("a host whose name server is a loopback address, and containers on other networks too", async () => {
  await must(
    h3,
    "sh",
    "-c",
    "cp /etc/resolv.conf /tmp/resolv.conf; echo nameserver 127.0.0.1 >/etc/resolv.conf",
  );
  const local = probe(h3, "serve", "127.0.0.1", "198.51.100.9");
  try {
    assert.match(await firstWords(local), /serving/);
    await must(h3, "docker", "network", "create", "aaa");
    await must(
      h3,
      ...["docker", "run", "-d", "--name", "two", ...NETWORK, "busybox", "sleep", "999"],
    );
    await must(h3, "docker", "network", "connect", "aaa", "two");
    const address = await addressOf(h1, "c1");
    assert.deepEqual(await lookUp(h3, "two", "c1.hansa"), [address]);
    assert.deepEqual(await lookUp(h3, "two", "example.com"), ["198.51.100.9"]);
    assert.match(await must(h3, "getent", "hosts", "c1.hansa"), new RegExp(address));
    // One port for names of both kinds: what the kernel remembers of one must not lead the other astray.
    const turns = ["example.com", "c1.hansa", "example.com", "c1.hansa"];
    const found = JSON.parse(await firstWords(probe(h3, "turns", "127.0.0.1", ...turns)));
    assert.deepEqual(found, ["198.51.100.9", address, "198.51.100.9", address]);
    await must(h3, "cp", "/tmp/resolv.conf", "/etc/resolv.conf");
    await must(h3, "docker", "restart", "-t", "0", "two");
    assert.deepEqual(await lookUp(h3, "two", "c1.hansa"), [address]);
    assert.deepEqual(await lookUp(h3, "two", "example.com"), [ELSEWHERE]);
  } finally {
    local.kill();
    await h3.exec(["cp", "/tmp/resolv.conf", "/etc/resolv.conf"]);
    await h3.exec(["docker", "rm", "-f", "two"]);
  }
});

test("a container on Docker's default bridge too, whichever came first; one that is on nothing else keeps names elsewhere", async () => {
  const address = await addressOf(h2, "c2");
  const sleep = ["busybox", "sleep", "1000"];
  await must(h1, "docker", "run", "-d", "--name", "late", ...sleep);
  await must(h1, "docker", "create", "--name", "early", ...NETWORK, ...sleep);
  try {
    assert.deepEqual(await lookUp(h1, "late", "www.example.com"), [ELSEWHERE]);
    await must(h1, "docker", "network", "connect", "hansa", "late");
    await must(h1, "docker", "network", "connect", "bridge", "early");
    await must(h1, "docker", "start", "early");
    for (const name of ["late", "early"]) {
      // Docker gives such a container its default route by the default bridge: else this would prove nothing.
      const route = await inside(h1, name, "ip route show default");
      assert.match(route.stdout, /via 172\./, name);
      assert.deepEqual(await lookUp(h1, name, "c2.hansa"), [address], name);
      assert.deepEqual(await lookUp(h1, name, "www.example.com"), [ELSEWHERE], name);
      const { stdout } = await inside(h1, name, "wget -qO- -T 10 http://c2.hansa/");
      assert.equal(stdout.trim(), "c2", name);
    }
  } finally {
    await h1.exec(["docker", "rm", "-f", "late", "early"]);
  }
});

test("the server itself: types, reverse names, what is not there, TCP, from a container, and nothing for the outside", async () => {
  const address = await addressOf(h2, "c2");
  const one = await ask(h1, "10.32.0.1", "udp", "c2.hansa");
  assert.deepEqual(one, {
    rcode: 0,
    truncated: false,
    authoritative: true,
    authority: [],
    ttls: [1],
    answers: [address],
  });
  assert.deepEqual((await ask(h1, "10.32.0.1", "tcp", "c2.hansa", "A", "1232")).answers, [address]);
  assert.deepEqual((await ask(h1, "10.32.0.3", "udp", "c2.hansa")).answers, [address]);
  const direct = await inside(h1, "c1", "nslookup -type=a c2.hansa 10.32.0.1");
  assert.ok(direct.stdout.includes(`Address: ${address}`), direct.stdout);
  const reverse = `${address.split(".").toReversed().join(".")}.in-addr.arpa`;
  assert.deepEqual((await ask(h1, "10.32.0.1", "udp", reverse, "PTR")).answers, ["c2.hansa"]);
  const none = await ask(h1, "10.32.0.1", "udp", "c2.hansa", "AAAA");
  assert.deepEqual([none.rcode, none.answers, none.authority], [0, [], [6]]);
  assert.equal((await ask(h1, "10.32.0.1", "udp", "nobody.hansa")).rcode, 3);
  assert.equal((await ask(h1, "10.32.0.1", "udp", "example.com")).rcode, 5);
  // From another host, by way of the underlay's addresses or past the tunnel, nobody answers.
  assert.equal((await ask(h1, h2.ip(), "udp", "c2.hansa")).rcode, -1);
  const past = ["ask", h1.ip(), "udp", "c2.hansa"];
  const printed = await firstWords(playground.outside.spawn([process.execPath, PROBE, ...past]));
  assert.match(printed, /"rcode":-1/);
});

test("status shows the names, as table and document", async () => {
  const { stdout, stderr } = await hansa(h1, "status", "--dns");
  assert.equal(stderr, "[hansa] DNS status:\n");
  const id = (await must(h2, "docker", "inspect", "-f", "{{.Id}}", "c2")).slice(0, 12);
  const address = await addressOf(h2, "c2");
  assert.match(stdout, new RegExp(`^c2\\.hansa +${address} +${id} 2\\(host2\\)$`, "m"));
  assert.match(stdout, /^host3\.node\.hansa +10\.32\.0\.3 +- +3\(host3\)$/m);
  const { dns } = JSON.parse(await must(h1, "hansa", "status", "--dns", "-o", "json"));
  assert.deepEqual([dns.domain, dns.address, dns.ttl, dns.ready], ["hansa", "10.32.0.1", 1, true]);
  const { DNS } = JSON.parse(await must(h1, "hansa", "inspect"));
  assert.equal(DNS.Domain, "hansa.");
  assert.ok(DNS.Entries.some((entry: { Hostname: string }) => entry.Hostname === "c2.hansa."));
});

test("kill -9 of the daemon: names elsewhere never fail, ours are back once it is", async () => {
  const loop =
    "while :; do nslookup -type=a www.example.com >/dev/null && echo good || echo bad; done";
  const outside = h1.spawn(["docker", "exec", "c1", "sh", "-c", loop]);
  let seen = "";
  outside.stdout.on("data", (chunk: Buffer) => {
    seen += chunk;
  });
  await eventually("names elsewhere", 5_000, async () => seen.includes("good") || undefined);
  const daemon = await must(h1, "pgrep", "-f", "^hansa daemon|hansa daemon$|/hansa daemon");
  // Names of this host's containers stay with the others all the time.
  const watching = h3.spawn([
    ...["docker", "exec", "c3", "sh", "-c"],
    "while :; do nslookup -type=a c1.hansa >/dev/null && echo there || echo gone; usleep 20000; done",
  ]);
  let there = "";
  watching.stdout.on("data", (chunk: Buffer) => {
    there += chunk;
  });
  await must(h1, "kill", "-9", ...daemon.split("\n"));
  const killed = performance.now();
  const isBack = async (): Promise<true | undefined> =>
    (await ask(h1, "10.32.0.1", "udp", "c2.hansa")).answers?.length === 1 || undefined;
  await eventually("the new daemon knows the other hosts' names", 10_000, isBack);
  const awayMs = performance.now() - killed;
  console.log(`    ours back after ${awayMs.toFixed(0)} ms`);
  assert.equal((await lookUp(h1, "c1", "c2.hansa")).length, 1);
  await fullMesh([h1, h2, h3], 15_000);
  outside.kill();
  watching.kill();
  assert.ok(!seen.includes("bad"), `a name elsewhere failed: ${seen.replaceAll("good\n", ".")}`);
  assert.ok(there.includes("there"));
  // A daemon that takes longer to start is held dead meanwhile, rightly.
  if (awayMs < HELD_DEAD_MS) assert.ok(!there.includes("gone"), "the names were gone elsewhere");
});

test("a split: names of the other side vanish, each side's own stay live; after the heal all are back", async () => {
  await playground.part([[1, 2], [3]]);
  await eventually("c3 is gone", 20_000, async () =>
    (await lookUp(h1, "c1", "c3.hansa")).length === 0 ? true : undefined,
  );
  await eventually("c1 is gone", 20_000, async () =>
    (await lookUp(h3, "c3", "c1.hansa")).length === 0 ? true : undefined,
  );
  assert.deepEqual(await lookUp(h3, "c3", "host1.node.hansa"), []);
  assert.equal((await lookUp(h1, "c1", "c2.hansa")).length, 1);
  await serve(h3, "split3");
  await must(h3, "docker", "rm", "-f", "c3");
  const live = await msAfter(() => serve(h2, "split2"), [h1, "c1"], "split2.hansa", true);
  assert.ok(live <= LIVE_MS, `there after ${live.toFixed(0)} ms`);
  await playground.heal();
  const healed = await addressOf(h3, "split3");
  await eventually("names of the other side are back", 20_000, async () =>
    (await lookUp(h1, "c1", "split3.hansa")).join() === healed ? true : undefined,
  );
  await eventually("and on that side too", 20_000, async () =>
    (await lookUp(h3, "split3", "split2.hansa")).length === 1 ? true : undefined,
  );
  assert.deepEqual(await lookUp(h1, "c1", "c3.hansa"), [], "it ended during the split");
});
