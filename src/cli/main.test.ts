import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { parse as parseYaml } from "yaml";
import { createApi } from "../api/create-api.ts";
import { exampleStatus } from "../api/example-answers.ts";
import { FakeNode } from "../api/fake-node.ts";
import { serveUnix, type UnixListener } from "../api/serve-unix.ts";
import { VERSION } from "../api/version.ts";
import { HansaError } from "../errors.ts";
import { allCommands, COMMAND_NAMES } from "./command-table.ts";
import { type FakeTerminalOptions, type Ran, runFake } from "./fake-terminal.ts";

const MAIN = join(import.meta.dirname, "../main.ts");

let folder: string;
let socket: string;
let node: FakeNode;
let listener: UnixListener;
const defects: unknown[] = [];
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "hansa-cli-"));
  socket = join(folder, "hansa.sock");
  node = new FakeNode();
  listener = await serveUnix(createApi(node, { onDefect: (error) => defects.push(error) }), {
    path: socket,
  });
  writeFileSync(join(folder, "empty"), "\n");
  writeFileSync(join(folder, "lines"), "a\nb\n");
  writeFileSync(join(folder, "long"), "x".repeat(5000));
  writeFileSync(join(folder, "token"), "a-token\n");
});
after(async () => {
  await listener.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  node.current = exampleStatus();
  node.failure = undefined;
});

const run = (line: string, options: FakeTerminalOptions = {}): Promise<Ran> =>
  runFake(line.split(" ").filter(Boolean), { socket, ...options });

/** Spawns the sources as a user runs the program. */
function spawned(path: string, argv: readonly string[], env: Record<string, string>): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path, ...argv], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      stdout += part;
    });
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      stderr += part;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ exit: code ?? -1, stdout, stderr }));
  });
}

/** Exactly one sentence, at least one hint, the trailer; no data and no stack. */
function assertRefused({ exit, stdout, stderr }: Ran, sentence: RegExp, hint = /./): void {
  const [first = "", ...rest] = stderr.trimEnd().split("\n");
  assert.equal(exit, 1, stderr);
  assert.equal(stdout, "");
  assert.match(first, /^\[hansa\] Error: [^\n]+[^.]$/);
  assert.match(first, sentence);
  assert.equal(rest.pop(), "[hansa] [action aborted]");
  assert.ok(rest.length > 0, "no hint");
  for (const line of rest) assert.match(line, /^\[hansa\] Hint: ./);
  assert.match(rest.join("\n"), hint);
  assert.doesNotMatch(stderr, /\.ts:|node:internal/);
}

