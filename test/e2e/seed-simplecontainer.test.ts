/** seeds/simplecontainer-cluster-mode.md: two nodes, line by line, by a plain user of each host; and what must not work. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import { type Answer, eventually, hears, hosts, must, serve, status } from "./cluster.ts";

let playground: Playground;
let one: Host;
let two: Host;
/** First a cluster of its own, then a member. */
let three: Host;
let four: Host;
/** What `context export` printed on node 1. */
let exported: string;

/** No home of this machine is used, which all hosts share. */
const HOME = "/tmp/ada";
const DOMAIN = "simplecontainer.io";

before(async () => {
  playground = await hosts("e2esmr", 4);
  const all = [1, 2, 3, 4].map((number) => playground.host(number));
  [one, two, three, four] = all as [Host, Host, Host, Host];
  await Promise.all(all.map(prepare));
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
  const shell = ["bash", "--norc", "-c", line];
  const argv = ["setpriv", "--reuid=ada", "--regid=ada", "--init-groups", "env", `HOME=${HOME}`];
  return host.exec([...argv, ...shell], { timeoutMs: 120_000 });
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
  // The store, which the first node makes by itself: among nodes inside of the overlay, for clients on loopback only.
  assert.match(listening, / 10\.32\.0\.1:9212 /);
  assert.match(listening, / 127\.0\.0\.1:2379 /);
  assert.doesNotMatch(listening, /(\*|0\.0\.0\.0|\[::\]|192\.168\.48\.11):(2379|9212) /);
});

/** What the certificate of a host's control plane is good for. */
async function certifiedNames(host: Host): Promise<string[]> {
  const show = `openssl s_client -connect 127.0.0.1:1443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName`;
  const entries = ((await must(host, "sh", "-c", show)).split("\n").at(-1) ?? "").split(",");
  return entries.map((entry) => entry.trim());
}

async function namesOf(host: Host): Promise<string[]> {
  return (await certifiedNames(host)).filter((entry) => entry.startsWith("DNS:"));
}

