/**
 * Which of our ports another program holds: found by binding them for a moment, which costs less than reading the kernel's
 * tables; those are read only to name the holder.
 */
import { createSocket } from "node:dgram";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { HansaError, isErrno } from "../errors.ts";
import type { Ports } from "./node-file.ts";
import { describeProcess, processBySocket } from "./running-process.ts";

export type Protocol = "tcp" | "udp";

export interface BoundPort {
  readonly port: number;
  /** The socket's inode, by which /proc tells who holds it; "0" for a socket of the kernel. */
  readonly inode: string;
}

/** A port of ours that another process holds, in one sentence: "port 6783/udp is held by socat (pid 7)". */
export interface TakenPort {
  readonly port: number;
  readonly protocol: Protocol;
  readonly sentence: string;
}

/** Throws PORT_TAKEN for the first port of ours that a process other than `ours` holds, naming it where /proc tells. */
export async function requireFreePorts(
  ports: Ports,
  ours: ReadonlySet<number> = new Set(),
): Promise<void> {
  for await (const { sentence } of takenPorts(ports, ours)) {
    throw new HansaError("PORT_TAKEN", sentence);
  }
}

/**
 * The ports of ours that processes other than `ours` hold, each found when it is asked for.
 *
 * The overlay's UDP port, while a device of ours exists, is that device's.
 */
export async function* takenPorts(
  ports: Ports,
  ours: ReadonlySet<number>,
): AsyncGenerator<TakenPort> {
  const needed: readonly (readonly [Protocol, number])[] = [
    ["tcp", ports.gossip],
    ["udp", ports.gossip],
    ["udp", ports.overlay],
    ["tcp", ports.overlay],
    ["tcp", ports.api],
  ];
  for (const [protocol, port] of needed) {
    if (await (protocol === "tcp" ? canListen(port) : canReceive(port))) continue;
    const holder = holderOf(protocol, port);
    if (holder !== undefined && ours.has(holder)) continue;
    if (protocol === "udp" && port === ports.overlay && hasOwnDevice()) continue;
    const name = holder === undefined ? undefined : describeProcess(holder);
    const by = name ?? "something on this host";
    yield { port, protocol, sentence: `port ${port}/${protocol} is held by ${by}` };
  }
}

/** The ports in a table of /proc/net: TCP sockets that listen, UDP sockets that are not connected. Pure. */
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
      return [{ port, inode }];
    });
}

/** Both kinds of address at once where the host has IPv6: Node binds "::", or 0.0.0.0 without it. */
function canListen(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", (error) => (isErrno(error, "EADDRINUSE") ? resolve(false) : reject(error)));
  server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}

async function canReceive(port: number): Promise<boolean> {
  const tried = async (type: "udp4" | "udp6"): Promise<boolean> => {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const socket = createSocket(type);
    socket.once("error", (error) => {
      socket.close();
      if (isErrno(error, "EADDRINUSE")) resolve(false);
      // No IPv6 on this host: nobody can hold the port there.
      else if (type === "udp6" && isWithoutIpv6(error)) resolve(true);
      else reject(error);
    });
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
    return promise;
  };
  return (await tried("udp4")) && (await tried("udp6"));
}

const NO_IPV6: readonly string[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"];

/** What a socket of IPv6 that was bound to all addresses says where the host has none. */
export function isWithoutIpv6(error: unknown): boolean {
  return NO_IPV6.some((errno) => isErrno(error, errno));
}

/** The process that holds the port, where /proc tells. */
export function holderOf(protocol: Protocol, port: number): number | undefined {
  const inode = [protocol, `${protocol}6`]
    .flatMap((name) => readBoundPorts(protocol, `/proc/net/${name}`))
    .find((each) => each.port === port)?.inode;
  return inode === undefined || inode === "0" ? undefined : processBySocket(inode);
}

function readBoundPorts(protocol: Protocol, path: string): BoundPort[] {
  try {
    return boundPorts(protocol, readFileSync(path, "latin1"));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return []; // No IPv6 in this kernel.
    throw error;
  }
}

/** Under /proc, which shows this process's network namespace; /sys shows the one it was mounted in. */
function hasOwnDevice(): boolean {
  return readdirSync("/proc/sys/net/ipv4/conf").some((name) => name.startsWith("hansa"));
}