const TOKEN = "--token t";
for (const [line, sentence, hint] of [
  ["launch --token t", /missing required parameter: id$/, /launch --help/],
  ["launch --id 1", /missing required parameter: token$/, /launch --help/],
  ["launch --id 1 --token=", /missing required parameter: token$/, /./],
  ...["0", "-1", "65536", "1.5", "abc", "01", "1e3"].map(
    (id) =>
      [
        `launch --id ${id} ${TOKEN}`,
        new RegExp(`invalid argument: id, required: number \\[1-65535\\], received: ${id}$`),
        /launch --help/,
      ] as const,
  ),
  [`launch --id= ${TOKEN}`, /invalid argument: id, .* received: $/, /./],
  [`launch --id 1 ${TOKEN} --fast`, /unknown option: --fast$/, /launch --help/],
  [`launch --id 1 ${TOKEN} --clutser x`, /unknown option: --clutser$/, /did you mean --cluster\?/],
  [`launch --id 1 ${TOKEN} host1:99999`, /invalid argument: HOST, .* received: host1:99999$/, /./],
  [`launch --id 1 ${TOKEN} http://host1`, /received: http:\/\/host1$/, /./],
  [`launch --id 1 ${TOKEN} --subnet 10.32.0.1/12`, /subnet, .* received: 10.32.0.1\/12$/, /./],
  [`launch --id 1 ${TOKEN} --domain a_b`, /domain, required: a DNS name, received: a_b$/, /./],
  [`launch --id 1 ${TOKEN} --link0 eth0`, /invalid argument: link0, .* received: eth0$/, /./],
  [
    `launch --id 1 ${TOKEN} --link0 192.0.2.1 --link1 192.0.2.1,priority=2`,
    /invalid argument: link1, required: another address than link0's, received: 192.0.2.1,priority=2$/,
    /see hansa launch --help/,
  ],
  [`launch --id 1 ${TOKEN} --link8 192.0.2.1`, /a node has at most 8 links/, /./],
  [`launch --id 1 ${TOKEN} --gossip-port 0`, /gossip-port, .* received: 0$/, /./],
  [`launch --id 1 ${TOKEN} --token-file f`, /either --token or --token-file/, /./],
  [
    "launch --id 1 --token-file no/such",
    /cannot read the token from no\/such: there is no such/,
    /./,
  ],
  ["launch --id 1 --token-file FOLDER", /cannot read the token from .*: it is a directory/, /./],
  ["launch --id 1 --token-file FOLDER/empty", /there is no token in .*empty$/, /./],
  ["launch --id 1 --token-file FOLDER/lines", /has more than one line$/, /./],
  ["launch --id 1 --token-file FOLDER/long", /longer than 4096 bytes/, /./],
  [
    "launch --id 1 --token-file -",
    /there is no token in standard input$/,
    /--token-file FILE, or pipe/,
  ],
  ["context import blob", /there is no key in standard input$/, /second word.*context export/],
  ["connect", /expected argument\(s\): HOST$/, /connect --help/],
  ["connect --replace", /expected argument\(s\): HOST$/, /./],
  ["connect host1 ho_st:x", /invalid argument: HOST, .* received: ho_st:x$/, /./],
  ["forget", /expected argument\(s\): HOST$/, /./],
  ["status extra", /unexpected argument: extra$/, /status --help/],
  ["status --targetz", /unknown option: --targetz$/, /did you mean --targets\?/],
  ["status -o xml", /invalid argument: output, required: table, json, yaml, received: xml$/, /./],
  ["lunch", /unknown command: lunch$/, /did you mean hansa launch\?/],
  ["help lunch", /unknown command: lunch$/, /hansa help/],
  ["--fast status", /unknown option: --fast$/, /hansa help/],
] as const) {
  test(`"${line}" is refused in one sentence with a hint`, async () => {
    const words = line.replaceAll("FOLDER", folder).split(" ");
    assertRefused(await runFake(words, { socket }), sentence, hint);
  });
}

test("a host with a space or a line break is shown on one line", async () => {
  const words = ["launch", "--id", "1", "--token", "t"];
  assertRefused(await runFake([...words, "ho st"]), /received: ho st$/);
  assertRefused(await runFake([...words, "ho\nst"]), /received: ho\\nst$/);
});

test("launch and resume need root, and say sudo; bad words are told first", async () => {
  const user = { isRoot: false };
  assertRefused(await run("launch --id 1 --token t", user), /root privileges required/, /sudo/);
  assertRefused(await run("resume", user), /root privileges required/, /sudo/);
  assertRefused(await run("launch --id 0 --token t", user), /invalid argument: id/);
});

test("every command that needs the daemon says that it does not run, and how to start it", async () => {
  for (const line of ["status", "prime", "inspect", "connect a", "forget a", "status -o json"]) {
    const ran = await run(line, { socket: join(folder, "nobody.sock") });
    assertRefused(ran, /hansa is not running/, /hansa resume; .*hansa create NAME.*hansa add HOST/);
  }
});

test("a failure inside the daemon is told without its stack; --debug tells the code", async () => {
  node.failure = new Error("boom");
  const { stderr } = await run("--debug status");
  assert.match(stderr, /Error: unexpected failure: boom\n/);
  assert.match(stderr, /\[hansa\] code: INTERNAL/);
  assertRefused(await run("status"), /unexpected failure: boom/);
  assert.deepEqual(defects, [node.failure, node.failure]);
});

test("connect adds, --replace replaces, forget takes away; nothing but notes is printed", async () => {
  assert.deepEqual(await run("connect b a"), {
    exit: 0,
    stdout: "",
    stderr: "[hansa] Targets: a, b, host1, host2, host9\n",
  });
  assert.equal((await run("connect --replace b a")).stderr, "[hansa] Targets: a, b\n");
  assert.equal((await run("forget a never b")).stderr, "[hansa] Targets: none\n");
});

test("prime waits, tells so after a second, and names the node", async () => {
  node.setReady(false);
  const printed = (_stdout: string, stderr: string) => node.setReady(stderr !== "");
  assert.deepEqual(await run("prime", { printed }), {
    exit: 0,
    stdout: "[1] Node ready\n",
    stderr: "[hansa] waiting for addresses: a node with free ones must be connected …\n",
  });
});

