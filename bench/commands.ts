/** Commands against Docker's own, in turn on one host of a cluster that runs. */
import { spawnSync } from "node:child_process";
import type { Playground } from "../src/playground/playground.ts";
import { must, seconds } from "./cluster.ts";
import { median, type Row } from "./samples.ts";

const ROUNDS = 20;
const HOST = 2;

function commandSeconds(argv: readonly string[]): number {
  const [program = "", ...args] = argv;
  const started = performance.now();
  spawnSync(program, args);
  return (performance.now() - started) / 1000;
}

/** The second peer tells what of the difference is Docker's own price for any network that a user makes. */
export async function dockerRunRows(playground: Playground): Promise<Row[]> {
  const host = playground.host(HOST);
  await must(host, "docker", "network", "create", "plain");
  const samples = { bridge: [] as number[], plain: [] as number[], hansa: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const network of ["bridge", "plain", "hansa"] as const) {
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
    samples: ROUNDS,
  });
  return [
    against("bridge", "default bridge", 1.15),
    against("plain", "a user-defined bridge", 1.05),
  ];
}

export async function smallCommandRows(playground: Playground): Promise<Row[]> {
  return (
    [
      ["version", "version"],
      ["status", "ps"],
    ] as const
  ).map(([ourWord, theirWord]) => {
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(commandSeconds(playground.inHost(HOST, ["hansa", ourWord])));
      theirs.push(commandSeconds(playground.inHost(HOST, ["docker", theirWord])));
    }
    return {
      figure: `hansa ${ourWord}`,
      ours: median(ours) * 1000,
      peer: median(theirs) * 1000,
      peerName: `docker ${theirWord}`,
      unit: "ms",
      compare: "difference",
      target: 50,
      samples: ROUNDS,
    };
  });
}

export async function execRows(playground: Playground): Promise<Row[]> {
  const sleeper = ["--network", "hansa", "busybox", "sleep", "1000000"];
  const host = playground.host(HOST);
  await must(host, "docker", "run", "-d", "--name", "reached", ...sleeper);
  const samples = { hansa: [] as number[], docker: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const program of ["hansa", "docker"] as const) {
      const argv = playground.inHost(HOST, [program, "exec", "reached", "true"]);
      samples[program].push(commandSeconds(argv));
    }
  }
  await must(host, "docker", "rm", "-f", "reached");
  return [
    {
      figure: "hansa exec of true on the node itself",
      ours: median(samples.hansa) * 1000,
      peer: median(samples.docker) * 1000,
      peerName: "docker exec",
      unit: "ms",
      compare: "ratio",
      target: 1.1,
      samples: ROUNDS,
    },
  ];
}
