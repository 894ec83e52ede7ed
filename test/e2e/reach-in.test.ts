/** From a machine that is no node into containers on any node: exec, logs, cp, top, stats, port-forward and events. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { type Answer, eventually, hosts, launchTogether, must, NETWORK } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
/** No node: it has a context for host1 only, in its order. */
let laptop: Host;

/** The hosts of a playground share their home, so contexts go elsewhere. */
const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;

before(async () => {
  playground = await hosts("e2ereach", 3);
  [one, two, laptop] = [1, 2, 3].map((number) => playground.host(number)) as [Host, Host, Host];
  await launchTogether([one, two]);
  const sleeper = ["busybox", "sleep", "100000"];
  await Promise.all([
    must(one, "docker", "run", "-d", "--name", "near", ...NETWORK, ...sleeper),
    must(two, "docker", "run", "-d", "--name", "far", ...NETWORK, ...sleeper),
    must(one, "docker", "run", "-d", "--name", "twin", ...NETWORK, ...sleeper),
    must(two, "docker", "run", "-d", "--name", "twin", ...NETWORK, ...sleeper),
    must(two, "docker", "run", "-d", "--name", "private", ...sleeper),
  ]);
  for (const [name, role] of [
    ["ops", "operator"],
    ["eve", "viewer"],
    ["root", "admin"],
  ]) {
    const exported = ["context", "export", "--role", `${role}`, "--for", `${name}`];
    const words = (await must(one, "hansa", ...exported)).split(" ");
    await must(laptop, ...OURS, "hansa", "context", "import", ...words, "--name", `${name}`);
  }
  await must(laptop, ...OURS, "hansa", "context", "switch", "ops");
  await eventually("host1 knows what runs on host2", 10_000, async () =>
    (await ran("exec", "far", "true")).status === 0 ? true : undefined,
  );
});
after(() => playground?.down());

function ran(...words: string[]): Promise<Answer> {
  return laptop.exec([...OURS, "hansa", ...words], { timeoutMs: 120_000 });
}

function prints(...words: string[]): Promise<string> {
  return must(laptop, ...OURS, "hansa", ...words);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("exec on any node: outputs apart, the command's own exit status, user, folder and variables", async () => {
  for (const container of ["near", "far", "host2/far", "2/far"]) {
    const answer = await ran("exec", container, "sh", "-c", "echo out; echo bad >&2; exit 3");
    assert.deepEqual(answer, { status: 3, stdout: "out\n", stderr: "bad\n" });
  }
  assert.equal((await ran("exec", "far", "true")).status, 0);
  assert.equal((await ran("exec", "far", "no-such-program")).status, 127);
  const told = "pwd; echo $A $B; id -u";
  const options = ["-w", "/tmp", "-e", "A=1", "--env", "B=two words", "-u", "65534"];
  assert.equal(
    await prints("exec", ...options, "far", "sh", "-c", told),
    "/tmp\n1 two words\n65534",
  );
  assert.equal(
    await must(two, "hansa", "exec", "near", "hostname"),
    await prints("exec", "near", "hostname"),
  );
});

test("exec -i takes bytes in and out as they are, a megabyte of them", async () => {
  const bytes = randomBytes(1024 * 1024);
  for (const container of ["near", "far"]) {
    const argv = [...OURS, "hansa", "exec", "-i", container, "sha256sum"];
    const { stdout } = await laptop.exec(argv, { stdin: bytes });
    assert.equal(stdout.split(" ")[0], sha256(bytes));
    const back = `${OURS.join(" ")} hansa exec -i ${container} cat | sha256sum`;
    const echoed = await laptop.exec(["sh", "-c", back], { stdin: bytes });
    assert.equal(echoed.stdout.split(" ")[0], sha256(bytes));
  }
});

test("exec refuses what is ambiguous, unknown, outside of the network, and whoever only reads", async () => {
  const twin = await ran("exec", "twin", "true");
  assert.equal(twin.status, 1);
  assert.match(
    twin.stderr,
    /Error: twin may be any of host1\/twin, host2\/twin\n.*Hint: name the node too/,
  );
  assert.equal((await ran("exec", "host2/twin", "true")).status, 0);
  assert.equal((await ran("exec", "nowhere", "true")).status, 3);
  assert.equal((await ran("exec", "host7/far", "true")).status, 3);
  const outside = await ran("exec", "host2/private", "true");
  assert.match(
    outside.stderr,
    /Error: the container private is not on the network hansa, and ops is operator/,
  );
  assert.equal((await ran("--context", "root", "exec", "host2/private", "true")).status, 0);
  const viewer = await ran("--context", "eve", "exec", "far", "touch", "/tmp/eve");
  assert.equal(viewer.status, 1);
  assert.match(viewer.stderr, /Error: exec needs the role operator, and eve is viewer/);
  assert.equal((await ran("exec", "far", "ls", "/tmp/eve")).status, 1);
  const log = await must(two, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(
    log,
    /"who":"ops","role":"operator".*"via":"host1","operation":"exec","container":"host2\/far","result":"ok"/,
  );
  assert.doesNotMatch(log, /sha256sum|two words/);
});

test("exec -t: the terminal has our size, follows its changes, takes Ctrl-C, and ours is restored", async () => {
  // Without a line editor in between: that of busybox asks the terminal where its cursor is, and swallows what comes instead.
  const asked = `trap "echo caught" INT; stty size; while :; do read word; stty size; [ "$word" = end ] && exit 9; done`;
  const inner = [
    "stty rows 31 cols 77",
    `${OURS.join(" ")} hansa exec -it far sh -c '${asked}'`,
    "echo status $?",
    "stty -a | grep -o -- '-\\?icanon'",
  ].join("; ");
  // util-linux's script gives a terminal; what is typed goes through its standard input.
  const child = laptop.spawn(["script", "-qefc", inner, "/dev/null"]);
  let seen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const until = (what: RegExp) =>
    eventually(`${what}`, 15_000, async () => {
      if (what.test(seen)) return true;
      throw new Error(`seen: ${seen}`);
    });
  try {
    // The first size may come just after the command began: Docker before 23 has no other way.
    const asks = (size: RegExp) =>
      eventually(`${size}`, 15_000, async () => {
        if (size.test(seen)) return true;
        child.stdin.write("\r");
        await new Promise((resolve) => setTimeout(resolve, 200));
        throw new Error(`seen: ${seen}`);
      });
    await until(/stty|31 77/);
    await asks(/31 77\r+\n/);
    const pts = await must(laptop, "sh", "-c", "ls -t /dev/pts | grep -v ptmx | head -1");
    await must(laptop, "stty", "-F", `/dev/pts/${pts}`, "rows", "12", "cols", "50");
    await asks(/12 50\r+\n/);
    child.stdin.write("\x03");
    await until(/caught/);
    child.stdin.write("end\r");
    await until(/status 9/);
    await until(/^icanon/m);
  } finally {
    child.kill("SIGKILL");
  }
});