test("json and yaml hold the whole status, or only the sections asked for", async () => {
  assert.deepEqual(JSON.parse((await run("status -o json")).stdout), node.current);
  assert.deepEqual(parseYaml((await run("status --output=yaml")).stdout), node.current);
  const { stdout, stderr } = await run("status --ipam --targets -o json");
  assert.deepEqual(JSON.parse(stdout), {
    targets: node.current.targets,
    ipam: node.current.ipam,
  });
  assert.equal(stderr, "");
});

test("inspect is one JSON document, also as yaml or the ring as a table", async () => {
  const document = await node.inspect();
  assert.deepEqual(JSON.parse((await run("inspect")).stdout), document);
  assert.deepEqual(parseYaml((await run("inspect -o yaml")).stdout), document);
  assert.match((await run("inspect -o table")).stdout, /^10\.40\.0\.0 +131072 +1\(host1\) +0$/m);
});

test("called as overnode, status prints that name's sections under that name", async () => {
  const as = await run("status", { program: "overnode" });
  assert.equal(
    as.stderr,
    ["Targets", "Peers", "Connections", "DNS", "IPAM"]
      .map((section) => `[overnode] ${section} status:\n`)
      .join(""),
  );
  assert.match(as.stdout, /^host1\nhost2\nhost9\n1\(host1\)/);
});

test("warnings stand on standard error with their hints", async () => {
  const warning = { code: "X", message: "the clock is off by 40 s", hint: "start an NTP client" };
  node.current = { ...node.current, warnings: [warning] };
  const { stdout, stderr } = await run("status --targets");
  assert.equal(stdout, "host1\nhost2\nhost9\n");
  assert.match(stderr, /Warning: the clock is off by 40 s\n\[hansa\] Hint: start an NTP client\n$/);
});

test("each command explains itself with exit 0, wherever --help stands", async () => {
  const commands = await allCommands();
  assert.deepEqual(
    commands.slice(0, COMMAND_NAMES.length).map(({ name }) => name),
    COMMAND_NAMES,
  );
  for (const { name, raw } of commands) {
    if (raw) continue;
    const { exit, stdout, stderr } = await run(`${name} --help`);
    assert.equal(exit, 0);
    assert.equal(stderr, "");
    assert.match(stdout, new RegExp(`^Usage: hansa ${name}`));
    assert.equal((await run(`--help ${name}`)).stdout, stdout);
    assert.equal((await run(`help ${name}`)).stdout, stdout);
  }
  for (const line of ["", "help", "--help"]) {
    assert.match((await run(line)).stdout, /^Usage: hansa COMMAND/);
  }
});

test("spawned: data on stdout, the rest on stderr, through the symlink overnode too", async () => {
  const link = join(folder, "overnode");
  symlinkSync(MAIN, link);
  const env = { HANSA_SOCKET: socket };
  const status = await spawned(MAIN, ["status", "--targets"], env);
  assert.deepEqual(status, {
    exit: 0,
    stdout: "host1\nhost2\nhost9\n",
    stderr: "[hansa] Targets status:\n",
  });
  const linked = await spawned(link, ["status", "--targets"], env);
  assert.equal(linked.stderr, "[overnode] Targets status:\n");
  const version = await spawned(MAIN, ["--version"], env);
  assert.equal(version.stdout, `hansa ${VERSION.version} (unbuilt)\n`);
  assertRefused(await spawned(MAIN, ["lunch"], env), /unknown command: lunch/);
});

