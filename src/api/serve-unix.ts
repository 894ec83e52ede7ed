/**
 * Serves an application on a unix socket.
 *
 * Invariant: the socket is never open to others, not even between bind and chmod; a live socket is refused, never stolen.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { HansaError, isErrno } from "../errors.ts";

export interface UnixOptions {
  readonly path: string;
  /** Members of this group may connect too, when the host has it and we may give the socket to it. Default "hansa". */
  readonly group?: string;
}

export interface UnixListener {
  /** Ends running requests (their signals abort), stops listening and removes the socket. */
  close(): Promise<void>;
}

/** Listens on `path`, mode 0660 root:group or else 0600. Throws NODE_ALREADY_RUNNING when somebody serves it already. */
export async function serveUnix(app: Hono, options: UnixOptions): Promise<UnixListener> {
  const { path } = options;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await removeStale(path);
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await listen(server, path);
  shareWithGroup(path, options.group ?? "hansa");
  return {
    close: () =>
      new Promise((resolve, reject) => {
        // Node unlinks the socket itself when it closes the listener.
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

/** Removes a socket that nobody listens on. */
async function removeStale(path: string): Promise<void> {
  const outcome = await new Promise<"live" | "stale" | "none">((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve("live");
    });
    probe.once("error", (error) => {
      if (isErrno(error, "ENOENT")) resolve("none");
      else if (isErrno(error, "ECONNREFUSED")) resolve("stale");
      // A listener whose backlog is full is alive all the same.
      else if (isErrno(error, "EAGAIN")) resolve("live");
      else reject(error);
    });
  });
  if (outcome === "live") {
    throw new HansaError("NODE_ALREADY_RUNNING", `another process serves ${path}`);
  }
  if (outcome === "none") return;
  // connect() refuses plain files with the same errno; those are somebody's data.
  if (!lstatSync(path).isSocket()) {
    throw new HansaError("STATE_UNWRITABLE", `${path} is in the way: it is no socket`, {
      hint: `move ${path} away`,
    });
  }
  unlinkSync(path);
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // bind happens inside listen(), so the mask need not outlive the call.
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
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
