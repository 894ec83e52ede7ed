/**
 * Serves Docker's address plugin for the moment in which the network of a node that is gone already is removed.
 *
 * Docker asks the plugin to take the addresses back, and waits 30 s for one that is not there. The stand-in says yes to everything.
 */
import { createServer } from "node:http";
import { dirname } from "node:path";
import { atomicWrite, ensureDir } from "../host/files.ts";
import { listenUnix } from "../host/unix-listen.ts";
import type { Paths } from "./paths.ts";
import { socketAccepts } from "./readiness.ts";

/** Runs `action` with a plugin there: the node's own where it runs, else ours. The plugin's spec is written for that, and stays. */
export async function withPlugin<T>(paths: Paths, action: () => Promise<T>): Promise<T> {
  if (await socketAccepts(paths.ipamSocket)) return await action();
  const server = createServer((request, answer) => {
    const isHandshake = request.url === "/Plugin.Activate";
    request.resume();
    answer.setHeader("Content-Type", "application/vnd.docker.plugins.v1+json");
    answer.end(JSON.stringify(isHandshake ? { Implements: ["IpamDriver"] } : {}));
  });
  await listenUnix(server, paths.ipamSocket);
  try {
    await ensureDir(dirname(paths.pluginSpec), 0o755);
    await atomicWrite(paths.pluginSpec, `unix://${paths.ipamSocket}`, 0o644);
    return await action();
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
