/** seeds/simplecontainer-cluster-mode.md: two nodes, line by line, by a plain user of each host; and what must not work. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { type Answer, eventually, hosts, must, status } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
/** Never gets in. */
let three: Host;
/** What `context export` printed on node 1. */
let exported: string;

/** No home of this machine is used, which all hosts share. */
const HOME = "/tmp/ada";
const DOMAIN = "simplecontainer.io";

before(async () => {
  playground = await hosts("e2esmr", 3);
  [one, two, three] = [1, 2, 3].map((number) => playground.host(number)) as [Host, Host, Host];
  await Promise.all([one, two, three].map(prepare));
});
after(() => playground?.down());

/** The prerequisites: once as root the installation, and a user in its group. */
async function prepare(host: Host): Promise<void> {
  for (const number of [1, 2]) {
    const line = `192.168.48.${10 + number} node-${number}.${DOMAIN}`;
    await must(host, "sh", "-c", `echo ${line} >> /etc/hosts`);
  }
  await must(host, "hansa", "install");
  await must(host, "useradd", "--no-create-home", "--home-dir", HOME, "-G", "hansa", "ada");
  await must(host, "install", "-d", "-o", "ada", HOME);
}

/** What ada types at her shell. */
function typed(host: Host, line: string): Promise<Answer> {
  const shell = ["bash", "-c", line];
  const argv = ["setpriv", "--reuid=ada", "--regid=ada", "--init-groups", "env", `HOME=${HOME}`];
  return host.exec([...argv, ...shell], { timeoutMs: 60_000 });
}

async function prints(host: Host, line: string): Promise<string> {
  const { status: exit, stdout, stderr } = await typed(host, line);
  assert.equal(exit, 0, `${line}: ${stdout}${stderr}`);
  return stdout.trim();
}

test("start -n -d as a plain user makes a node of a new cluster and prints what it is", async () => {
  const printed = await prints(one, `smrmgr start -n smr-node-1 -d node-1.${DOMAIN}`);
  assert.match(printed, /^Node Information\n/);
  assert.match(printed, /Name: +smr-node-1\n/);
  assert.match(printed, /Control plane: +https:\/\/node-1\.simplecontainer\.io:1443\n/);
  const { node } = await status(one);
  assert.deepEqual([node.id, node.name], [1, "smr-node-1"]);
});

/** What a refused start must leave as it was: files of state, our processes, what listens. */
async function traces(host: Host): Promise<string> {
  const look = `find /var/lib/hansa /run/hansa /etc/docker/plugins 2>/dev/null | sort
ps -eo args | grep '^[^ ]*hansa [a-z]' | sort
ss -ltnH | awk '{ print $4 }' | sort`;
  return must(host, "sh", "-c", look);
}

test("root is refused as the page says, and nothing is made", async () => {
  const before = await traces(three);
  const line = ["smrmgr", "start", "-n", "smr-node-3", "-d", `node-3.${DOMAIN}`];
  const refused = await three.exec(line);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^\[smrmgr\] Error: This command cannot be run as root\. /);
  assert.equal(refused.stdout, "");
  assert.equal(await traces(three), before);
});

test("who is not in the group is refused, and the starter's socket is closed to him", async () => {
  const stranger = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"];
  const refused = await three.exec([...stranger, "smrmgr", "start"]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: you are no member of the group hansa/);
  const mode = await must(three, "stat", "-c", "%U:%G %a", "/run/hansa-starter/start.sock");
  assert.equal(mode, "root:hansa 660");
});

test("the control plane listens on 1443 of IPv4 and IPv6, and wants a certificate", async () => {
  const listening = await must(one, "ss", "-ltnH");
  assert.match(listening, /\*:1443 |\[::\]:1443 /);
  for (const at of ["127.0.0.1", "[::1]"]) {
    const anyone = await one.exec(["curl", "-sk", `https://${at}:1443/v1/version`]);
    assert.match(anyone.stdout, /API_CERTIFICATE_REFUSED/, at);
  }
  // Not open to others, and not there yet: docs/open-ends.md.
  assert.doesNotMatch(listening, /:2379 /);
});

