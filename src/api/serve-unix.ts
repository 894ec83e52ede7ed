/**
 * Serves an application on a unix socket.
 *
 * Invariant: the socket is never open to others, not even between bind and chmod; a live socket is refused, never stolen.
 */
import { chmodSync, chownSync, readFileSync } from "node:fs";
import type { Hono } from "hono";
import { isErrno } from "../errors.ts";
import { listenUnix } from "../host/unix-listen.ts";
import { createNodeServer, type NodeRouting } from "./node-routing.ts";

export interface UnixOptions {
  readonly path: string;
  /** Members of this group may connect too, when the host has it and we may give the socket to it. Default "hansa". */
  readonly group?: string;
  /** Where requests for other nodes go; without it there are none. */
  readonly routing?: NodeRouting;
}

export interface UnixListener {
  /** Ends running requests (their signals abort), stops listening and removes the socket. */
  close(): Promise<void>;
}

/** Listens on `path`, mode 0660 root:group or else 0600. Throws NODE_ALREADY_RUNNING when somebody serves it already. */
export async function serveUnix(app: Hono, options: UnixOptions): Promise<UnixListener> {
  const { path } = options;
  const { http: server, endConnections } = createNodeServer(app, options.routing);
  await listenUnix(server, path, { taken: "NODE_ALREADY_RUNNING" });
  shareWithGroup(path, options.group ?? "hansa");
  return {
    close: () =>
      new Promise((resolve, reject) => {
        // Node unlinks the socket itself when it closes the listener.
        server.close((error) => (error ? reject(error) : resolve()));
        endConnections();
      }),
  };
}

function shareWithGroup(path: string, group: string): void {
  const gid = groupId(group);
  if (gid === undefined) return;
  try {
    chownSync(path, -1, gid);
  } catch (error) {
    // Only root may give files to a group it is not in; then the socket stays ours alone.
    if (isErrno(error, "EPERM")) return;
    throw error;
  }
  chmodSync(path, 0o660);
}

function groupId(name: string): number | undefined {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const gid = line?.split(":")[2];
  return gid === undefined ? undefined : Number(gid);
}
