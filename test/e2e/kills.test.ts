/** kill -9 of any of our processes, and restarts of dockerd: nothing is lost, no container and no traffic is touched. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fairNow } from "../fair-time.ts";
import {
  addressOf,
  allReachAll,
  eventually,
  fullMesh,
  hosts,
  launchTogether,
  must,
  NETWORK,
  type Served,
  serve,
  served,
  status,
} from "./cluster.ts";

let playground: Playground;
let members: Host[];
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2ed", 3);
  members = [1, 2, 3].map((id) => playground.host(id));
  await launchTogether(members);
  for (const id of [1, 2, 3]) {
    const host = playground.host(id);
    await must(host, "hansa", "prime");
    const always = ["--restart", "always"];
    containers.push(await served(host, `c${id}`, ...always));
  }
  await allReachAll(containers);
});
after(() => playground?.down());

/** The pids on `host` whose command line has `words` in it. */
async function pidsOf(host: Host, words: string): Promise<string[]> {
  const found = await host.exec(["pgrep", "-f", words]);
  return found.stdout.trim().split("\n").filter(Boolean);
}

async function killed(host: Host, words: string): Promise<void> {
  const pids = await eventually(`a process ${words}`, 10_000, async () => {
    const found = await pidsOf(host, words);
    return found.length > 0 ? found : undefined;
  });
  await must(host, "kill", "-9", ...pids);
  await eventually(`${words} runs again`, 10_000, async () => {
    const now = await pidsOf(host, words);
    return now.some((pid) => !pids.includes(pid)) ? true : undefined;
  });
}

/** One container fetches from another ten times a second; resolves to the longest gap in seconds. */
async function whileTrafficFlows(
  from: Served,
  to: Served,
  action: () => Promise<void>,
): Promise<number> {
  const url = `http://${to.address}/`;
  const loop = `while :; do wget -qO- -T 1 ${url} >/dev/null && echo heard; usleep 50000; done`;
  const traffic = await from.host.spawn(["docker", "exec", from.name, "sh", "-c", loop]);
  let last = fairNow();
  let longest = 0;
  let count = 0;
  traffic.stdout.on("data", () => {
    const now = fairNow();
    if (count > 0) longest = Math.max(longest, now - last);
    last = now;
    count += 1;
  });
  try {
    await eventually("traffic flows", 5_000, async () => (count > 3 ? true : undefined));
    await action();
    const seen = count;
    await eventually("traffic flows after", 10_000, async () =>
      count > seen + 5 ? true : undefined,
    );
  } finally {
    traffic.kill("SIGKILL");
  }
  return longest / 1000;
}

for (const [title, words] of [
  ["daemon", "hansa daemon"],
  ["ipam-plugin", "hansa ipam-plugin"],
  ["supervisor", "hansa supervise"],
] as const) {
  test(`kill -9 of the ${title} is mended without a hand and without a gap in traffic`, async () => {
    const host = playground.host(2);
    const [first, second] = containers;
    assert.ok(first && second);
    // Counts reach the daemon at most once a second.
    const before = await eventually("only c2 holds an address", 5_000, async () => {
      const now = await status(host);
      return now.ipam.entries.some(({ id, active }) => id === 2 && active === 1) ? now : undefined;
    });
    const address = await addressOf(host, "c2");
    const gap = await whileTrafficFlows(first, second, () => killed(host, words));
    process.stdout.write(`longest wait of a request: ${gap.toFixed(2)} s\n`);
    // A lost packet costs a second of TCP's patience; on a quiet machine requests are 0.1 s apart throughout.
    assert.ok(gap < 2, `${gap.toFixed(2)} s without traffic`);
    await fullMesh(members, 15_000);
    const now = await status(host);
    assert.deepEqual(now.node, before.node);
    assert.deepEqual(now.targets, before.targets);
    assert.deepEqual(
      now.ipam.entries.map(({ id, addresses, active }) => [id, addresses, active]),
      before.ipam.entries.map(({ id, addresses, active }) => [id, addresses, active]),
    );
    assert.equal(await addressOf(host, "c2"), address);
    const fresh = await serve(host, `after-${title}`);
    await allReachAll([...containers, { host, name: `after-${title}`, address: fresh }]);
    await must(host, "docker", "rm", "-f", `after-${title}`);
  });
}

