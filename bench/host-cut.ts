/** Seconds from a host's cut until no other host of the cluster shows a connection to it as established. */
import { setTimeout } from "node:timers/promises";
import type { Status } from "../src/api/status-schema.ts";
import type { Playground } from "../src/playground/playground.ts";
import { api, HOSTS, seconds } from "./cluster.ts";

/** Asked about that often; the hosts' clocks play no part. */
const POLL_MS = 20;

async function stateOf(playground: Playground, at: number, id: number): Promise<string> {
  const { connections } = (await api(playground.host(at), "/v1/status")) as Status;
  return connections.find(({ peer }) => peer?.id === id)?.state ?? "none";
}

/** Cuts the last host `rounds` times, from a cluster in full mesh, and mends it again. */
export async function hostCutSeconds(playground: Playground, rounds: number): Promise<number[]> {
  const lost = HOSTS.at(-1) ?? 0;
  const others = HOSTS.filter((id) => id !== lost);
  const until = async (shown: (state: string) => boolean): Promise<void> => {
    for (const at of others) {
      while (!shown(await stateOf(playground, at, lost))) await setTimeout(POLL_MS);
    }
  };
  const samples: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await until((state) => state === "established");
    await playground.cut(lost);
    samples.push(await seconds(() => until((state) => state !== "established")));
    await playground.mend(lost);
  }
  return samples;
}
