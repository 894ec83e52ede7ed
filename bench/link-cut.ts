/**
 * From the cut of one of two networks until packets pass again, against corosync's word that the link is down, on the same playground hosts.
 *
 * Corosync is one of the PATH, or of HANSA_BENCH_COROSYNC (its executable; its libraries by LD_LIBRARY_PATH); without one its figure is left out.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import type { Status } from "../src/api/status-schema.ts";
import { type Host, Playground } from "../src/playground/playground.ts";
import { api, HANSA, must, TOKEN } from "./cluster.ts";
import { median, type Row } from "./samples.ts";

const ROUNDS = 8;
const IDS = [1, 2];
/** Between two packets: how exactly the gap is known. */
const PACE_SECONDS = "0.01";

export async function linkCutRows(): Promise<Row[]> {
  await using playground = await Playground.up({
    ...{ name: "benchl", hosts: IDS.length, links: 2, binary: HANSA },
  });
  const theirs = await corosyncSeconds(playground);
  const ours = await hansaSeconds(playground);
  return [
    {
      figure: "one of two links cut, until packets between containers pass again",
      ours: median(ours),
      peer: median(theirs),
      peerName: "corosync marks it down",
      unit: "s",
      compare: "ratio",
      target: 1,
      samples: ours.length,
    },
    {
      figure: "the same, slowest",
      ours: Math.max(...ours),
      peer: Number.NaN,
      peerName: "-",
      unit: "s",
      compare: "absolute",
      target: 1,
      samples: ours.length,
    },
  ];
}

async function hansaSeconds(playground: Playground): Promise<number[]> {
  const [first, second] = IDS.map((id) => playground.host(id));
  if (!first || !second) throw new Error("no hosts");
  await Promise.all([first, second].map((host) => launch(host, first)));
  await must(first, "hansa", "prime");
  await must(second, "hansa", "prime");
  const run = [
    "docker",
    "run",
    "-d",
    "--name",
    "one",
    "--network",
    "hansa",
    "busybox",
    "sleep",
    "9999",
  ];
  await Promise.all([first, second].map((host) => must(host, ...run)));
  const format = "{{.NetworkSettings.Networks.hansa.IPAddress}}";
  const address = await must(second, "docker", "inspect", "-f", format, "one");
  const packets = await first.spawn(["docker", "exec", "one", "ping", "-i", PACE_SECONDS, address]);
  let lastMs = performance.now();
  let longestMs = 0;
  packets.stdout.on("data", () => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
  });
  await once(packets.stdout, "data");
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const used = await untilAllUp(first, second);
    await setTimeout(Math.random() * 300);
    longestMs = 0;
    await playground.cut(2, used);
    while ((await usedOf(first))?.link === used || (await usedOf(second))?.link === used)
      await setTimeout(20);
    await setTimeout(500);
    samples.push(longestMs / 1000);
    await playground.mend(2, used);
  }
  packets.kill("SIGKILL");
  return samples;
}

async function launch(host: Host, target: Host): Promise<void> {
  const links = [0, 1].flatMap((link) => [`--link${link}`, host.ip(link)]);
  const words = ["--id", `${host.number}`, "--token", TOKEN, ...links, target.ip(0)];
  await must(host, "hansa", "launch", ...words);
}

async function linksOf(host: Host): Promise<Status["links"]> {
  return ((await api(host, "/v1/status")) as Status).links;
}

async function usedOf(host: Host): Promise<Status["links"][number] | undefined> {
  return (await linksOf(host)).find(({ inUse }) => inUse);
}

/** The link that both use once both links are up at both. */
async function untilAllUp(...hosts: readonly Host[]): Promise<number> {
  for (;;) {
    const all = await Promise.all(hosts.map(linksOf));
    const used = new Set(all.flat().flatMap(({ inUse, link }) => (inUse ? [link] : [])));
    const areUp = all.every(
      (links) => links.length === 2 && links.every(({ state }) => state === "up"),
    );
    const [link] = used;
    if (areUp && used.size === 1 && link !== undefined) return link;
    await setTimeout(50);
  }
}

async function corosyncSeconds(playground: Playground): Promise<number[]> {
  const program = process.env["HANSA_BENCH_COROSYNC"] ?? "corosync";
  if (spawnSync(program, ["-v"]).status !== 0) return [Number.NaN];
  const hosts = IDS.map((id) => playground.host(id));
  const libraries = process.env["LD_LIBRARY_PATH"] ?? "";
  const said: ((line: string) => void)[] = [];
  const logs: string[] = [];
  const processes = await Promise.all(
    hosts.map(async (host) => {
      const setUp = `mkdir -p /run/coro /var/lib/corosync /var/log/corosync; printf '%s' "$0" > /run/coro/conf`;
      await must(host, "sh", "-c", setUp, configuration(hosts));
      const argv = ["env", `LD_LIBRARY_PATH=${libraries}`, program, "-f", "-c", "/run/coro/conf"];
      const running = await host.spawn(argv);
      for (const stream of [running.stdout, running.stderr]) {
        stream.on("data", (chunk: Buffer) => {
          logs.push(`${chunk}`);
          for (const tell of said) tell(`${chunk}`);
        });
      }
      return running;
    }),
  );
  const word = (pattern: RegExp): Promise<number> =>
    new Promise((resolve, reject) => {
      const giveUp = globalThis.setTimeout(() => reject(new Error(logs.join(""))), 30_000);
      said.push((line) => {
        if (!pattern.test(line)) return;
        clearTimeout(giveUp);
        resolve(performance.now());
      });
    });
  const samples: number[] = [];
  await setTimeout(15_000);
  for (let round = 0; round < ROUNDS; round += 1) {
    const down = word(/link: 0 is down/);
    const began = performance.now();
    await playground.cut(2, 0);
    samples.push(((await down) - began) / 1000);
    await playground.mend(2, 0);
    await setTimeout(4_000);
  }
  for (const running of processes) running.kill("SIGTERM");
  return samples;
}

function configuration(hosts: readonly Host[]): string {
  const nodes = hosts.map(
    (host) =>
      `node {\n nodeid: ${host.number}\n name: ${host.name}\n ring0_addr: ${host.ip(0)}\n ring1_addr: ${host.ip(1)}\n}\n`,
  );
  return `totem {
version: 2
cluster_name: bench
transport: knet
link_mode: passive
crypto_cipher: none
crypto_hash: none
}
nodelist {
${nodes.join("")}}
quorum {
provider: corosync_votequorum
two_node: 1
}
logging {
to_stderr: yes
to_syslog: no
}
`;
}