test("its certificate is good for the domain, localhost and addresses, and for no other name", async () => {
  assert.deepEqual(await namesOf(one), [`DNS:node-1.${DOMAIN}`, "DNS:localhost"]);
  const all = await certifiedNames(one);
  for (const ip of ["127.0.0.1", "192.168.48.11"]) assert.ok(all.includes(`IP Address:${ip}`), ip);
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
    const began = fairNow();
    const refused = await typed(two, `smrmgr start -n smr-node-2 -j -p ${peer}`);
    assert.ok(fairNow() - began < 15_000);
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

/** Takes a context of `from` into use on `to`; one admits to the cluster by it. */
async function handOver(from: Host, to: Host, name: string, ...options: string[]): Promise<void> {
  const words = await prints(from, ["smrctl context export", ...options].join(" "));
  await prints(to, `smr agent import ${words} --name ${name}`);
}

test("a context of another cluster, of a viewer, or called back is refused and leaves nothing on either side", async () => {
  assert.match(await prints(three, "smrmgr start -n smr-node-3"), /Domain: +localhost\n/);
  await handOver(three, two, "foreign");
  await handOver(one, two, "viewer", "--role viewer");
  await handOver(one, two, "mallory", "--for mallory");
  await prints(two, `smrctl context switch node-1.${DOMAIN}`);
  const before = await traces(two);
  const join = `smrmgr start -n smr-node-2 -j -p https://node-1.${DOMAIN}:1443`;
  const foreign = await typed(two, `${join} --context foreign`);
  assert.equal(foreign.status, 1);
  assert.match(foreign.stderr, /Error: no node of the context foreign answers \(node-1\./);
  const viewer = await typed(two, `${join} --context viewer`);
  assert.equal(viewer.status, 1);
  assert.match(
    viewer.stderr,
    /Error: taking a host into the cluster needs the role admin, and ada@\S+ is viewer\n/,
  );
  await must(one, "hansa", "context", "revoke", "mallory");
  const revoked = await typed(two, `${join} --context mallory`);
  assert.equal(revoked.status, 1);
  assert.match(revoked.stderr, /Error: the certificate of mallory was revoked at /);
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

test("smrctl ps prints the page's header alone, and from either node a row for a container of the other", async () => {
  const header =
    "NODE GROUP NAME DOCKER NAME IMAGE IP PORTS DEPS IMAGE STATE ENGINE STATE SMR STATE";
  for (const host of [one, two]) {
    const printed = await prints(host, "smrctl ps");
    assert.equal(printed.replaceAll(/ +/g, " "), header, host.name);
  }
  await must(two, "hansa", "prime");
  const address = await serve(two, "web");
  await eventually("node 1 lists node 2's container", 15_000, async () => {
    const rows = (await prints(one, "smrctl ps")).split("\n").slice(1);
    return rows.some(
      (row) => /^smr-node-2 \(2\) +- +web +web +busybox/.test(row) && row.includes(address),
    )
      ? true
      : undefined;
  });
  await serve(one, "client");
  await hears(one, "client", address, "web");
  await must(one, "docker", "rm", "-f", "client");
  await must(two, "docker", "rm", "-f", "web");
});

test("the same line again changes nothing, and a node that was stopped comes back as it was", async () => {
  const join = `smrmgr start -n smr-node-2 -d node-2.${DOMAIN} -j -p https://node-1.${DOMAIN}:1443`;
  const { engineId } = (await status(two)).node;
  assert.match(await prints(two, join), /Id: +2\n/);
  assert.equal(await prints(two, "smrmgr stop"), "[2] Node stopped");
  assert.equal((await typed(two, "smrctl status --peers --context viewer")).status, 0);
  const another = await typed(two, "smrmgr start -n smr-node-9");
  assert.equal(another.status, 1);
  assert.match(
    another.stderr,
    /Error: this host is node 2 \(smr-node-2\) .*: its name is smr-node-2,/,
  );
  assert.match(await prints(two, join), /Id: +2\n/);
  const { node } = await status(two);
  assert.deepEqual([node.id, node.name, node.engineId], [2, "smr-node-2", engineId]);
  assert.deepEqual(await namesOf(two), [`DNS:node-2.${DOMAIN}`, "DNS:localhost"]);
});

test("who stopped for good joins another cluster; two that join at one time through two nodes get two ids", async () => {
  assert.equal(await prints(three, "smrmgr stop --leave"), "[1] Node reset");
  assert.doesNotMatch(await traces(three), /node\.json|daemon|:1443/);
  await handOver(one, three, "one");
  await handOver(two, four, "two");
  // Without -p the nodes of the context are asked.
  const printed = await Promise.all([
    prints(three, "smrmgr start -n smr-node-3 -j"),
    prints(four, "smrmgr start -n smr-node-4 -j -p https://192.168.48.12"),
  ]);
  const ids = printed.map((text) => /Id: +(\d+)\n/.exec(text)?.[1]);
  assert.deepEqual(ids.sort(), ["3", "4"]);
  const all = ["smr-node-1", "smr-node-2", "smr-node-3", "smr-node-4"];
  for (const host of [one, two, three, four]) {
    await eventually(`${host.name} lists four members`, 15_000, async () => {
      const { peers } = await status(host);
      const alive = peers.filter(({ state }) => state === "alive").map(({ name }) => name);
      return `${alive.sort()}` === `${all}` ? true : undefined;
    });
  }
  // It has just been given a vote.
  await eventually("nothing is warned of", 20_000, async () => {
    assert.deepEqual((await status(three)).warnings, []);
    return true;
  });
  const { id } = (await status(three)).node;
  assert.equal(await prints(three, "smrmgr stop --leave"), `[${id}] Node reset`);
  const again = await prints(three, "smrmgr start -n smr-node-3 -j");
  assert.match(again, new RegExp(`Id: +${id}\n`), "its place was free again at once");
});

test("the token that start made is root's to see, on each node the same, and launches one more", async () => {
  const tokens = [
    await must(one, "hansa", "token", "show"),
    await must(two, "hansa", "token", "show"),
  ];
  assert.match(tokens[0] ?? "", /^[A-Za-z0-9_-]{32}$/);
  assert.equal(tokens[0], tokens[1]);
  assert.equal((await typed(one, "hansa token show")).status, 1);
  assert.equal(
    await prints(four, "smrmgr stop --leave").then((text) => text.slice(-10)),
    "Node reset",
  );
  const launched = await four.exec(
    ["hansa", "launch", "--id", "9", "--token-file", "-", "192.168.48.11"],
    { stdin: `${tokens[0]}\n` },
  );
  assert.equal(launched.status, 0, launched.stderr);
  await eventually("node 9 is a member", 15_000, async () =>
    (await status(one)).peers.some(({ id, state }) => id === 9 && state === "alive")
      ? true
      : undefined,
  );
});

test("after a power cut node and starter are back, with the same certificate's names", async () => {
  await one.kill();
  await one.boot();
  await eventually("node 1 is back", 20_000, async () =>
    (await status(one)).connections.some(({ state }) => state === "established") ? true : undefined,
  );
  assert.deepEqual(await namesOf(one), [`DNS:node-1.${DOMAIN}`, "DNS:localhost"]);
  assert.match(await prints(one, "smrmgr start"), /Name: +smr-node-1\n/);
});

test("a starter that is gone is said, and hansa install brings it back", async () => {
  await must(one, "sh", "-c", "kill -9 $(cut -d ' ' -f 1 /run/hansa-starter/starter.pid)");
  const refused = await typed(one, "smrmgr start");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Error: nobody on this host starts a node for you/);
  assert.match(refused.stderr, /Hint: have root run smrmgr install once on this host/);
  assert.match(
    await must(one, "hansa", "install"),
    /^have \/run\/hansa-starter\/start.sock served/m,
  );
  assert.match(await prints(one, "smrmgr start"), /Name: +smr-node-1\n/);
});
