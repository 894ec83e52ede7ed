/** A host that joins with two links, one of them IPv6: every port is looked at on each, and what join-info prints is enough to find the cluster. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { eventually, hosts, must, status } from "./cluster.ts";
import { got, put } from "./store-entries.ts";

let playground: Playground;
let one: Host;
let two: Host;

const inside = (host: Host): string => `fd00:beef::${host.number}`;

before(async () => {
  playground = await hosts("e2ejl", 2, 2);
  [one, two] = [playground.host(1), playground.host(2)];
  for (const host of [one, two]) {
    await must(host, "ip", "-6", "addr", "add", `${inside(host)}/64`, "dev", "eth1", "nodad");
  }
  await must(one, "hansa", "create", "prod", "--link0", one.ip(), "--link1", inside(one));
  const token = await must(one, "hansa", "token", "show");
  await must(two, "sh", "-c", `umask 077; echo ${token} > /root/token`);
});
after(() => playground?.down());

async function add() {
  const word = await must(one, "hansa", "join-info");
  const links = ["--link0", two.ip(), "--link1", inside(two)];
  const argv = ["hansa", "add", word, "--token-file", "/root/token", ...links];
  return await two.exec(argv, { timeoutMs: 180_000 });
}

test("ports that are closed on one link only are named with it, and nothing is changed", async () => {
  const closed = [
    "add table ip6 closed",
    "add chain ip6 closed in { type filter hook input priority 0; }",
    "add rule ip6 closed in udp dport 6784 drop",
    "add rule ip6 closed in tcp dport 1443 drop",
    "add chain ip6 closed out { type filter hook output priority 0; }",
    "add rule ip6 closed out udp dport 6783 drop",
    "add rule ip6 closed out tcp dport 6783 drop",
  ].join("; ");
  await must(two, "nft", closed);
  const refused = await add();
  assert.equal(refused.status, 1, refused.stderr);
  const told = [...refused.stderr.matchAll(/\* (.*)$/gm)].map(([, text]) => text);
  const wanted = [
    "host1 does not reach host2 at 1443/tcp on link1",
    "host1 does not reach host2 at 6784/udp on link1",
    "host2 does not reach host1 at 6783/tcp on link1",
    "host2 does not reach host1 at 6783/udp on link1",
  ];
  assert.deepEqual(told.sort(), wanted);
  assert.equal((await two.exec(["test", "-e", "/var/lib/hansa/node.json"])).status, 1);
  assert.doesNotMatch(await must(one, "nft", "list", "tables"), /hansa_join/);
  await must(two, "nft", "delete table ip6 closed");
});

test("with all ports open the host is in, by the word alone, and both links are there", async () => {
  const added = await add();
  assert.equal(added.status, 0, added.stdout + added.stderr);
  assert.match(added.stdout, /successfully added node 'host2' to cluster\.\n$/);
  await eventually("the two hear each other", 60_000, async () => {
    const { connections } = await status(one);
    const row = connections.find(({ peer }) => peer?.id === 2);
    return row?.state === "established" ? true : undefined;
  });
});

test("when the network of link 0 is cut the two go on by the link of IPv6", async () => {
  await playground.cut(2, 0);
  await eventually("link 1 is used", 60_000, async () => {
    const shown = await must(one, "hansa", "status", "--links");
    const isUsed = /^link0 .* down /m.test(shown) && /^link1 .*fd00:beef::2.* in use$/m.test(shown);
    return isUsed ? true : Promise.reject(new Error(shown));
  });
  await put(one, "motd", "by IPv6");
  assert.equal(await got(two, "motd"), "by IPv6");
});

test("the table of a check in which a daemon died is taken away by the next one", async () => {
  await must(one, "nft", "add table inet hansa_join_0123456789abcdef");
  // As a check leaves it that never ended.
  await must(one, "touch", "/run/hansa/join-check");
  const [pid = ""] = (await must(one, "cat", "/run/hansa/daemon.pid")).split(/\s/);
  await must(one, "kill", "-9", pid);
  await eventually("the table is gone", 60_000, async () => {
    const tables = await must(one, "nft", "list", "tables");
    return tables.includes("hansa_join") ? Promise.reject(new Error(tables)) : true;
  });
});
