/** What may enter and leave the overlay: published ports, strangers on the hosts' network, spoofed sources, removal of the network. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  allReachAll,
  eventually,
  fullMesh,
  hosts,
  launch,
  must,
  NETWORK,
  type Served,
  serve,
  served,
  status,
} from "./cluster.ts";

let playground: Playground;
let first: Host;
let second: Host;
/** Not a node: a machine in the hosts' network. */
let stranger: Host;
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2eg", 3);
  [first, second, stranger] = [1, 2, 3].map((id) => playground.host(id)) as [Host, Host, Host];
  await Promise.all([launch(first, 1, "host2"), launch(second, 2)]);
  await fullMesh([first, second], 15_000);
  containers.push(
    await served(first, "c1", "--cap-add", "NET_ADMIN", "-p", "8080:80"),
    await served(second, "c2", "--cap-add", "NET_ADMIN"),
  );
  await allReachAll(containers);
});
after(() => playground?.down());

function at(index: number): Served {
  const found = containers[index];
  assert.ok(found);
  return found;
}

/**
 * Packets that tcpdump sees in a host while `action` runs, one line each. With `expected` it waits until they match, for 5 s at most;
 * without, the action must last longer than a packet travels.
 */
async function seen(
  host: Host,
  filter: string,
  action: () => Promise<unknown>,
  expected?: RegExp,
): Promise<string> {
  const options = ["-lni", "any", "--immediate-mode"];
  const capture = host.spawn(["tcpdump", ...options, ...filter.split(" ")]);
  let [lines, words] = ["", ""];
  capture.stdout.on("data", (chunk) => {
    lines += chunk;
  });
  capture.stderr.on("data", (chunk) => {
    words += chunk;
  });
  try {
    await eventually("tcpdump listens", 5_000, async () =>
      words.includes("listening") ? true : undefined,
    );
    await action();
    if (expected) {
      await eventually(`packets like ${expected}`, 5_000, async () => {
        if (!expected.test(lines)) throw new Error(lines);
        return true;
      });
    }
  } finally {
    capture.kill("SIGKILL");
  }
  return lines.trim();
}

test("a published port works from a host that is no node, from a node, and from a container elsewhere", async () => {
  const url = `http://${first.ip(0)}:8080/`;
  assert.equal(await must(stranger, "wget", "-qO-", "-T", "10", url), "c1");
  assert.equal(await must(second, "wget", "-qO-", "-T", "10", url), "c1");
  assert.equal(await must(second, "docker", "exec", "c2", "wget", "-qO-", "-T", "10", url), "c1");
});

test("a published port shows the client's own address", async () => {
  const url = `http://${first.ip(0)}:8080/`;
  await seen(
    first,
    `tcp dst port 80 and dst host ${at(0).address}`,
    () => must(stranger, "wget", "-qO-", "-T", "10", url),
    new RegExp(`hansa0 .*${stranger.ip(0)}\\.\\d+ > ${at(0).address}\\.80`),
  );
});

test("a container's packets reach another one with its own address as the source", async () => {
  await seen(
    second,
    `icmp and dst host ${at(1).address}`,
    () => must(first, "docker", "exec", "c1", "ping", "-c", "1", "-W", "3", at(1).address),
    new RegExp(`hansa0 .*${at(0).address} > ${at(1).address}`),
  );
});

test("a machine of the hosts' network that routes the subnet at a node reaches no container", async () => {
  await must(stranger, "ip", "route", "add", "10.32.0.0/12", "via", first.ip(0));
  for (const { address } of containers) {
    const ping = await stranger.exec(["ping", "-c", "2", "-W", "1", address]);
    assert.notEqual(ping.status, 0, ping.stdout);
    const web = await stranger.exec(["timeout", "2", "wget", "-qO-", `http://${address}/`]);
    assert.notEqual(web.status, 0, web.stdout);
  }
  // Nor with an address of the overlay as its source, which could ask but not hear.
  await must(stranger, "ip", "addr", "add", "10.40.77.7/32", "dev", "lo");
  const filter = `icmp and dst host ${at(0).address} and src host 10.40.77.7`;
  const packets = await seen(first, filter, () =>
    stranger.exec(["ping", "-c", "2", "-W", "1", "-I", "10.40.77.7", at(0).address]),
  );
  assert.doesNotMatch(packets, /hansa0/, "it came through to the bridge");
  // The node's own address inside the overlay is not served outside it either.
  const own = await stranger.exec(["ping", "-c", "1", "-W", "1", "10.32.0.1"]);
  assert.notEqual(own.status, 0, own.stdout);
});

test("a container that takes a source outside the subnet, or of another host's part, is not heard elsewhere", async () => {
  for (const source of ["203.0.113.9", "10.46.1.2"]) {
    const take = `ip addr add ${source}/32 dev lo; ping -c 2 -W 1 -I ${source} ${at(1).address}; true`;
    const filter = `icmp and src host ${source}`;
    const packets = await seen(second, filter, () =>
      must(first, "docker", "exec", "c1", "sh", "-c", take),
    );
    assert.equal(packets, "", `${source} came through the tunnel`);
  }
  await allReachAll(containers);
});

test("addresses that cannot be had are refused in one sentence: a node's, the network's own, one outside", async () => {
  for (const [address, reason] of [
    ["10.32.0.2", /IPAM_ADDRESS_RESERVED/],
    ["10.32.0.1", /IPAM_ADDRESS_RESERVED/],
    ["10.47.255.255", /IPAM_ADDRESS_RESERVED/],
    ["10.48.0.1", /does not belong to any of this network's subnets/],
    [at(1).address, /IPAM_ADDRESS_IN_USE/],
  ] as const) {
    const run = await first.exec(
      ["docker", "run", "--rm", ...NETWORK, "--ip", address, "busybox", "true"],
      { timeoutMs: 120_000 },
    );
    assert.notEqual(run.status, 0, address);
    assert.match(run.stderr, reason, address);
  }
  // A free one of the dynamic half may be named too, and lasts through a restart.
  const named = await serve(first, "named", "--ip", "10.40.9.9");
  assert.equal(named, "10.40.9.9");
  await must(first, "docker", "restart", "-t", "0", "named");
  await allReachAll([...containers, { host: first, name: "named", address: named }]);
  await must(first, "docker", "rm", "-f", "named");
});

test("packets over the MTU that may not be fragmented are answered with the size that fits", async () => {
  const row = (await status(first)).connections.find(({ state }) => state === "established");
  assert.ok(row?.mtu);
  const { mtu } = row;
  const send = (size: number) =>
    `import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.setsockopt(socket.IPPROTO_IP,10,2)
s.connect(("${at(1).address}",9)); s.send(b"x"*${size})`;
  await must(first, "python3", "-c", send(mtu - 28));
  const over = await first.exec(["python3", "-c", send(mtu - 27)]);
  assert.match(over.stderr, /Message too long/);
});

test("docker network rm hansa without containers is undone without a hand", async () => {
  for (const { name, host } of containers.splice(0)) await must(host, "docker", "rm", "-f", name);
  await must(first, "docker", "network", "rm", "hansa");
  await eventually("the network is back", 20_000, async () =>
    (await first.exec(["docker", "network", "inspect", "hansa"])).status === 0 ? true : undefined,
  );
  await must(first, "hansa", "prime");
  for (const host of [first, second]) {
    const name = `again${host.number}`;
    containers.push(await served(host, name));
  }
  await allReachAll(containers);
});
