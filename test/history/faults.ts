/**
 * What is done to a cluster while clients use its store: each fault begins, lasts, and is mended whole.
 *
 * Hosts 1 to 4 have a vote, host 5 has none. Every fault is done to hosts and their network, as it happens to machines: nothing inside of our processes is told of it.
 */
import { setTimeout as pause } from "node:timers/promises";
import { nodeClient } from "../../src/client/node-client.ts";
import type { Host, Playground } from "../../src/playground/playground.ts";
import { fillDisk, freeDisk, quickDisk, slowDisk } from "./disk-trouble.ts";

export interface World {
  readonly playground: Playground;
  readonly voters: readonly Host[];
}

export interface Fault {
  readonly name: string;
  /** Whether the votes that are left reach each other, so that writes go on. */
  readonly leavesMajority: boolean;
  /** How long it is left alone once it is done, in milliseconds. */
  readonly lastsMs: number;
  readonly begin: (world: World) => Promise<void>;
  readonly mend: (world: World) => Promise<void>;
}

const NOTHING = async (): Promise<void> => undefined;
const heal = ({ playground }: World): Promise<void> => playground.heal();

export const FAULTS: readonly Fault[] = [
  {
    ...{ name: "kill -9 of the leader's etcd", leavesMajority: true, lastsMs: 4000 },
    begin: async (world) => killEtcd(await leaderOf(world)),
    mend: NOTHING,
  },
  {
    ...{ name: "kill -9 of every etcd at once", leavesMajority: false, lastsMs: 5000 },
    begin: async ({ voters }) => void (await Promise.all(voters.map(killEtcd))),
    mend: NOTHING,
  },
  {
    ...{ name: "kill -9 of every daemon at once", leavesMajority: true, lastsMs: 5000 },
    begin: async ({ playground }) => void (await Promise.all(playground.hosts().map(killDaemon))),
    mend: NOTHING,
  },
  {
    ...{ name: "the leader's host loses its power", leavesMajority: true, lastsMs: 6000 },
    begin: async (world) => (await leaderOf(world)).kill(),
    mend: bootAll,
  },
  {
    ...{ name: "all hosts lose their power at once", leavesMajority: false, lastsMs: 1000 },
    begin: async ({ playground }) => {
      await Promise.all(playground.hosts().map((host) => host.kill()));
    },
    mend: bootAll,
  },
  split("split 3/1: the leader with host 5, three votes apart", true, async (world) => {
    const { number } = await leaderOf(world);
    return [[number, 5], [1, 2, 3, 4].filter((each) => each !== number)];
  }),
  split("split 2/2", false, async () => [
    [1, 2, 5],
    [3, 4],
  ]),
  split("split 2/1/1", false, async () => [[1, 2], [3, 5], [4]]),
  {
    ...{ name: "the leader hears nobody, and is heard", leavesMajority: true, lastsMs: 8000 },
    begin: async (world) => {
      const { number } = await leaderOf(world);
      for (const { number: from } of world.playground.hosts()) {
        if (from !== number) await world.playground.oneway(from, number);
      }
    },
    mend: heal,
  },
  {
    ...{ name: "the leader is heard by nobody, and hears", leavesMajority: true, lastsMs: 8000 },
    begin: async (world) => {
      const { number } = await leaderOf(world);
      for (const { number: to } of world.playground.hosts()) {
        if (to !== number) await world.playground.oneway(number, to);
      }
    },
    mend: heal,
  },
  {
    ...{ name: "each write to the leader's disk takes 0.4 s", leavesMajority: true, lastsMs: 8000 },
    begin: async (world) => slowDisk(await leaderOf(world), 400),
    mend: async ({ voters }) => void (await Promise.all(voters.map(quickDisk))),
  },
  {
    ...{ name: "the clock of the leader's host is a minute ahead", leavesMajority: true },
    lastsMs: 5000,
    begin: async (world) => restart(await leaderOf(world), { HANSA_TEST_CLOCK_OFFSET_MS: "60000" }),
    mend: async ({ voters }) => void (await Promise.all(voters.map((host) => restart(host, {})))),
  },
  {
    ...{ name: "the leader's host has another address", leavesMajority: true, lastsMs: 10_000 },
    begin: async (world) => move(await leaderOf(world), "forth"),
    mend: async ({ voters }) => void (await Promise.all(voters.map((host) => move(host, "back")))),
  },
  {
    ...{ name: "all hosts have other addresses at once", leavesMajority: false, lastsMs: 20_000 },
    begin: async (world) => moveAll(world, "forth"),
    mend: async (world) => moveAll(world, "back"),
  },
];

/** Where each node has two links, which it was told of: of those of `FAULTS` the addresses would be others than these. */
export const LINK_FAULTS: readonly Fault[] = [
  {
    ...{ name: "network 0 of two is cut, of all hosts at once", leavesMajority: true },
    lastsMs: 8000,
    begin: ({ playground }) => onEach(playground, (host) => playground.cut(host, 0)),
    mend: ({ playground }) => onEach(playground, (host) => playground.mend(host, 0)),
  },
  {
    ...{ name: "link 0 of the leader's host is cut, of two", leavesMajority: true, lastsMs: 8000 },
    begin: async (world) => world.playground.cut((await leaderOf(world)).number, 0),
    mend: ({ playground }) => onEach(playground, (host) => playground.mend(host, 0)),
  },
];

