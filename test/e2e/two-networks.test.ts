/**
 * Hosts with two networks: a link or a whole network is lost, both ways or one way, and nobody but the traffic's way notices; priorities,
 * the way back, and a daemon that starts while its first network is away.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Host, Playground } from "../../src/playground/playground.ts";
import {
  eventually,
  fullMesh,
  hosts,
  must,
  type Served,
  served,
  status,
  TOKEN,
} from "./cluster.ts";
import { endlessPage, goesOn } from "./goes-on.ts";
import { whileMeasured } from "./worst-slowness.ts";

/** 5 s of rest, twice that after a second failure, and some for looking. */
const BACK_WITHIN_MS = 45_000;

interface Link {
  readonly link: number;
  readonly own: string;
  readonly address: string;
  readonly peer: { readonly id: number };
  readonly priority: number;
  readonly state: "up" | "down" | "unknown";
  readonly rttMs: number | null;
  readonly inUse: boolean;
}

let playground: Playground;
let members: readonly Host[];
const containers: Served[] = [];

before(async () => {
  playground = await hosts("e2etwo", 3, 2);
  members = playground.hosts();
  await Promise.all(members.map((host) => launchWith(host, [1, 1])));
  await fullMesh(members, 30_000);
  for (const host of members) {
    await must(host, "hansa", "prime");
    const container = await served(host, `c${host.number}`);
    await endlessPage(container);
    containers.push(container);
  }
});
after(() => playground?.down());

async function launchWith(host: Host, priorities: readonly number[]): Promise<void> {
  const links = priorities.flatMap((priority, link) => [
    `--link${link}`,
    `address=${host.ip(link)}${priority === 1 ? "" : `,priority=${priority}`}`,
  ]);
  const words = ["--id", `${host.number}`, "--token", TOKEN, ...links, playground.host(1).ip(0)];
  await must(host, "hansa", "launch", ...words);
}

async function linksOf(host: Host): Promise<readonly Link[]> {
  const text = await must(host, "hansa", "status", "--links", "-o", "json");
  return (JSON.parse(text) as { links: readonly Link[] }).links;
}

/** The link that `from` uses to `to`. */
async function usedBy(from: number, to: number): Promise<number | undefined> {
  const links = await linksOf(playground.host(from));
  return links.find(({ peer, inUse }) => peer.id === to && inUse)?.link;
}

async function allUse(link: number, deadlineMs: number, ids = [1, 2, 3]): Promise<void> {
  await eventually(`all of ${ids} use link ${link}`, deadlineMs, async () => {
    for (const from of ids) {
      for (const to of ids.filter((id) => id !== from)) {
        const used = await usedBy(from, to);
        if (used !== link) throw new Error(`host${from} uses ${used} to host${to}`);
      }
    }
    return true;
  });
}

/** Lines of the logs that say of a member that it was suspected or held dead. */
async function doubts(): Promise<readonly string[]> {
  const logs = await Promise.all(
    members.map((host) => must(host, "cat", "/var/lib/hansa/log/daemon.log")),
  );
  return logs.flatMap((log) =>
    log.split("\n").filter((line) => /"kind":"(suspect|dead|left)"/.test(line)),
  );
}

/** Nobody was suspected while `job` ran. */
async function undoubted(job: () => Promise<void>): Promise<void> {
  const before = new Set(await doubts());
  const { worst, starved } = await whileMeasured(job);
  const found = (await doubts()).filter((line) => !before.has(line));
  const grave = starved ? found.filter((line) => !line.includes('"kind":"suspect"')) : found;
  assert.deepEqual(grave, [], `the machine was ${worst.toFixed(1)} times slower than at rest`);
}

function containerOn(id: number): Served {
  const found = containers[id - 1];
  assert.ok(found);
  return found;
}

/** Datagrams of tunnels that leave `host` on each of its links while `work` is done. */
async function carried(host: Host, work: () => Promise<void>): Promise<number[]> {
  const sent = async () =>
    Promise.all(
      [0, 1].map(async (link) =>
        Number(await must(host, "cat", `/sys/class/net/eth${link}/statistics/tx_bytes`)),
      ),
    );
  const before = await sent();
  await work();
  const now = await sent();
  return now.map((bytes, link) => bytes - (before[link] ?? 0));
}

