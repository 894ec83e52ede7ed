/**
 * Starts the store's process on this node, and ends it for good.
 *
 * Invariant: it is nobody's child who matters: the daemon starts it and may die without touching it, and whoever keeps the node's processes keeps it too.
 */
import { existsSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { HansaError, isErrno } from "../errors.ts";
import { requireTools } from "./host-tools.ts";
import { type Paths, pidFile } from "./paths.ts";
import { readPidFile } from "./pid-file.ts";
import { describeProcess } from "./running-process.ts";
import { startProcess } from "./start-process.ts";
import { endProcess } from "./stop.ts";
import { STORE_PROCESS, type StorePorts, storeFiles, storeProcess } from "./store-process.ts";
import { hasSystemd, removeUnit, restartUnits, startUnits } from "./systemd.ts";
import { holderOf } from "./taken-ports.ts";

/** Starts it where it does not run; its configuration must be there. Throws TOOL_MISSING and SYSTEMD_FAILED. */
export async function startStoreProcess(
  paths: Paths,
  folders: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  requireTools(["etcd"], folders);
  const spec = storeProcess(paths, folders, env);
  if (spec === undefined || existsSync(paths.stoppedMark)) return;
  if (hasSystemd(paths)) await startUnits([spec], paths);
  else await startProcess(spec, paths);
}

/** Ends it and starts it again, whatever it runs with now. Throws INTERNAL, TOOL_MISSING and SYSTEMD_FAILED. */
export async function restartStoreProcess(
  paths: Paths,
  folders: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (hasSystemd(paths)) return restartUnits([STORE_PROCESS], paths);
  const running = readPidFile(pidFile(paths, STORE_PROCESS));
  if (running !== undefined) await endProcess(STORE_PROCESS, running);
  await startStoreProcess(paths, folders, env);
}

/** Whether it runs, as far as a pid file tells; undefined under systemd, which sees to it. */
export function storeRuns(paths: Paths): boolean | undefined {
  if (hasSystemd(paths)) return undefined;
  return readPidFile(pidFile(paths, STORE_PROCESS)) !== undefined;
}

/** Ends it, and nobody starts it again; its data stays, with `wipe` it goes. Throws INTERNAL and SYSTEMD_FAILED. */
export async function endStoreProcess(paths: Paths, { wipe }: { wipe: boolean }): Promise<void> {
  const files = storeFiles(paths);
  rmSync(files.config, { force: true });
  if (hasSystemd(paths)) await removeUnit(STORE_PROCESS, paths);
  const path = pidFile(paths, STORE_PROCESS);
  const running = readPidFile(path);
  if (running !== undefined) await endProcess(STORE_PROCESS, running);
  rmSync(path, { force: true });
  if (wipe) await rm(files.data, { recursive: true, force: true });
}

/** Throws PORT_TAKEN when another program has a port that the store is about to listen on. */
export async function requireFreeStorePorts(ports: StorePorts, ip: string): Promise<void> {
  const places = [
    { host: "127.0.0.1", port: ports.store },
    { host: ip, port: ports.raft },
  ];
  for (const { host, port } of places) {
    if (await canListen(host, port)) continue;
    const holder = holderOf("tcp", port);
    const by = (holder && describeProcess(holder)) ?? "something on this host";
    throw new HansaError("PORT_TAKEN", `port ${port}/tcp on ${host} is held by ${by}`, {
      hint: "stop that program (Debian's own etcd service: systemctl disable --now etcd), or launch with another --store-port or --raft-port",
    });
  }
}

function canListen(host: string, port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", (error) => {
    if (isErrno(error, "EADDRINUSE")) resolve(false);
    // The overlay's device is being made anew: the process waits for it.
    else if (isErrno(error, "EADDRNOTAVAIL")) resolve(true);
    else reject(error);
  });
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}
