/**
 * The store against bare etcd on the same hosts, disks and tunnel: what an acknowledged write costs on a voter and elsewhere, and how soon writes go on when the leader is lost.
 * `node bench/store.ts` prints the rows. Runs alternate ours and theirs.
 */
import { execFile } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { nodeClient } from "../src/client/node-client.ts";
import { type Host, Playground } from "../src/playground/playground.ts";
import { etcdConfig } from "../src/store/etcd/etcd-config.ts";
import { LEAST_TIMING } from "../src/store/store-times.ts";
import { storeOfFour } from "../test/history/store-of-four.ts";
import { buildGo } from "../test/interop/go-build.ts";
import { HANSA, must } from "./cluster.ts";
import { median, percentile, type Row, table } from "./samples.ts";

const ROUNDS = 10;
const PUTS = 50;
const LOSSES = 5;
const VALUE = "v".repeat(100);
const FILES = "/var/lib/hansa/store";
const BARE = { client: 12_379, peer: 19_212 };

/** The rows of a store of four votes, and of a fifth node without one. */
export async function storeRows(): Promise<Row[]> {
  await using playground = await Playground.up({
    ...{ name: "benchs", hosts: 5, links: 1, binary: HANSA },
  });
  const { voters } = await storeOfFour(playground);
  const client = await buildGo({ package: "hansa/etcdclient", roots: ["bench/go"] });
  return [
    ...(await writeRows(playground, client)),
    ...(await lossRows(voters, playground, client)),
  ];
}

async function writeRows(playground: Playground, client: string): Promise<Row[]> {
  const voter = playground.host(2);
  const elsewhere = playground.host(5);
  const samples = { ours: [], peer: [], elsewhere: [], trip: [] } as Record<string, number[]>;
  const { ours = [], peer = [], elsewhere: away = [], trip = [] } = samples;
  await puts(voter, PUTS);
  for (let round = 0; round < ROUNDS; round += 1) {
    peer.push(...(await peerPuts(voter, client, PUTS)));
    ours.push(...(await puts(voter, PUTS)));
    away.push(...(await puts(elsewhere, PUTS)));
    trip.push(...(await roundTrips(elsewhere, PUTS)));
  }
  const both = { unit: "ms", compare: "ratio" as const, samples: ours.length };
  const quantiles = [
    ["p50", 0.5],
    ["p99", 0.99],
  ] as const;
  return quantiles.flatMap(([name, share]) => [
    {
      ...{ figure: `an acknowledged write on a voter, ${name}`, ...both, target: 1.3 },
      ...{ ours: percentile(ours, share), peer: percentile(peer, share) },
      peerName: "etcd's own client",
    },
    {
      ...{ figure: `an acknowledged write elsewhere, ${name}`, ...both, target: 1 },
      ours: percentile(away, share),
      peer: 1.3 * percentile(peer, share) + median(trip),
      peerName: `1.3 of that and a round trip of mutual TLS, ${median(trip).toFixed(1)} ms`,
    },
  ]);
}

/** Milliseconds of so many writes through the host's own node, one after another. */
async function puts(host: Host, count: number): Promise<number[]> {
  const api = nodeClient(host.apiSocket);
  return timed(count, async () => {
    const { written } = await api.configPut({ key: "bench/ours", value: VALUE });
    if (!written) throw new Error("a write was not done");
  });
}

/** Of a question to another node through the host's own: by mutual TLS there and back, without the store. */
async function roundTrips(host: Host, count: number): Promise<number[]> {
  const api = nodeClient(host.apiSocket).of("2");
  return timed(count, () => api.version());
}

async function timed(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return times;
}

async function peerPuts(host: Host, client: string, count: number): Promise<number[]> {
  return etcdClient(host, client, 2379, "-count", `${count}`, "puts");
}

