/** A machine that is no node reaches the cluster by a context that a node exported, with the role that it was given. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  type Answer,
  eventually,
  hosts,
  launchTogether,
  must,
  type StatusDocument,
} from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
/** No node of the cluster, and nobody else's. */
let laptop: Host;

before(async () => {
  playground = await hosts("e2ectx", 3);
  [one, two, laptop] = [1, 2, 3].map((number) => playground.host(number)) as [Host, Host, Host];
  await launchTogether([one, two]);
});
after(() => playground?.down());

/** The hosts of a playground share their home, so contexts go elsewhere. */
const FOLDER = "/tmp/contexts";
const OURS = ["env", `HANSA_CONTEXTS=${FOLDER}`] as const;

function ran(...words: string[]): Promise<Answer> {
  return laptop.exec([...OURS, "hansa", ...words], { timeoutMs: 120_000 });
}

function prints(...words: string[]): Promise<string> {
  return must(laptop, ...OURS, "hansa", ...words);
}

async function asked(): Promise<StatusDocument["node"]> {
  return JSON.parse(await prints("status", "-o", "json")).node;
}

test("a machine without a node and without a context says that nothing runs here", async () => {
  const { status: exit, stderr } = await ran("status");
  assert.equal(exit, 1);
  assert.match(stderr, /hansa is not running on this host/);
  const none = await ran("context");
  assert.equal(none.status, 3);
  assert.match(none.stderr, /no active context found - try using hansa context switch/);
});

test("exported on a node as two words, imported elsewhere with the key from standard input, and used at once", async () => {
  const words = await must(one, "hansa", "agent", "export", "--node", "host1");
  assert.match(words, /^[0-9a-f]+ [0-9a-f]{64}$/);
  const again = await must(one, "hansa", "context", "export");
  const [[blob = "", key = ""], other] = [words.split(" "), again.split(" ")];
  assert.notEqual(blob, other[0]);
  assert.notEqual(key, other[1]);
  const piped = `printf '%s\\n' ${key} | ${OURS.join(" ")} hansa context import ${blob} --name office`;
  assert.equal(
    await must(laptop, "sh", "-c", piped),
    "context 'office' successfully imported and set as active",
  );
  assert.equal((await asked()).name, "host1");
  assert.equal(await prints("context"), "office");
  assert.equal(await must(laptop, "sh", "-c", `stat -c %a ${FOLDER}/office.json`), "600");
  const { stdout } = await laptop.exec(["sh", "-c", `cat ${FOLDER}/office.json`]);
  assert.doesNotMatch(stdout, /BEGIN EC|roots|my-cluster-password/);
});

test("a digit of blob or key changed: one sentence, and nothing is written", async () => {
  const [blob = "", key = ""] = (await must(one, "hansa", "context", "export")).split(" ");
  const flip = (text: string) => `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`;
  const before = await must(laptop, "sh", "-c", `ls -A ${FOLDER}`);
  for (const words of [
    [flip(blob), key],
    [blob, flip(key)],
  ]) {
    const refused = await ran("context", "import", ...words, "--name", "bad");
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /Error: blob and key do not belong together/);
  }
  assert.equal(await must(laptop, "sh", "-c", `ls -A ${FOLDER}`), before);
});

test("a viewer's context reads and changes nothing; the audit log names who tried", async () => {
  const exported = ["context", "export", "--role", "viewer", "--for", "ada", "--expires", "1"];
  const words = (await must(two, "hansa", ...exported)).split(" ");
  await prints("context", "import", ...words, "--name", "ada");
  assert.equal((await asked()).name, "host2");
  const refused = await ran("connect", "host9");
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /Error: connecting to a host needs the role operator, and ada is viewer/,
  );
  const report = await ran("report", "/tmp/of-a-viewer.tar.gz");
  assert.equal(report.status, 1);
  assert.match(
    report.stderr,
    /Error: a report of a node's host needs the role admin, and ada is viewer/,
  );
  assert.equal((await laptop.exec(["test", "-e", "/tmp/of-a-viewer.tar.gz"])).status, 1);
  const nowhere = await ran("ps", "--node", "host1,nosuch");
  assert.equal(nowhere.status, 3);
  assert.match(nowhere.stderr, /Error: there is no node nosuch\n.*Hint: hansa nodes shows/);
  const log = await must(two, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(log, /"who":"ada","role":"viewer","from":"[^"]*192\.168\.48\.13"/);
});

test("switched by name, or for one command by HANSA_CONTEXT or --context; an unknown name changes nothing", async () => {
  assert.equal(await prints("context", "switch", "office"), "active context is office");
  assert.equal((await ran("context", "switch", "nowhere")).status, 3);
  assert.equal(await prints("context"), "office");
  const other = [...OURS, "HANSA_CONTEXT=ada", "hansa", "status", "-o", "json"];
  assert.equal(JSON.parse(await must(laptop, ...other)).node.name, "host2");
  const flagged = await prints("--context", "ada", "status", "-o", "json");
  assert.equal(JSON.parse(flagged).node.name, "host2");
  const list = JSON.parse(await prints("context", "list", "-o", "json"));
  assert.deepEqual(
    list.map(({ name, active }: { name: string; active: boolean }) => [name, active]),
    [
      ["ada", false],
      ["office", true],
    ],
  );
});

test("the node of the context dies: the next one in it answers; a place that nobody serves is refused at import", async () => {
  const watch = laptop.spawn([...OURS, "hansa", "status", "--watch", "-o", "json"]);
  let out = "";
  watch.stdout.on("data", (part: Buffer) => {
    out += part;
  });
  const shown = (name: string) =>
    eventually(
      `the watch shows ${name}`,
      20_000,
      async () =>
        out
          .split("\n")
          .slice(0, -1)
          .some((line) => JSON.parse(line).node.name === name) || undefined,
    );
  await shown("host1");
  await one.kill();
  await shown("host2");
  watch.kill("SIGKILL");
  const answer = await eventually("host2 answers for host1", 15_000, async () => {
    const found = await asked();
    return found.name === "host2" ? found : undefined;
  });
  assert.equal(answer.id, 2);
  const words = await must(two, "hansa", "context", "export", "--api", "192.168.48.12:1444");
  const refused = await ran("context", "import", ...words.split(" "), "--name", "dead");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: no node of the context dead answers/);
  assert.doesNotMatch(await prints("context", "list"), /dead/);
  await prints("context", "rm", "ada");
  assert.doesNotMatch(await prints("context", "list"), /ada/);
});
