/**
 * The benchmarks of a running cluster, each against a peer in the same run on the same playground hosts.
 *
 * `npm run bench` prints the table; `npm run bench -- --json` the rows. Runs alternate ours and theirs, so that what else the
 * machine does falls on both.
 */
import { spawnSync } from "node:child_process";
import { deriveRoot } from "../src/identity/roots.ts";
import { Playground } from "../src/playground/playground.ts";
import { apiReadRows } from "./api-reads.ts";
import { formHansa, HANSA, HOSTS, must, seconds, TOKEN } from "./cluster.ts";
import { containerRows } from "./containers.ts";
import { hostCutSeconds } from "./host-cut.ts";
import { addressRequests, pairsWithLeases } from "./ipam-plugin.ts";
import { membershipRows } from "./membership/membership-rows.ts";
import { median, percentile, type Row, table } from "./samples.ts";
import { throughputRows } from "./throughput.ts";

async function formSwarm(playground: Playground): Promise<number> {
  const [first, ...others] = HOSTS.map((id) => playground.host(id));
  if (!first) throw new Error("no host");
  const took = await seconds(async () => {
    await must(first, "docker", "swarm", "init", "--advertise-addr", first.ip(0));
    const token = await must(first, "docker", "swarm", "join-token", "-q", "worker");
    await Promise.all(
      others.map((host) =>
        must(host, "docker", "swarm", "join", "--token", token, `${first.ip(0)}:2377`),
      ),
    );
  });
  for (const host of [...others, first]) await must(host, "docker", "swarm", "leave", "--force");
  return took;
}

/** Seconds of one key derivation a host, all hosts' at the same time on this machine's cores, as the launches have them. */
async function derivationSeconds(): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    samples.push(await seconds(() => Promise.all(HOSTS.map(() => deriveRoot(TOKEN, "hansa")))));
  }
  return median(samples);
}

function commandSeconds(argv: readonly string[], rounds: number): number[] {
  const [program = "", ...args] = argv;
  return Array.from({ length: rounds }, () => {
    const started = performance.now();
    spawnSync(program, args);
    return (performance.now() - started) / 1000;
  });
}

const rows: Row[] = [];
const derivation = await derivationSeconds();

{
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await using playground = await Playground.up({
      name: "benchf",
      hosts: 4,
      links: 1,
      binary: HANSA,
    });
    theirs.push(await formSwarm(playground));
    ours.push((await formHansa(playground)) - derivation);
  }
  rows.push({
    figure: "4 hosts launched side by side to mesh and prime, less one key derivation a host",
    ours: median(ours),
    peer: median(theirs),
    peerName: "swarm init + 3 joins",
    unit: "s",
    compare: "ratio",
    target: 1,
    samples: ours.length,
  });
}

await using playground = await Playground.up({ name: "bench", hosts: 4, links: 1, binary: HANSA });
await formHansa(playground);
const host = playground.host(2);

{
  // The second peer tells what of the difference is Docker's own price for any network that a user makes.
  await must(host, "docker", "network", "create", "plain");
  const networks = ["bridge", "plain", "hansa"] as const;
  const samples = { bridge: [] as number[], plain: [] as number[], hansa: [] as number[] };
  for (let round = 0; round < 20; round += 1) {
    for (const network of networks) {
      const command = ["docker", "run", "--rm", "--network", network, "busybox", "true"];
      samples[network].push(await seconds(() => must(host, ...command)));
    }
  }
  const against = (peer: "bridge" | "plain", peerName: string, target: number): Row => ({
    figure: "docker run --network hansa",
    ours: median(samples.hansa),
    peer: median(samples[peer]),
    peerName,
    unit: "s",
    compare: "ratio",
    target,
    samples: samples.hansa.length,
  });
  rows.push(against("bridge", "default bridge", 1.15));
  rows.push(against("plain", "a user-defined bridge", 1.05));
}

for (const command of ["version", "status"]) {
  const inHost = (argv: string[]) => playground.inHost(2, argv);
  const ours = commandSeconds(inHost(["hansa", command]), 20);
  const theirs = commandSeconds(inHost(["docker", command === "version" ? "version" : "ps"]), 20);
  rows.push({
    figure: `hansa ${command}`,
    ours: median(ours) * 1000,
    peer: median(theirs) * 1000,
    peerName: command === "version" ? "docker version" : "docker ps",
    unit: "ms",
    compare: "difference",
    target: 50,
    samples: ours.length,
  });
}

{
  await must(
    host,
    "docker",
    "run",
    "-d",
    "--name",
    "reached",
    "--network",
    "hansa",
    "busybox",
    "sleep",
    "1000000",
  );
  const samples = { hansa: [] as number[], docker: [] as number[] };
  for (let round = 0; round < 20; round += 1) {
    for (const program of ["hansa", "docker"] as const) {
      const argv = playground.inHost(2, [program, "exec", "reached", "true"]);
      samples[program].push(...commandSeconds(argv, 1));
    }
  }
  rows.push({
    figure: "hansa exec of true on the node itself",
    ours: median(samples.hansa) * 1000,
    peer: median(samples.docker) * 1000,
    peerName: "docker exec",
    unit: "ms",
    compare: "ratio",
    target: 1.1,
    samples: samples.hansa.length,
  });
}

{
  const samples = await addressRequests(1000);
  rows.push({
    figure: "address request at the plugin, p99",
    ours: percentile(samples, 0.99),
    peer: Number.NaN,
    peerName: "-",
    unit: "ms",
    compare: "absolute",
    target: 2,
    samples: samples.length,
  });
}

{
  const { without, holding } = await pairsWithLeases(1000, 1000);
  rows.push({
    figure: "address request and release, with 1,000 leases",
    ours: median(holding),
    peer: median(without),
    peerName: "without leases",
    unit: "ms",
    compare: "ratio",
    target: 1,
    samples: holding.length,
  });
}

{
  const samples = await hostCutSeconds(playground, 5);
  rows.push({
    figure: "host cut, until no other host shows it established, slowest",
    ours: Math.max(...samples),
    peer: Number.NaN,
    peerName: "-",
    unit: "s",
    compare: "absolute",
    target: 3,
    samples: samples.length,
  });
}

rows.push(...(await apiReadRows(playground, 3)));
rows.push(...(await containerRows(playground, 100)));

await playground.down();
rows.push(...(await throughputRows(3)));
// In short; `npm run bench -- membership` has all sizes and more rounds.
rows.push(
  ...(await membershipRows(
    { shapes: [{ nodes: 64, processes: 1 }], rounds: 2, lives: 1, idleSeconds: 15 },
    () => undefined,
  )),
);

process.stdout.write(
  process.argv.includes("--json")
    ? `${JSON.stringify({ derivationSeconds: derivation, rows }, null, 2)}\n`
    : `key derivation, ${HOSTS.length} at a time as in the launches: ${derivation.toFixed(3)} s\n${table(rows)}\n`,
);
