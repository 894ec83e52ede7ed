/**
 * Looks at a playground host from outside, through /proc: no process is started in it, so that looking every second costs it nothing.
 *
 * Everything is undefined where the host is off or the thing is not there: what to make of it is the caller's.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { Status } from "../../src/api/status-schema.ts";
import { unixRequest } from "../../src/host/unix-http.ts";
import type { Host } from "../../src/playground/playground.ts";
import type { ProcessName } from "./event.ts";

export interface ProcessView {
  readonly pid: number;
  /** Anonymous memory in bytes. */
  readonly anonymous: number;
  readonly descriptors: number;
  /** Processor time so far in seconds. */
  readonly cpuSeconds: number;
}

export interface ContainerView {
  readonly name: string;
  /** Dotted; empty while it holds none. */
  readonly address: string;
}

const TICKS_PER_SECOND = 100;

/** What the daemon answers to `GET /v1/status`. */
export async function statusOf(host: Host, timeoutMs = 5_000): Promise<Status | undefined> {
  return (await ask(host, "hansa/hansa.sock", "/v1/status", timeoutMs)) as Status | undefined;
}

/** The containers that Docker has on the network `hansa` now. */
export async function attachedTo(host: Host): Promise<readonly ContainerView[] | undefined> {
  const network = await ask(host, "docker.sock", "/networks/hansa", 5_000);
  if (typeof network !== "object" || network === null || !("Containers" in network))
    return undefined;
  const containers = network.Containers as Record<string, { Name: string; IPv4Address: string }>;
  return Object.values(containers).map(({ Name, IPv4Address }) => ({
    name: Name,
    address: IPv4Address.replace(/\/.*/, ""),
  }));
}

export interface DockerContainer {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly isOnNetwork: boolean;
  readonly address: string;
}

/** All containers of a host, whatever their state. */
export async function containersOf(host: Host): Promise<readonly DockerContainer[] | undefined> {
  const answer = await ask(host, "docker.sock", "/containers/json?all=1", 10_000);
  if (!Array.isArray(answer)) return undefined;
  return answer.map(({ Id, Names, State, NetworkSettings }) => {
    const ours = NetworkSettings?.Networks?.hansa;
    return {
      id: `${Id}`,
      name: `${Names?.[0] ?? ""}`.slice(1),
      state: `${State}`,
      isOnNetwork: ours !== undefined,
      address: `${ours?.IPAddress ?? ""}`,
    };
  });
}

/** One of our processes, found by its pid file. */
export function processOf(host: Host, name: ProcessName): ProcessView | undefined {
  return ifThere(() => {
    const root = `/proc/${host.pid}/root`;
    const pid = Number.parseInt(readFileSync(`${root}/run/hansa/${name}.pid`, "utf8"), 10);
    const proc = `${root}/proc/${pid}`;
    const status = readFileSync(`${proc}/status`, "utf8");
    const stat = readFileSync(`${proc}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      pid,
      anonymous: Number(/^RssAnon:\s*(\d+)/m.exec(status)?.[1] ?? 0) * 1024,
      descriptors: readdirSync(`${proc}/fd`).length,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    };
  });
}

/** A log of ours on the host's disk, whether it is on or off; empty when there is none. */
export function logOf(host: Host, name: ProcessName): string {
  return ifThere(() => readFileSync(`${host.stateDir}/hansa/log/${name}.log`, "utf8")) ?? "";
}

async function ask(host: Host, socket: string, path: string, timeoutMs: number): Promise<unknown> {
  try {
    if (!host.isOn) return undefined;
    const socketPath = `/proc/${host.pid}/root/run/${socket}`;
    const { status, body } = await unixRequest({ socketPath, path, timeoutMs });
    return status === 200 ? body : undefined;
  } catch {
    // No socket, nobody behind it, no answer in time: to whoever looks it is all the same.
    return undefined;
  }
}

/** The value, or undefined when what it is about is not there (any more). */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
