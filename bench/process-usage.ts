/**
 * What the processes of a playground host have used, read from /proc: no process is asked, so that reading costs them nothing.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ProcessUsage {
  readonly pid: number;
  /** Program and first argument, such as "hansa daemon". */
  readonly name: string;
  /** CPU of all its threads by the scheduler's own clock, and of the children that it waited for (in ticks of 10 ms). */
  readonly cpuSeconds: number;
  readonly anonymousMiB: number;
}

/** The processes of Hansa in the host whose first process is `hostPid`: our roles, and the tunnel's. */
export function hansaProcesses(hostPid: number): readonly ProcessUsage[] {
  const netns = readlinkSync(`/proc/${hostPid}/ns/net`);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => usageOf(Number(name), netns))
    .filter((usage) => usage !== undefined);
}

function usageOf(pid: number, netns: string): ProcessUsage | undefined {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== netns) return undefined;
    const [program = "", argument = ""] = text(pid, "cmdline").split("\0");
    const name = `${program.split("/").at(-1)} ${argument}`.trim();
    if (!/^(hansa|wireguard-go|ip|nft) /.test(name)) return undefined;
    return { pid, name, cpuSeconds: threads(pid) + children(pid), anonymousMiB: anonymous(pid) };
  } catch {
    // It ended while we read: it has used nothing worth counting since.
    return undefined;
  }
}

function threads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((task) => Number(text(pid, `task/${task}/schedstat`).split(" ")[0]) / 1e9)
    .reduce((sum, seconds) => sum + seconds, 0);
}

function children(pid: number): number {
  const stat = text(pid, "stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function anonymous(pid: number): number {
  return Number(/^RssAnon:\s+(\d+)/m.exec(text(pid, "status"))?.[1] ?? 0) / 1024;
}

function text(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, "utf8");
}
