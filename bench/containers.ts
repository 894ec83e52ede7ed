/**
 * The containers of all nodes against Docker's own command on one: what a list takes, and how soon a start is seen elsewhere.
 * `node bench/containers.ts [CONTAINERS A HOST]` prints the rows.
 */
import { spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import type { ContainerEvent } from "../src/api/container-schema.ts";
import { unixRequest, unixStream } from "../src/host/unix-http.ts";
import { type Host, Playground } from "../src/playground/playground.ts";
import { api, formHansa, HANSA, HOSTS, must } from "./cluster.ts";
import { median, type Row, table } from "./samples.ts";

const ROUNDS = 20;
/** From the last start until every node knows all of them: it takes a moment. */
const KNOWN_MS = 60_000;
const NETWORK = ["--network", "hansa"] as const;
const SLEEP = ["busybox", "sleep", "1000000"] as const;

/** The rows of a cluster that runs; starts `count` containers on each host and leaves them there. */
export async function containerRows(playground: Playground, count: number): Promise<Row[]> {
  // Before the crowd, so that Docker's own price for it does not lie on the figure.
  const seen = await startsSeen(playground, ROUNDS);
  await Promise.all(HOSTS.map((id) => crowd(playground.host(id), count)));
  const { ours, peer } = await lists(playground, count);
  return [
    {
      figure: `hansa ps of ${HOSTS.length} hosts with ${count} containers each`,
      ours: median(ours),
      peer: median(peer),
      peerName: "docker ps on one of them",
      unit: "ms",
      compare: "ratio",
      target: 1.5,
      samples: ours.length,
    },
    {
      figure: "a container's start, until a watcher on another host has seen it",
      ours: median(seen.map(({ oursMs }) => oursMs)),
      peer: median(seen.map(({ dockerMs }) => dockerMs)),
      peerName: "docker events on its host",
      unit: "ms",
      compare: "ratio",
      target: 1.5,
      pairs: {
        ours: seen.map(({ oursMs }) => oursMs),
        peer: seen.map(({ dockerMs }) => dockerMs),
      },
      samples: seen.length,
    },
  ];
}

/** By Docker's API: a container costs a fifth of a second of CPU without the command that asks for it. One after the other on each host. */
async function crowd(host: Host, count: number): Promise<void> {
  const [Image, ...Cmd] = SLEEP;
  const body = { Image, Cmd, HostConfig: { NetworkMode: "hansa" } };
  for (let index = 0; index < count; index += 1) {
    const { Id } = (await docker(host, "/containers/create", 201, body)) as { Id: string };
    await docker(host, `/containers/${Id}/start`, 204);
  }
}

/** What Docker answers to a POST. */
async function docker(host: Host, path: string, status: number, body?: object): Promise<unknown> {
  const answer = await unixRequest({
    ...{ socketPath: dockerSocket(host), method: "POST", path: `/v1.41${path}` },
    ...(body && { body }),
    timeoutMs: 120_000,
  });
  if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.body;
}

function dockerSocket(host: Host): string {
  return `/proc/${host.pid}/root/run/docker.sock`;
}

/** Milliseconds of both commands, taken in turn, once each node knows all containers. */
async function lists(
  playground: Playground,
  count: number,
): Promise<{ readonly ours: number[]; readonly peer: number[] }> {
  const end = performance.now() + KNOWN_MS;
  for (;;) {
    const { containers } = (await api(playground.host(2), "/v1/containers")) as {
      readonly containers: readonly { readonly state: string }[];
    };
    const running = containers.filter(({ state }) => state === "running");
    // Others may run beside them.
    if (running.length >= count * HOSTS.length) break;
    if (performance.now() > end) throw new Error(`only ${running.length} containers are known`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const timed = (...argv: string[]): number => {
    const [program = "", ...args] = playground.inHost(2, argv);
    const began = performance.now();
    spawnSync(program, args);
    return performance.now() - began;
  };
  const samples = { ours: [] as number[], peer: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    samples.peer.push(timed("docker", "ps"));
    samples.ours.push(timed("hansa", "ps"));
  }
  return samples;
}

interface Seen {
  /** From the order to start. */
  readonly oursMs: number;
  readonly dockerMs: number;
}

async function startsSeen(playground: Playground, rounds: number): Promise<Seen[]> {
  const [runs, watches] = [playground.host(2), playground.host(1)];
  const ends: (() => void)[] = [];
  const socketOf = (host: Host, path: string): string => `/proc/${host.pid}/root${path}`;
  const dockerPath = dockerSocket(runs);
  const waits = { ours: new Map<string, () => void>(), docker: new Map<string, () => void>() };
  const follow = async (socketPath: string, path: string, line: (text: string) => void) => {
    const stream = await unixStream({ socketPath, path });
    const lines = createInterface({ input: stream }).on("line", line);
    // Ended by us in the middle, or with the playground.
    lines.on("error", () => undefined);
    ends.push(() => stream.destroy());
  };
  const hansa = socketOf(watches, "/run/hansa/hansa.sock");
  await follow(hansa, "/v1/containers/watch", (text) => {
    if (!text.startsWith("data: ")) return;
    const event = JSON.parse(text.slice(6)) as ContainerEvent;
    if (event.type !== "container" || event.container.state !== "running") return;
    waits.ours.get(event.container.id ?? "")?.();
  });
  await follow(dockerPath, "/v1.41/events", (text) => {
    const { Type, Action, Actor } = JSON.parse(text);
    if (Type === "container" && Action === "start") waits.docker.get(Actor.ID)?.();
  });
  const found: Seen[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const id = await must(runs, "docker", "create", ...NETWORK, ...SLEEP);
    const began = performance.now();
    const when = (who: "ours" | "docker"): Promise<number> =>
      new Promise((resolve) => waits[who].set(id, () => resolve(performance.now() - began)));
    const both = Promise.all([when("ours"), when("docker")]);
    await docker(runs, `/containers/${id}/start`, 204);
    const [oursMs, dockerMs] = await both;
    found.push({ oursMs, dockerMs });
    await must(runs, "docker", "rm", "-f", id);
  }
  for (const end of ends) end();
  return found;
}

if (import.meta.main) {
  await using playground = await Playground.up({
    ...{ name: "benchps", hosts: HOSTS.length, links: 1, binary: HANSA },
  });
  await formHansa(playground);
  const rows = await containerRows(playground, Number(process.argv[2] ?? 100));
  process.stdout.write(`${table(rows)}\n`);
}