/** The milliseconds that it prints. In the host's network only: where the program was built, hosts may have folders of their own. */
async function etcdClient(
  host: Host,
  client: string,
  port: number,
  ...words: readonly string[]
): Promise<number[]> {
  const files = `/proc/${host.pid}/root${FILES}`;
  const security = ["-leaf", `${files}/voter.pem`, "-authority", `${files}/ca.pem`];
  const endpoint = ["-endpoint", `https://127.0.0.1:${port}`];
  const argv = ["-t", `${host.pid}`, "-n", "--", client, ...endpoint, ...security, ...words];
  const { stdout } = await promisify(execFile)("nsenter", argv);
  return stdout.split("\n").filter(Boolean).map(Number);
}

async function lossRows(
  voters: readonly Host[],
  playground: Playground,
  client: string,
): Promise<Row[]> {
  await bareStore(voters);
  const ours: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round < LOSSES; round += 1) {
    peer.push(await bareLoss(voters, client));
    ours.push(await loss(voters, playground));
  }
  return [
    {
      figure: "the leader is killed, until a write through another is acknowledged",
      ...{ ours: median(ours), peer: median(peer), peerName: "bare etcd, the same timers" },
      ...{ unit: "ms", compare: "ratio", target: 1.2, samples: ours.length },
    },
  ];
}

async function loss(voters: readonly Host[], playground: Playground): Promise<number> {
  const [first] = voters;
  if (first === undefined) throw new Error("no voter");
  const { leader } = await nodeClient(first.apiSocket).store();
  const other = voters.find(({ number }) => number !== leader?.id) as Host;
  const api = nodeClient(other.apiSocket);
  const ours = `etcd --config-file ${FILES}`;
  await must(playground.host(leader?.id ?? 0), "pkill", "-KILL", "-f", ours);
  const began = performance.now();
  for (;;) {
    try {
      await api.configPut({ key: "bench/ours", value: VALUE });
      break;
    } catch {
      // No leader yet: that is what is measured.
      await pause(20);
    }
  }
  const ms = performance.now() - began;
  await untilWhole(first);
  return ms;
}

async function untilWhole(host: Host): Promise<void> {
  for (;;) {
    try {
      const { votes, leader } = await nodeClient(host.apiSocket).store();
      if (votes.answering === 4 && leader !== null) return;
    } catch {
      // It is elected anew.
    }
    await pause(100);
  }
}

/** A store of four votes beside ours, with the same settings but its ports, and no daemon. */
async function bareStore(voters: readonly Host[]): Promise<void> {
  const members = voters.map(({ number }) => ({
    name: `bare${number}`,
    peerUrl: `https://10.32.0.${number}:${BARE.peer}`,
  }));
  for (const host of voters) {
    const text = etcdConfig({
      ...{ name: `bare${host.number}`, dataDir: "/var/lib/hansa/bare", clientPort: BARE.client },
      peer: { ip: `10.32.0.${host.number}`, port: BARE.peer },
      tlsFiles: { leaf: `${FILES}/voter.pem`, ca: `${FILES}/ca.pem` },
      ...{ members, begins: "new", token: "bare", timing: LEAST_TIMING },
    });
    await must(host, "sh", "-c", 'printf %s "$1" > /run/bare.json', "sh", text);
    await startBare(host);
  }
}

async function startBare(host: Host): Promise<void> {
  const script =
    "etcd --config-file /run/bare.json >/run/bare.log 2>&1 & echo $! >/run/bare.pid; exec >&- 2>&-";
  await must(host, "sh", "-c", script);
}

async function bareLoss(voters: readonly Host[], client: string): Promise<number> {
  const leader = await bareLeader(voters, client);
  const other = voters.find((host) => host !== leader) as Host;
  await must(leader, "sh", "-c", "kill -9 $(cat /run/bare.pid)");
  const [ms = Number.NaN] = await etcdClient(other, client, BARE.client, "until");
  await startBare(leader);
  await bareLeader(voters, client);
  return ms;
}

async function bareLeader(voters: readonly Host[], client: string): Promise<Host> {
  for (;;) {
    for (const host of voters) {
      const [leads] = await etcdClient(host, client, BARE.client, "leads");
      if (leads === 1) return host;
    }
    await pause(100);
  }
}

if (import.meta.main) process.stdout.write(`${table(await storeRows())}\n`);