test("kill -9 of supervisor and daemon at one moment: the plugin brings both back", async () => {
  const host = playground.host(2);
  const script =
    "read s rest < /run/hansa/supervise.pid; read d rest < /run/hansa/daemon.pid; kill -9 $s $d";
  await must(host, "sh", "-c", script);
  await fullMesh(members, 20_000);
  await eventually("a supervisor runs", 10_000, async () =>
    (await pidsOf(host, "hansa supervise")).length === 1 ? true : undefined,
  );
  await allReachAll(containers);
});

test("kill -9 of the tunnel's process: it is back, with all connections, and traffic goes on", async () => {
  const [first, second] = containers;
  assert.ok(first && second);
  const gap = await whileTrafficFlows(first, second, () =>
    killed(playground.host(2), "wireguard-go"),
  );
  process.stdout.write(`gap of ${gap.toFixed(2)} s\n`);
  assert.ok(gap < 8, `${gap.toFixed(2)} s without traffic`);
  await fullMesh(members, 15_000);
  await allReachAll(containers);
});

async function allHealthy(): Promise<void> {
  for (const container of containers) {
    await eventually(`${container.name} runs`, 60_000, async () => {
      const state = await must(
        container.host,
        ...["docker", "inspect", "-f", "{{.State.Running}}", container.name],
      );
      return state === "true" ? true : undefined;
    });
  }
  const now: Served[] = [];
  for (const { host, name } of containers)
    now.push({ host, name, address: await addressOf(host, name) });
  containers.splice(0, containers.length, ...now);
  await fullMesh(members, 15_000);
  await allReachAll(containers);
}

test("dockerd stopped and started: all containers run again and reach each other", async () => {
  const host = playground.host(2);
  await host.stopDocker();
  await host.startDocker();
  await allHealthy();
});

test("dockerd killed: all containers run again and reach each other", async () => {
  await playground.host(2).killDocker();
  await allHealthy();
});

test("dockerd restarted while the plugin is down: all containers run again without a hand", async () => {
  const host = playground.host(2);
  await host.stopDocker();
  await must(
    host,
    "kill",
    "-9",
    ...(await pidsOf(host, "hansa supervise")),
    ...(await pidsOf(host, "hansa ipam-plugin")),
  );
  await host.startDocker();
  await allHealthy();
  await eventually("no address leaked", 90_000, async () => {
    const own = (await status(host)).ipam.entries.find((entry) => entry.id === 2);
    return own?.active === 1 ? true : undefined;
  });
});

test("a power cut and a boot: node, containers and connections are back without a hand", async () => {
  await playground.host(3).kill();
  await playground.host(3).boot();
  await allHealthy();
  const { node, targets } = await status(playground.host(3));
  assert.equal(node.id, 3);
  assert.deepEqual(targets, ["host1", "host2"]);
  await must(playground.host(3), "docker", "run", "--rm", ...NETWORK, "busybox", "true");
});

test("resume brings a stopped node back as it was, and may be said twice", async () => {
  const host = playground.host(2);
  const before = await status(host);
  await must(host, "touch", "/run/hansa/stopped");
  for (const words of ["hansa supervise", "hansa daemon", "wireguard-go", "hansa ipam-plugin"]) {
    const pids = await pidsOf(host, words);
    assert.ok(pids.length > 0, words);
    await must(host, "kill", ...pids);
    await eventually(`${words} has ended`, 10_000, async () =>
      (await pidsOf(host, words)).length === 0 ? true : undefined,
    );
  }
  const down = await host.exec(["hansa", "status"]);
  assert.equal(down.status, 1);
  assert.match(down.stderr, /hansa is not running|does not answer/);
  assert.match(down.stderr, /hansa resume/);
  for (const _ of ["once", "twice"]) {
    assert.equal(await must(host, "hansa", "resume"), "[2] Node resumed");
  }
  await fullMesh(members, 15_000);
  const now = await status(host);
  assert.deepEqual([now.node, now.targets], [before.node, before.targets]);
  assert.deepEqual(
    now.ipam.entries.map(({ id, addresses }) => [id, addresses]),
    before.ipam.entries.map(({ id, addresses }) => [id, addresses]),
  );
  await allReachAll(containers);
});
