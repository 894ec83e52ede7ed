/** Any node answers for the whole cluster: asked through another node, with the role of who asked first. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { hansa, hosts, launchTogether, must } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
let three: Host;
/** No node of the cluster. */
let laptop: Host;

before(async () => {
  playground = await hosts("e2ewhole", 4);
  [one, two, three, laptop] = [1, 2, 3, 4].map((number) => playground.host(number)) as [
    Host,
    Host,
    Host,
    Host,
  ];
  await launchTogether([one, two, three]);
  for (const [name, role] of [
    ["boss", "admin"],
    ["ada", "viewer"],
  ] as const) {
    const words = await must(one, "hansa", "context", "export", "--role", role, "--for", name);
    await outside("context", "import", ...words.split(" "), "--name", name);
  }
});
after(() => playground?.down());

/** The hosts of a playground share their home, so contexts go elsewhere. */
const OURS = ["env", "HANSA_CONTEXTS=/tmp/contexts"] as const;

function outside(...words: string[]): Promise<string> {
  return must(laptop, ...OURS, "hansa", ...words);
}

test("status, inspect and doctor of another node, by name and id, from a node and from a context", async () => {
  const asked = JSON.parse(await must(one, "hansa", "status", "--node", "host2", "-o", "json"));
  assert.equal(asked.node.name, "host2");
  const inspected = JSON.parse(await outside("--context", "boss", "inspect", "--node", "3"));
  assert.equal(inspected.Router.NickName, "host3");
  const { stdout } = await hansa(two, "doctor", "--node", "host3", "-o", "json");
  assert.equal(JSON.parse(stdout).node.name, "host3");
  const unknown = await hansa(one, "status", "--node", "host9");
  assert.equal(unknown.status, 3);
  assert.match(unknown.stderr, /Error: no node host9 was ever met/);
});

test("what is done on this host is refused for another one", async () => {
  const refused = await hansa(one, "reset", "--node", "host2");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: hansa reset cannot be asked of another node/);
  assert.equal((await hansa(one, "status")).status, 0);
});

test("the other node checks the role of who asked first, and its audit log names them and the node between", async () => {
  const line = [...OURS, "hansa", "--context", "ada", "--node", "host3", "connect", "host9"];
  const refused = await laptop.exec(line, { timeoutMs: 60_000 });
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: connect needs the role operator, and ada is viewer/);
  await outside("--context", "boss", "--node", "host3", "connect", "host9");
  const targets = JSON.parse(await must(three, "hansa", "status", "--targets", "-o", "json"));
  assert.ok(targets.targets.includes("host9"));
  const log = await must(three, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(log, /"who":"ada","role":"viewer","from":"[^"]*192\.168\.48\.14".*"via":"host1"/);
  assert.match(
    log,
    /"who":"boss","role":"admin".*"via":"host1","operation":"connect","result":"ok"/,
  );
  await outside("--context", "boss", "--node", "host3", "forget", "host9");
});
