/**
 * Where a request is answered: here, or on the node that its path names. Below the application, on node:http itself, so that bodies and answers
 * of any length and kind go through as they come.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import type { Application } from "./exchange.ts";
import { splitNodePath } from "./node-path.ts";
import { STREAM_PROTOCOL } from "./stream-routes.ts";
import type { StreamServer } from "./stream-server.ts";

export interface NodeRouting {
  /** True when the request is for another node, or refused, and is being answered. Else it is ours, and its `url` no longer names a node. */
  takes(request: IncomingMessage, response: ServerResponse): boolean;
  /** The same of a request that leaves HTTP (`Upgrade`), whose connection is `socket` from now on. */
  takesUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}

/** Requests of one connection that were sent and not answered. Nobody sends so many ahead but who wants them to heap up here. */
const MAX_AHEAD = 64;

/** Takes connections that leave HTTP for a protocol of its own. */
export interface UpgradeServer {
  /** What the connection is upgraded to, in lower case. */
  readonly protocol: string;
  /** Owns `socket` from now on, and `head`, which came after the request already. Never throws. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** What a server has besides its application. */
export interface BesideApp {
  readonly routing?: NodeRouting;
  /** Serves streams into containers. */
  readonly streams?: StreamServer;
  /** Serves ways to the store, to other nodes. */
  readonly tunnels?: UpgradeServer;
}

export interface NodeServer {
  /** Listens nowhere yet. */
  readonly http: Server;
  /** Ends all connections, also those that left HTTP, of which `http` knows no more. */
  endConnections(): void;
}

/** A server of `app`, of what `routing` takes before it, and of streams. */
export function createNodeServer(
  app: Application,
  { routing, streams, tunnels }: BesideApp,
  options: ServerOptions = {},
): NodeServer {
  // Whoever offers another protocol in passing, as curl --http2 does, is answered as if it had not.
  const shouldUpgradeCallback = ({ headers, url = "" }: IncomingMessage): boolean => {
    const wanted = headers.upgrade?.toLowerCase();
    if (wanted !== undefined && wanted === tunnels?.protocol) return true;
    const isOurs = streams !== undefined || (routing && splitNodePath(url)) !== undefined;
    return wanted === STREAM_PROTOCOL && isOurs;
  };
  const unanswered = new WeakMap<Duplex, number>();
  const server = createServer({ ...options, shouldUpgradeCallback }, (request, response) => {
    const { socket } = request;
    const ahead = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, ahead);
    if (ahead > MAX_AHEAD) {
      socket.destroy();
      return;
    }
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    if (routing?.takes(request, response) !== true) app.answer(request, response);
  });
  const upgraded = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    if (routing?.takesUpgrade(request, socket, head) === true) return;
    if (streams?.wants(request) === true) streams.take(request, socket, head);
    else if (tunnels && request.headers.upgrade?.toLowerCase() === tunnels.protocol)
      tunnels.take(request, socket, head);
    else refuseUpgrade(socket);
  });
  return {
    http: server,
    endConnections() {
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    },
  };
}

function refuseUpgrade(socket: Duplex): void {
  socket.on("error", () => socket.destroy());
  socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
}