test("spawned: a reader that goes away ends the program quietly", async () => {
  node.current = { ...node.current, targets: Array.from({ length: 50_000 }, (_, i) => `host${i}`) };
  const child = spawn(process.execPath, [MAIN, "status", "--targets"], {
    env: { ...process.env, HANSA_SOCKET: socket },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    stderr += part;
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 141);
  assert.equal(stderr, "[hansa] Targets status:\n");
});

test("spawned: the token leaves the process's command line", async () => {
  const words = ["--token-file", "-", "--id", "1", "--cluster", "does-not-matter"];
  // Waits for its standard input, so that there is time to look.
  const argv = [MAIN, "launch", ...words, "--token=geheim"];
  const { readFileSync } = await import("node:fs");
  const child = spawn(process.execPath, ["--input-type=module", "-e", HIDING, ...argv], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const shown = readFileSync(`/proc/${child.pid}/cmdline`, "latin1");
  child.stdin.end();
  await new Promise((resolve) => child.on("close", resolve));
  assert.doesNotMatch(shown, /geheim/);
  assert.match(shown, /^hansa/);
});

const HIDING = `
  import { hideArguments } from ${JSON.stringify(join(import.meta.dirname, "hide-arguments.ts"))};
  hideArguments(process.argv);
  process.stdout.write("hidden");
  process.stdin.resume();
`;

test("doctor prints what is known and each finding with its mend; errors make its status 1", async () => {
  const { exit, stdout, stderr } = await run("doctor");
  assert.equal(exit, 1);
  assert.equal(
    stdout,
    `docker  20.10.24
mtu     1500 on eth0, 1440 in the tunnel

error DOCTOR_PORT_BLOCKED
  found: 6783/udp is blocked from host1 to host2: none of 8 datagrams arrived
  mend:  open 6783/udp on host2

warning DOCTOR_CLOCK_SKEW
  found: the clock of node 2 (host2) is 40.0 s ahead of this one's (± 0.2 ms)
  mend:  apt-get install systemd-timesyncd
`,
  );
  assert.equal(stderr, "[hansa] 1 check, 1 skipped: 1 error, 1 warning\n");
  const data = await run("doctor -o json");
  assert.equal(data.exit, 1);
  assert.deepEqual(JSON.parse(data.stdout), await node.doctor());
});

test("doctor without a daemon, or one too old for it, examines the host itself", async () => {
  const ran = await run("doctor -o json", { socket: join(folder, "nobody.sock") });
  assert.equal(JSON.parse(ran.stdout).node, null);
  node.failure = new HansaError("API_ROUTE_UNKNOWN", "no route GET /v1/doctor");
  assert.equal(JSON.parse((await run("doctor -o json")).stdout).node, null);
  node.failure = new HansaError("INTERNAL", "boom");
  assertRefused(await run("doctor"), /boom/);
});

test("called by a predecessor's name, help, notes and hints speak as that", async () => {
  const as = { program: "smrmgr" } as const;
  assert.match((await run("start --help", as)).stdout, /^Usage: smrmgr start \[OPTIONS\]\n/);
  assert.match((await run("start --help", as)).stdout, /\n {2}smrmgr start -n node-1 -d /);
  const all = (await run("help", as)).stdout;
  assert.match(all, /^Usage: smrmgr COMMAND\n/);
  for (const name of COMMAND_NAMES) assert.match(all, new RegExp(`^ {2}${name} `, "m"));
  const refused = await run("strat", as);
  assert.match(refused.stderr, /^\[smrmgr\] Error: unknown command: strat\n/);
  assert.match(refused.stderr, /Hint: did you mean smrmgr start\?\n/);
});

const USER = { isRoot: false } as const;
for (const [line, sentence, hint] of [
  ["start -p https://a:1443", /-p needs -j$/, /start --help/],
  ["start -j -p ftp://a", /invalid argument: peer, .* received: ftp:\/\/a$/, /./],
  ["start -j -p https://a:1/x", /invalid argument: peer/, /./],
  ["start -j --cluster c", /--cluster is the cluster's own, not for -j$/, /./],
  ["start -d a_b", /invalid argument: domain, required: a DNS name, received: a_b$/, /./],
  ["start -a host1", /invalid argument: address, required: an IP address/, /./],
  ["start --api-port x", /invalid argument: api-port/, /./],
  ["start -i image", /the option -i does nothing here: a node runs from the installed/, /./],
  ["start -T token", /the option -T does nothing here: a node joins by a context/, /./],
  ["start -s", /the option -s does nothing here: a node starts with its host anyway/, /./],
  ["start -n", /the option --name needs a value: NODE/, /./],
  ["token", /expected argument\(s\): show/, /./],
  ["token show", /root privileges required/, /sudo/],
] as const) {
  test(`"${line}" of a plain user is refused in one sentence with a hint`, async () => {
    assertRefused(await run(line, USER), sentence, hint);
  });
}

test("what is done to this host is refused where a context or another node is named", async () => {
  for (const line of ["reset", "stop --leave", "uninstall", "upgrade x", "token show", "resume"]) {
    for (const meant of ["--context office", "--node host2"]) {
      const { exit, stderr } = await run(`${meant} ${line}`, { isRoot: true });
      assert.equal(exit, 1, `${meant} ${line}`);
      assert.match(stderr, /is done to this host|cannot be asked of another node/);
    }
  }
});

test("start refuses root with the words of simplecontainer, once its own words are right", async () => {
  assertRefused(await run("start -n a"), /This command cannot be run as root\. Run hansa start/);
  assertRefused(await run("start -d a_b"), /invalid argument: domain/);
});