test("its certificate is good for the domain, localhost and addresses, and for no other name", async () => {
  const names = `openssl s_client -connect 127.0.0.1:1443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName`;
  const shown = (await must(one, "sh", "-c", names)).split("\n").at(-1) ?? "";
  const entries = shown.split(",").map((entry) => entry.trim());
  const dns = entries.filter((entry) => entry.startsWith("DNS:"));
  assert.deepEqual(dns, [`DNS:node-1.${DOMAIN}`, "DNS:localhost"]);
  assert.ok(entries.includes("IP Address:192.168.48.11"), shown);
  assert.ok(entries.includes("IP Address:127.0.0.1"), shown);
});

test("smrctl context import $(smr agent export --node smr-node-1) -y", async () => {
  const line = "smrctl context import $(smr agent export --node smr-node-1) -y";
  assert.match(
    await prints(one, line),
    /^context '[^']+' successfully imported and set as active$/,
  );
  assert.equal((await typed(one, "smr agent export --node another")).status, 3);
});

test("smrctl context export --api node-1.simplecontainer.io:1443", async () => {
  exported = await prints(one, `smrctl context export --api node-1.${DOMAIN}:1443`);
  assert.match(exported, /^[0-9a-f]+ [0-9a-f]{64}$/);
});

test("a host without a context joins nothing", async () => {
  const before = await traces(two);
  const join = `smrmgr start -n smr-node-2 -d node-2.${DOMAIN} -j -p https://node-1.${DOMAIN}:1443`;
  const refused = await typed(two, join);
  assert.equal(refused.status, 3);
  assert.match(refused.stderr, /Error: there is no context of the cluster that is to be joined\n/);
  assert.match(refused.stderr, /Hint: import one first: smrmgr agent import BLOB KEY/);
  assert.equal(await traces(two), before);
});

test("smr agent import PASTE_OUTPUT PASTE_KEY, also with the key from standard input", async () => {
  const [blob = "", key = ""] = exported.split(" ");
  const success = `context 'node-1.${DOMAIN}' successfully imported and set as active`;
  assert.equal(await prints(two, `smr agent import ${blob} ${key}`), success);
  assert.equal(await prints(two, `printf '%s\\n' ${key} | smr agent import ${blob} -y`), success);
});

test("a name that the cluster has is refused by name, and a node of that name is not made", async () => {
  const before = await traces(two);
  const join = `smrmgr start -n SMR-node-1 -d node-2.${DOMAIN} -j -p https://node-1.${DOMAIN}:1443`;
  const refused = await typed(two, join);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: node 1 of the cluster has the name smr-node-1 already\n/);
  assert.equal(await traces(two), before);
  assert.equal((await status(one)).peers.length, 1);
});

test("a peer that is dead, or another than the certificate names, is refused in bounded time and leaves nothing", async () => {
  const before = await traces(two);
  const peers: readonly (readonly [string, RegExp])[] = [
    ["https://192.168.48.250:1443", /192\.168\.48\.250:1443: /],
    ["https://192.168.48.12:1443", /192\.168\.48\.12:1443: .*ECONNREFUSED/],
    // host1 is the same node by a name that its certificate does not hold.
    ["https://host1:1443", /host1:1443: .*host1/],
  ];
  for (const [peer, why] of peers) {
    const began = performance.now();
    const refused = await typed(two, `smrmgr start -n smr-node-2 -j -p ${peer}`);
    assert.ok(performance.now() - began < 15_000);
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(
      refused.stderr,
      /Error: no node of the context node-1\.simplecontainer\.io answers/,
    );
    assert.match(refused.stderr, why);
  }
  assert.equal(await traces(two), before);
  assert.equal((await status(one)).peers.length, 1);
});

test("smrmgr start -n smr-node-2 … -j -p …: both nodes list two members", async () => {
  const join = `smrmgr start -n smr-node-2 -d node-2.${DOMAIN} -j -p https://node-1.${DOMAIN}:1443`;
  const printed = await prints(two, join);
  assert.match(printed, /Name: +smr-node-2\n +Id: +2\n/);
  for (const host of [one, two]) {
    await eventually(`${host.name} lists two members`, 15_000, async () => {
      const { peers, connections } = await status(host);
      const names = peers.filter(({ state }) => state === "alive").map(({ name }) => name);
      assert.deepEqual(names.sort(), ["smr-node-1", "smr-node-2"]);
      return connections.some(({ state }) => state === "established") ? true : undefined;
    });
  }
  const log = await must(one, "cat", "/var/lib/hansa/log/audit.log");
  assert.match(log, /"who":"ada@[^"]*","role":"admin",.*"operation":"join","result":"ok"/);
  assert.match(log, /"operation":"join","result":"NODE_NAME_TAKEN"/);
});