test("links of equal priority are both up, and the first is in use", async () => {
  await allUse(0, BACK_WITHIN_MS);
  await eventually("all links are up", 10_000, async () => {
    for (const host of members) {
      const links = await linksOf(host);
      assert.equal(links.length, 4);
      assert.ok(links.every(({ state, rttMs }) => state === "up" && rttMs !== null));
    }
    return true;
  });
  const [first] = await linksOf(playground.host(1));
  assert.equal(first?.own, playground.host(1).ip(0));
  assert.equal(first?.address, playground.host(2).ip(0));
  const table = await must(playground.host(1), "hansa", "status", "--links");
  assert.match(
    table,
    /^link0 +192\.168\.48\.11 +-> 192\.168\.48\.12 +2\(host2\) priority=1 up +rtt=\S+ in use$/m,
  );
});

test("a host loses its first link: traffic goes on by the second, and nobody is suspected", async () => {
  await undoubted(async () => {
    await goesOn("link 0 of host2 cut", containerOn(1), containerOn(2), async () => {
      await playground.cut(2, 0);
      await eventually("both ends use link 1", 10_000, async () =>
        (await usedBy(1, 2)) === 1 && (await usedBy(2, 1)) === 1 ? true : undefined,
      );
    });
    assert.equal(await usedBy(1, 3), 0, "others stay");
    await goesOn("link 0 of host2 mended", containerOn(1), containerOn(2), async () => {
      await playground.mend(2, 0);
      await allUse(0, BACK_WITHIN_MS);
    });
  });
});

test("a whole network is lost: nobody is suspected, and a daemon that starts then finds its peers", async () => {
  await undoubted(() =>
    goesOn("network 0 cut", containerOn(3), containerOn(1), async () => {
      await Promise.all(members.map(({ number }) => playground.cut(number, 0)));
      await allUse(1, 10_000);
    }),
  );
  await eventually("host1 shows all alive and established", 10_000, async () => {
    const { connections, peers } = await status(playground.host(1));
    assert.ok(connections.every(({ state }) => state === "established" || state === "failed"));
    assert.ok(peers.every(({ state }) => state === "alive"));
    return true;
  });
  const host = playground.host(2);
  await goesOn("daemon of host2 killed", containerOn(1), containerOn(2), async () => {
    await must(host, "sh", "-c", "read pid rest < /run/hansa/daemon.pid; kill -9 $pid");
    await eventually("the daemon is back and hears all", 60_000, async () => {
      const found = await status(host);
      return found.peers.length === 3 && found.peers.every(({ state }) => state === "alive")
        ? true
        : undefined;
    });
    await fullMesh(members, 30_000);
    await allUse(1, 10_000);
  });
  await Promise.all(members.map(({ number }) => playground.mend(number, 0)));
  await allUse(0, BACK_WITHIN_MS);
});

test("a link that is cut one way is left by both ends", async () => {
  const deaf = playground.host(3);
  const table =
    "add table inet e2e\nadd chain inet e2e in { type filter hook prerouting priority -450; }\n";
  const rule = `add rule inet e2e in iifname "eth0" ip saddr ${playground.host(1).ip(0)} drop\n`;
  await undoubted(async () => {
    await goesOn("one way from host1 to host3 cut", containerOn(1), containerOn(3), async () => {
      await must(deaf, "sh", "-c", `printf '%s' "$0" | nft -f -`, table + rule);
      await eventually("both ends use link 1", 10_000, async () =>
        (await usedBy(1, 3)) === 1 && (await usedBy(3, 1)) === 1 ? true : undefined,
      );
    });
    await must(deaf, "nft", "delete", "table", "inet", "e2e");
    await allUse(0, BACK_WITHIN_MS * 2);
  });
});

test("the link of the highest priority carries the traffic", async () => {
  for (const host of members) await launchWith(host, [1, 20]);
  await allUse(1, BACK_WITHIN_MS);
  const [from, to] = [containerOn(1), containerOn(2)];
  const pull = `wget -qO- http://${to.address}/cgi-bin/on | head -n 100 | wc -l`;
  // Each end is steered when the other has followed, and once more a moment later.
  await eventually("link 1 carries it", 45_000, async () => {
    const [first = 0, second = 0] = await carried(playground.host(2), async () => {
      assert.equal(await must(from.host, "docker", "exec", from.name, "sh", "-c", pull), "100");
    });
    assert.ok(second > 100 * 60 && second > first, `${first} and ${second} bytes`);
    return true;
  });
});
