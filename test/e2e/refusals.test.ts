/** What is wrong is said in one clear sentence with a hint, and nothing has changed. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hansa, hosts, launch, must, status, TOKEN } from "./cluster.ts";

let playground: Playground;
let host: Host;

before(async () => {
  playground = await hosts("e2ef", 2);
  host = playground.host(1);
});
after(() => playground?.down());

const launchWith = (...words: string[]) => ["launch", ...words];
const BAD: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no token", launchWith("--id", "1"), /missing required parameter: token/],
  ["no id", launchWith("--token", TOKEN), /missing required parameter: id/],
  ...["0", "-1", "65536", "1.5", "abc", ""].map(
    (id) => [`id ${id}`, launchWith("--id", id, "--token", TOKEN), /id/] as const,
  ),
  ["unknown flag", launchWith("--id", "1", "--token", TOKEN, "--fast"), /--fast/],
  ["bad host", launchWith("--id", "1", "--token", TOKEN, "ho st"), /ho st/],
  ["bad port", launchWith("--id", "1", "--token", TOKEN, "host1:99999"), /host1:99999/],
  ["bad subnet", launchWith("--id", "1", "--token", TOKEN, "--subnet", "10.32.0.1/12"), /subnet/],
  [
    "colliding subnet",
    launchWith("--id", "1", "--token", TOKEN, "--subnet", "192.160.0.0/12"),
    /192\.168\.48\.0\/24/,
  ],
  ["connect without host", ["connect"], /expected argument/],
  ["unknown command", ["lunch"], /lunch/],
  ["status before launch", ["status"], /not running/],
  ["resume before launch", ["resume"], /launch/],
];

for (const [title, words, expected] of BAD) {
  test(`${title}: one sentence, exit 1, nothing changed`, async () => {
    const answer = await hansa(host, ...words);
    assert.equal(answer.status, 1, answer.stdout + answer.stderr);
    assert.equal(answer.stdout, "");
    assert.match(answer.stderr, expected);
    assert.match(answer.stderr, /^\[hansa\] Error: .+$/m);
    assert.match(answer.stderr, /\[hansa\] \[action aborted\]\s*$/);
    assert.doesNotMatch(answer.stderr, /\bat .*[.:]\d+:\d+/, "a stack trace");
    assert.notEqual((await host.exec(["test", "-e", "/var/lib/hansa/node.json"])).status, 0);
    assert.notEqual((await host.exec(["test", "-e", "/etc/docker/plugins/hansa.spec"])).status, 0);
  });
}

test("not root: says so and hints at sudo", async () => {
  const answer = await host.exec([
    "setpriv",
    "--reuid=1000",
    "--clear-groups",
    "hansa",
    "launch",
    "--id",
    "1",
    "--token",
    TOKEN,
  ]);
  assert.equal(answer.status, 1);
  assert.match(answer.stderr, /root privileges required/);
  assert.match(answer.stderr, /sudo/);
});

test("no Docker: says so before anything is written", async () => {
  await host.stopDocker();
  const answer = await hansa(host, "launch", "--id", "1", "--token", TOKEN);
  await host.startDocker();
  assert.equal(answer.status, 1);
  assert.match(answer.stderr, /[Dd]ocker/);
  assert.notEqual((await host.exec(["test", "-e", "/var/lib/hansa/node.json"])).status, 0);
});

test("a port that is taken is named, with its protocol", async () => {
  const holder = await host.spawn(["socat", "UDP4-RECV:6783", "STDOUT"]);
  await eventually("the port is held", 5_000, async () =>
    (await host.exec(["sh", "-c", "ss -Hlun sport = :6783 | grep -q ."])).status === 0
      ? true
      : undefined,
  );
  const answer = await hansa(host, "launch", "--id", "1", "--token", TOKEN);
  holder.kill("SIGKILL");
  assert.equal(answer.status, 1);
  assert.match(answer.stderr, /6783/);
  assert.match(answer.stderr, /udp/i);
});

test("a target that refuses TCP, and one that never answers, say so with a hint at the firewall", async () => {
  await launch(host, 1, "host2", "192.168.48.250");
  const refused = await eventually("refused", 10_000, async () =>
    (await status(host)).connections.find((row) => /refused/.test(row.error ?? "")),
  );
  assert.match(refused.error ?? "", /6783/);
  assert.ok(refused.retryAt, JSON.stringify(refused));
  await eventually("unanswered", 15_000, async () =>
    (await status(host)).connections.find((row) =>
      /unreachable|no answer|firewall/.test(row.error ?? ""),
    ),
  );
});

test("the token is in no process list, environment, file or log", async () => {
  const read = async (...where: string[]) =>
    (await host.exec(["find", ...where, "-type", "f", "-exec", "cat", "{}", "+"])).stdout;
  const processes = await read(
    "/proc",
    "-maxdepth",
    "2",
    "(",
    "-name",
    "cmdline",
    "-o",
    "-name",
    "environ",
    ")",
  );
  assert.ok(processes.includes("ipam-plugin"), "the search saw our processes");
  const files = await read("/var/lib/hansa", "/run/hansa", "/etc/docker", "/var/log");
  assert.ok(files.includes("the node runs"), "the search saw our log");
  assert.ok(!processes.includes(TOKEN) && !files.includes(TOKEN));
  assert.equal(await must(host, "stat", "-c", "%a", "/var/lib/hansa/identity.json"), "600");
});
