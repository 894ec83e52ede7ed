/**
 * Serves an application on a unix socket.
 *
 * Invariant: the socket is never open to others, not even between bind and chmod; a live socket is refused, never stolen.
 */
import { shareWithGroup } from "../host/share-with-group.ts";
import { listenUnix } from "../host/unix-listen.ts";
import type { Application } from "./exchange.ts";
import { createNodeServer, type NodeRouting } from "./node-routing.ts";
import type { StreamServer } from "./stream-server.ts";

export interface UnixOptions {
  readonly path: string;
  /** Members of this group may connect too, when the host has it and we may give the socket to it. Default "hansa". */
  readonly group?: string;
  /** Where requests for other nodes go; without it there are none. */
  readonly routing?: NodeRouting;
  /** Serves what leaves HTTP. */
  readonly streams?: StreamServer;
}

export interface UnixListener {
  /** Ends running requests (their signals abort), stops listening and removes the socket. */
  close(): Promise<void>;
}

/** Listens on `path`, mode 0660 root:group or else 0600. Throws NODE_ALREADY_RUNNING when somebody serves it already. */
export async function serveUnix(app: Application, options: UnixOptions): Promise<UnixListener> {
  const { path } = options;
  const { http: server, endConnections } = createNodeServer(app, options);
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