/** Where each voter's state lies on a small disk of its own, which a power cut would empty. */
export const DISK_FAULTS: readonly Fault[] = [
  {
    ...{ name: "the disk of the leader's host is full", leavesMajority: true, lastsMs: 10_000 },
    begin: async (world) => fullDisk(await leaderOf(world)),
    mend: async ({ voters }) => void (await Promise.all(voters.map(freeDisk))),
  },
];

/**
 * What a person may decide, and is told the price of: a minority begins anew, while the majority goes on. What the majority acknowledged since is put into a file and
 * lost to the store, so a history with it is broken.
 */
export const EXPECTED: Fault = {
  ...{ name: "expected 1 on one of four votes, beside the other three", leavesMajority: true },
  lastsMs: 8000,
  begin: async ({ playground }) => {
    await playground.part([
      [1, 5],
      [2, 3, 4],
    ]);
    const endMs = performance.now() + 120_000;
    const one = playground.host(1);
    // While it hears another vote it refuses.
    for (;;) {
      const { status, stderr } = await one.exec(["hansa", "expected", "1", "--yes"]);
      if (status === 0) return;
      if (performance.now() > endMs) throw new Error(`expected 1 is refused: ${stderr}`);
      await pause(1000);
    }
  },
  mend: heal,
};

function split(
  name: string,
  leavesMajority: boolean,
  groups: (world: World) => Promise<number[][]>,
): Fault {
  return {
    ...{ name, leavesMajority, lastsMs: 8000, mend: heal },
    begin: async (world) => world.playground.part(await groups(world)),
  };
}

/** The voter that leads, as the first one that knows says; waits for an election. */
async function leaderOf({ voters, playground }: World): Promise<Host> {
  const endMs = performance.now() + 60_000;
  while (performance.now() < endMs) {
    for (const host of voters) {
      const id = await nodeClient(host.apiSocket)
        .store()
        .then(({ leader }) => leader?.id)
        // It may be the one that is down; the next one is asked.
        .catch(() => undefined);
      if (id !== undefined) return playground.host(id);
    }
    await pause(200);
  }
  throw new Error("no voter knows of a leader");
}

async function killEtcd(host: Host): Promise<void> {
  await host.exec(["pkill", "-KILL", "-x", "etcd"]);
}

async function killDaemon(host: Host): Promise<void> {
  await must(host, ["sh", "-c", "read pid rest < /run/hansa/daemon.pid && kill -9 $pid"]);
}

/** No room, until its etcd has ended of it. */
async function fullDisk(host: Host): Promise<void> {
  const pid = async (): Promise<string> => (await host.exec(["pgrep", "-x", "etcd"])).stdout.trim();
  const before = await pid();
  await fillDisk(host);
  const endMs = performance.now() + 120_000;
  while ((await pid()) === before) {
    if (performance.now() > endMs) throw new Error(`etcd of ${host.name} goes on with a full disk`);
    await pause(200);
  }
}

async function onEach(playground: Playground, act: (host: number) => Promise<void>): Promise<void> {
  for (const { number } of playground.hosts()) await act(number);
}

/** All of Hansa on the host but etcd and the tunnel, which go on. */
async function restart(host: Host, env: Readonly<Record<string, string>>): Promise<void> {
  const pids = ["supervise", "ipam-plugin", "daemon"].map((name) => `/run/hansa/${name}.pid`);
  await must(host, ["sh", "-c", `kill -9 $(cut -d' ' -f1 ${pids.join(" ")})`]);
  await must(host, ["hansa", "resume"], env);
}

/** From its address on the first link to one that nobody had, or back. Nothing where it is there already. */
async function move(host: Host, way: "forth" | "back"): Promise<void> {
  const [from, to] = [addressOn(host, way === "forth" ? "back" : "forth"), addressOn(host, way)];
  const script = `if ip address del ${from}/24 dev eth0 2>/dev/null; then
    ip address add ${to}/24 dev eth0
    ip route replace default via ${host.ip(0).replace(/\d+$/, "1")}
  fi`;
  await must(host, ["sh", "-c", script]);
}

/** And what a name server would say follows. */
async function moveAll({ playground }: World, way: "forth" | "back"): Promise<void> {
  const members = playground.hosts();
  const lines = members.map((host) => `${addressOn(host, way)} ${host.name}`);
  await Promise.all(
    members.map(async (host) => {
      await move(host, way);
      await must(host, ["sh", "-c", 'printf "%s\\n" "$@" > /etc/hosts', "sh", ...lines]);
    }),
  );
}

function addressOn(host: Host, way: "forth" | "back"): string {
  if (way === "back") return host.ip(0);
  return host.ip(0).replace(/\d+$/, (byte) => `${Number(byte) + 100}`);
}

async function bootAll({ playground }: World): Promise<void> {
  await Promise.all(
    playground.hosts().map(async (host) => {
      if (!host.isOn) await host.boot();
    }),
  );
}

async function must(
  host: Host,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { status, stderr } = await host.exec(argv, { env });
  if (status !== 0) throw new Error(`${argv.join(" ")} on ${host.name}: ${status} ${stderr}`);
}
