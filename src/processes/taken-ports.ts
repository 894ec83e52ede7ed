/**
 * Which of our ports another program holds, read from /proc/net instead of asking `ss`.
 */
import { readFileSync } from "node:fs";
import { HansaError, isErrno } from "../errors.ts";
import type { Ports } from "./node-file.ts";
import { describeProcess, processBySocket } from "./running-process.ts";

export type Protocol = "tcp" | "udp";

export interface BoundPort {
  readonly protocol: Protocol;
  readonly port: number;
  /** The socket's inode, by which /proc tells who holds it; "0" for a socket of the kernel. */
  readonly inode: string;
}

/** TCP sockets that listen, UDP sockets that are not connected: what stands in the way of a bind. Pure. */
export function boundPorts(protocol: Protocol, table: string): BoundPort[] {
  const wanted = protocol === "tcp" ? "0A" : "07";
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [local = "", state, inode] = [fields[1], fields[3], fields[9]];
      const port = Number.parseInt(local.split(":")[1] ?? "", 16);
      if (state !== wanted || inode === undefined || Number.isNaN(port)) return [];
      return [{ protocol, port, inode }];
    });
}

/** Throws PORT_TAKEN for the first port of ours that a process other than `ours` holds, naming it where /proc tells. */
export function requireFreePorts(ports: Ports, ours: ReadonlySet<number> = new Set()): void {
  const needed: readonly (readonly [Protocol, number])[] = [
    ["tcp", ports.gossip],
    ["udp", ports.gossip],
    ["udp", ports.overlay],
    ["tcp", ports.overlay],
  ];
  for (const [protocol, port] of needed) {
    const taken = readBoundPorts(protocol).find((each) => each.port === port);
    if (taken === undefined) continue;
    const holder = taken.inode === "0" ? undefined : processBySocket(taken.inode);
    if (holder !== undefined && ours.has(holder)) continue;
    const name = holder === undefined ? undefined : describeProcess(holder);
    const by = name === undefined ? "something on this host" : name;
    throw new HansaError("PORT_TAKEN", `port ${port}/${protocol} is held by ${by}`);
  }
}

function readBoundPorts(protocol: Protocol): BoundPort[] {
  return [protocol, `${protocol}6`].flatMap((name) => {
    try {
      return boundPorts(protocol, readFileSync(`/proc/net/${name}`, "latin1"));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return []; // No IPv6 in this kernel.
      throw error;
    }
  });
}
