/** Nodes that are gone for good: whose addresses are taken over, what the others forget, and what happens when such a node returns. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hansa,
  hosts,
  launch,
  launchTogether,
  must,
  NETWORK,
  type Served,
  serve,
  served,
  status,
} from "./cluster.ts";

const QUARTER = 131_072;

let playground: Playground;
let members: Host[];
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2etko", 3);
  members = [1, 2, 3].map((id) => playground.host(id));
  await launchTogether(members);
  for (const id of [1, 2]) {
    const host = playground.host(id);
    await must(host, "hansa", "prime");
    containers.push(await served(host, `c${id}`));
  }
  await serve(playground.host(3), "c3", "--restart", "always");
});
after(() => playground?.down());

interface Warned {
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

async function warnings(host: Host): Promise<Warned["warnings"]> {
  const found: Warned = JSON.parse(await must(host, "hansa", "status", "-o", "json"));
  return found.warnings;
}

async function share(host: Host, id: number): Promise<number> {
  return (await status(host)).ipam.entries.find((entry) => entry.id === id)?.addresses ?? 0;
}

test("ipam check names the owner, age and reason of each lease, and repairs a leak", async () => {
  const [host] = members;
  assert.ok(host);
  await serve(host, "fixed", "--ip", "10.33.0.9");
  const table = await must(host, "hansa", "ipam", "check");
  assert.match(table, /^ADDRESS +CONTAINER +REASON +AGE +STATE\n/);
  assert.match(table, /^10\.32\.0\.1 +\(bridge hansa0\) +gateway +- +held$/m);
  assert.match(table, /^10\.33\.0\.9 +fixed +fixed +\d+ s +held$/m);
  assert.match(table, /^10\.40\.\d+\.\d+ +c1 +dynamic +(\d+ m )?\d+ s +held$/m);
  // What Docker does when it dies between the address and the container.
  const ask = JSON.stringify({ PoolID: "hansa", Address: "", Options: {} });
  const socket = ["curl", "-s", "--unix-socket", "/run/hansa/ipam.sock"];
  const given = await must(host, ...socket, "-d", ask, "http://h/IpamDriver.RequestAddress");
  const leaked = /"Address":"([\d.]+)\//.exec(given)?.[1];
  assert.ok(leaked, given);
  const seen = JSON.parse(await must(host, "hansa", "ipam", "check", "-o", "json"));
  const lease = seen.leases.find(({ address }: { address: string }) => address === leaked);
  assert.deepEqual([lease?.state, lease?.container], ["unclaimed", null]);
  const repaired = await hansa(host, "ipam", "check", "--repair", "-o", "yaml");
  assert.equal(repaired.status, 0, repaired.stderr);
  assert.match(repaired.stdout, new RegExp(`^freed:\\n +- ${leaked.replaceAll(".", "\\.")}$`, "m"));
  assert.match(await must(host, "hansa", "ipam", "check"), /fixed/);
  await must(host, "docker", "rm", "-f", "fixed");
});

test("a node that is heard is not taken over, nor one that was never met, nor oneself", async () => {
  const [host] = members;
  assert.ok(host);
  for (const [node, exit, words] of [
    ["host3", 1, /node 3 \(host3\) is heard by this node/],
    ["9", 3, /no node 9 was ever met/],
    ["host1", 1, /host1 is this node/],
  ] as const) {
    const answer = await hansa(host, "ipam", "take-over", node, "--yes");
    assert.equal(answer.status, exit, answer.stderr);
    assert.match(answer.stderr, words);
  }
});

test("while any other node hears it, it is refused; when nobody does, it wants the risk confirmed", async () => {
  const [one, two, three] = members;
  assert.ok(one && two && three);
  await playground.cut(3);
  await eventually("host3 is held dead", 20_000, async () => {
    const { peers } = await status(one);
    return peers.some(({ id, state }) => id === 3 && state === "dead") ? true : undefined;
  });
  await eventually("host2 does not hear it either", 20_000, async () => {
    const { peers } = await status(two);
    return peers.some(({ id, state }) => id === 3 && state === "dead") ? true : undefined;
  });
  const refused = await hansa(one, "ipam", "take-over", "host3");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /node 3 \(host3\) is not heard by host1, host2; if it still runs/);
  assert.match(refused.stderr, /its 131072 addresses will be given out twice/);
  assert.match(refused.stderr, /Hint: .*--yes/);
  assert.equal(await share(one, 3), QUARTER);
});

test("the take-over prints the count, and all that was kept for the node goes on every node", async () => {
  const [one, two] = members;
  assert.ok(one && two);
  const taken = await must(one, "hansa", "ipam", "take-over", "host3", "--yes");
  assert.equal(taken, `${QUARTER} IPs taken over from 3(host3)`);
  await eventually("no trace", 5_000, async () => {
    for (const host of [one, two]) {
      const { peers, connections, ipam } = await status(host);
      const seen = JSON.stringify({ peers, connections, ipam });
      if (peers.some(({ id }) => id === 3)) throw new Error(seen);
      if (connections.some(({ peer }) => peer?.id === 3)) throw new Error(seen);
      if (ipam.entries.some(({ id }) => id === 3)) throw new Error(seen);
      if (ipam.entries.find(({ id }) => id === 1)?.addresses !== 2 * QUARTER) throw new Error(seen);
      const tunnels = await must(host, "wg", "show", "hansa-wg", "peers");
      if (tunnels.split("\n").length !== 1) throw new Error(tunnels);
      const routes = await must(host, "ip", "route", "show", "proto", "219");
      if (routes.includes("10.32.0.3")) throw new Error(routes);
      const kept = await must(host, "cat", "/var/lib/hansa/membership.json");
      const { nodes, peers: known } = JSON.parse(kept);
      const named = JSON.stringify([nodes, known]);
      if (/"3-|"id":3,/.test(named)) throw new Error(named);
    }
    return true;
  });
  const again = await hansa(one, "ipam", "take-over", "3", "--yes");
  assert.equal(again.status, 3, again.stdout);
  await allReachAll(containers);
});

test("the fenced twin that returns disturbs nothing and says what to do; reset and launch make it a node again", async () => {
  const [one, two, three] = members;
  assert.ok(one && two && three);
  await playground.mend(3);
  await must(three, "hansa", "connect", "host1");
  const said = await eventually("it is told", 15_000, async () =>
    (await warnings(three)).find(({ code }) => code === "NODE_DEPARTED"),
  );
  assert.match(said.message, /this node's addresses were taken over while it was away/);
  const primed = await hansa(three, "prime");
  assert.equal(primed.status, 1);
  assert.match(primed.stderr, /Hint: .*hansa reset, then hansa launch/);
  const started = await three.exec(["docker", "run", "--rm", ...NETWORK, "busybox", "true"]);
  assert.notEqual(started.status, 0);
  const seen = await eventually("others say so too", 15_000, async () =>
    (await warnings(one)).find(({ code }) => code === "NODE_DEPARTED"),
  );
  assert.match(seen.message, /node 3 \(host3, .*is gone for good and runs all the same/);
  await fullMesh([one, two], 5_000);
  assert.equal(await share(one, 1), 2 * QUARTER);
  assert.equal(await share(one, 3), 0);
  await allReachAll(containers);
  await must(three, "docker", "rm", "-f", "c3");
  assert.equal(await must(three, "hansa", "reset"), "[3] Node reset");
  await launch(three, 3, "host1");
  await fullMesh(members, 15_000);
  await must(three, "hansa", "prime");
  const again = await served(three, "c3");
  await allReachAll([...containers, again]);
  assert.deepEqual(await warnings(one), []);
});

test("a node that lost its disk is held for a clone with its old id, until its former self is taken over", async () => {
  const [one, two, three] = members;
  assert.ok(one && two && three);
  await three.kill();
  await three.wipe();
  await three.boot();
  await launch(three, 3, "host1");
  await eventually("it is held for a clone", 15_000, async () =>
    (await warnings(three)).some(({ code }) => code === "NODE_TWIN") ? true : undefined,
  );
  await eventually("its former self is taken over", 20_000, async () => {
    const answer = await hansa(two, "ipam", "take-over", "3", "--yes");
    if (answer.status !== 0) throw new Error(answer.stderr);
    return true;
  });
  await eventually("it is a node", 10_000, async () => {
    const found = await warnings(three);
    if (found.length > 0) throw new Error(JSON.stringify(found));
    return true;
  });
  await must(three, "hansa", "prime");
  await fullMesh(members, 15_000);
  const again = await served(three, "new");
  await allReachAll([...containers, again]);
});
