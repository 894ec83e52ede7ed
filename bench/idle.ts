/**
 * What an idle cluster of four costs each host: CPU seconds a minute and anonymous memory of all our processes.
 *
 * `node bench/idle.ts [SECONDS]` prints it process by process.
 */
import { setTimeout } from "node:timers/promises";
import { Playground } from "../src/playground/playground.ts";
import { formHansa, HANSA, HOSTS } from "./cluster.ts";
import { hansaProcesses } from "./process-usage.ts";

/** Until then the nodes are still settling: first push/pulls, and V8 giving back the memory of the start after 30 s. */
const SETTLE_MS = 40_000;

export interface IdleUsage {
  /** Mean of the hosts, seconds a minute. */
  readonly cpuSecondsAMinute: number;
  /** The largest of the hosts. */
  readonly anonymousMiB: number;
  readonly byProcess: Readonly<Record<string, number>>;
}

/** Measures for `seconds` after the cluster of `playground` has settled. */
export async function idleUsage(playground: Playground, seconds: number): Promise<IdleUsage> {
  await setTimeout(SETTLE_MS);
  const look = () => HOSTS.map((id) => hansaProcesses(playground.host(id).pid));
  const before = look();
  await setTimeout(seconds * 1000);
  const after = look();
  const used = new Map(before.flat().map(({ pid, cpuSeconds }) => [pid, cpuSeconds]));
  const byProcess: Record<string, number> = {};
  for (const { pid, name, cpuSeconds } of after.flat()) {
    const share = ((cpuSeconds - (used.get(pid) ?? 0)) * 60) / seconds / HOSTS.length;
    byProcess[name] = (byProcess[name] ?? 0) + share;
  }
  return {
    cpuSecondsAMinute: Object.values(byProcess).reduce((sum, share) => sum + share, 0),
    anonymousMiB: Math.max(
      ...after.map((host) => host.reduce((sum, { anonymousMiB }) => sum + anonymousMiB, 0)),
    ),
    byProcess,
  };
}

if (import.meta.main) {
  await using playground = await Playground.up({
    name: "bidle",
    hosts: 4,
    links: 1,
    binary: HANSA,
  });
  await formHansa(playground);
  const usage = await idleUsage(playground, Number(process.argv[2] ?? 60));
  process.stdout.write(`${JSON.stringify(usage, null, 2)}\n`);
}
