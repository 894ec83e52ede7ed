/**
 * The way from a node to a voter's etcd: one connection to that one's API, which leaves HTTP and is joined to the etcd on its loopback.
 *
 * Invariants: only a node's own certificate opens one, for that node itself; the voter says which store it is before the first byte of it; the voter's
 * daemon holds the etcd's keys, so that what comes through needs none.
 */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Caller, requireRole } from "../../api/caller.ts";
import { nodePath } from "../../api/node-path.ts";
import type { UpgradeServer } from "../../api/node-routing.ts";
import { refuse } from "../../api/stream-server.ts";
import { HansaError } from "../../errors.ts";
import type { NamedStore } from "../../store/store-copy.ts";
import type { OtherNode, PeerRequests } from "../doors/peer-requests.ts";
import { splice } from "../doors/splice.ts";

const PROTOCOL = "hansa-store";
const PATH = "/v1/store/tunnel";
/** Open at one time at one voter; each node has one. */
const MAX_TUNNELS = 512;
const OPEN_MS = 3000;
const KEEP_ALIVE_MS = 15_000;

/** The voter's end. */
export interface TunnelEnd {
  readonly mark: NamedStore;
  readonly socket: Duplex;
}

export interface TunnelServerOptions {
  readonly callerOf: (request: IncomingMessage) => Caller | undefined;
  /** A new connection to this node's etcd. Throws a HansaError where there is none. */
  readonly dial: () => Promise<TunnelEnd>;
  readonly onDefect: (error: unknown) => void;
}

/** Serves the ways to this node's etcd. */
export class TunnelServer implements UpgradeServer {
  readonly protocol = PROTOCOL;
  readonly #options: TunnelServerOptions;
  #open = 0;

  constructor(options: TunnelServerOptions) {
    this.#options = options;
  }

  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    this.#open += 1;
    socket.once("close", () => {
      this.#open -= 1;
    });
    this.#join(request, socket, head).catch((error: unknown) => {
      if (!(error instanceof HansaError)) this.#options.onDefect(error);
      const known =
        error instanceof HansaError
          ? error
          : new HansaError("INTERNAL", `unexpected failure: ${error}`);
      refuse(socket, known);
    });
  }

  async #join(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { callerOf, dial } = this.#options;
    if (request.url !== PATH) {
      throw new HansaError("API_ROUTE_UNKNOWN", `no way to the store at ${request.url}`);
    }
    const caller = requireRole(callerOf(request), "node", "the way to the store");
    if (caller.via !== undefined) {
      throw new HansaError("API_ROLE_MISSING", "the way to the store is passed on to nobody");
    }
    if (this.#open > MAX_TUNNELS) {
      throw new HansaError("STREAMS_MANY", `this node serves ${MAX_TUNNELS} ways to the store`);
    }
    const { mark, socket: far } = await dial();
    if (socket.destroyed) {
      far.destroy();
      return;
    }
    if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
    const { id, name, generation } = mark;
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${PROTOCOL}\r\nhansa-store: ${id} ${generation} ${encodeURIComponent(name)}\r\n\r\n`,
    );
    if (head.length > 0) far.write(head);
    splice(socket, far);
  }
}

/** Opens the way to `node`'s etcd. The caller closes the socket; it ends by itself when the node is not heard any more. Throws NODE_UNREACHABLE, or as the node refuses. */
export async function openTunnel(
  peers: Pick<PeerRequests, "request" | "hold" | "unreachable">,
  node: OtherNode,
): Promise<TunnelEnd> {
  const ending = new AbortController();
  const made = peers.request(node, {
    ...{ method: "GET", path: nodePath(node.id, PATH) },
    headers: { connection: "Upgrade", upgrade: PROTOCOL },
    failed: (reason) => ending.abort(new Error(reason)),
  });
  if (made instanceof HansaError) throw made;
  const timer = setTimeout(() => ending.abort(new Error("no answer in time")), OPEN_MS);
  ending.signal.addEventListener("abort", () => made.destroy(ending.signal.reason as Error));
  // What fails after the upgrade fails the socket.
  made.on("error", () => made.destroy());
  try {
    // node:http gives no "response" to who listens for "upgrade" only.
    const refused = once(made, "response", { signal: ending.signal }).then(() => undefined);
    const upgraded = once(made, "upgrade", { signal: ending.signal });
    // Both reject together; one of them is awaited.
    refused.catch(() => undefined);
    upgraded.catch(() => undefined);
    made.end();
    const first = await Promise.race([upgraded, refused]);
    if (first === undefined) throw new Error("it has no part of the store");
    const [answer, socket, head] = first as [IncomingMessage, Duplex, Buffer];
    const mark = markOf(answer.headers["hansa-store"]);
    if (mark === undefined) {
      socket.destroy();
      throw new Error("it does not say which store it has");
    }
    if (head.length > 0) socket.unshift(head);
    if (socket instanceof Socket) socket.setNoDelay(true);
    const lasting = socket instanceof Socket ? socket : undefined;
    const release = peers.hold(node, () => socket.destroy(), lasting);
    socket.on("close", release);
    socket.on("error", () => socket.destroy());
    return { mark, socket };
  } catch (error) {
    made.destroy();
    throw error instanceof HansaError ? error : peers.unreachable(node, error);
  } finally {
    clearTimeout(timer);
  }
}

function markOf(header: string | string[] | undefined): NamedStore | undefined {
  const found = /^([0-9a-f]{1,32}) (\d{1,10}) ([\w%.~!*'()-]{1,192})$/.exec(`${header}`);
  if (!found) return undefined;
  const [, id = "", generation, name = ""] = found;
  return { id, generation: Number(generation), name: decodeURIComponent(name) };
}
