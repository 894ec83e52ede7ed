/** A cluster of four on playground hosts, as the benchmarks form it. */
import { join } from "node:path";
import type { Status } from "../src/api/status-schema.ts";
import { unixRequest } from "../src/host/unix-http.ts";
import type { Host, Playground } from "../src/playground/playground.ts";

export const HANSA = join(import.meta.dirname, "../dist/hansa");
export const TOKEN = "my-cluster-password";
export const HOSTS = [1, 2, 3, 4];

/** Runs a command on a host; throws with its words when it fails. */
export async function must(host: Host, ...argv: string[]): Promise<string> {
  const answer = await host.exec(argv, { timeoutMs: 120_000 });
  if (answer.status !== 0) throw new Error(`${argv.join(" ")}: ${answer.stdout}${answer.stderr}`);
  return answer.stdout.trim();
}

export async function seconds(job: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await job();
  return (performance.now() - started) / 1000;
}

/** Asks a node's API from outside of its host, so that asking costs the hosts next to nothing. */
export async function api(host: Host, path: string): Promise<unknown> {
  const socketPath = host.apiSocket;
  return (await unixRequest({ socketPath, path, timeoutMs: 60_000 })).body;
}

async function untilMesh(playground: Playground): Promise<void> {
  for (;;) {
    const states = await Promise.all(
      HOSTS.map((id) => api(playground.host(id), "/v1/status") as Promise<Status>),
    );
    const done = states.every(
      ({ connections }) => connections.filter(({ state }) => state === "established").length === 3,
    );
    if (done) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Seconds from four launches side by side until every node is in a full mesh and primed. */
export async function formHansa(playground: Playground): Promise<number> {
  const targets = HOSTS.map((id) => `host${id}`);
  return seconds(() =>
    Promise.all(
      HOSTS.map(async (id) => {
        const host = playground.host(id);
        await must(host, "hansa", "launch", "--id", `${id}`, "--token", TOKEN, ...targets);
        await api(host, "/v1/prime");
      }),
    ).then(() => untilMesh(playground)),
  );
}
