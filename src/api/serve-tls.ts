/**
 * Serves an application to other machines: mutual TLS, and nothing else on that port.
 *
 * Invariants: no byte of HTTP is read from who did not show a certificate of the cluster; who is refused is told why in one JSON error where
 * that can be told (plain HTTP, no certificate, one of another authority), else by the handshake, and `refused` hears of it. Keys and
 * certificates are asked for at the first connection: making them costs more than a daemon's start may.
 */
import type { Server as HttpServer, IncomingMessage } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
} from "node:tls";
import { ERRORS, type ErrorCode, HansaError, isErrno } from "../errors.ts";
import { unansweredEnds } from "../host/tcp-silence.ts";
import { callerOf } from "./caller.ts";
import { CutOffWatch } from "./cut-off-watch.ts";
import type { Application } from "./exchange.ts";
import { createNodeServer, type NodeRouting, type UpgradeServer } from "./node-routing.ts";
import { Places } from "./places.ts";
import type { StreamServer } from "./stream-server.ts";
import { addressKey, type Rate, TokenBuckets } from "./token-buckets.ts";
import { UnsentWatch } from "./unsent-watch.ts";

export interface TlsListenerOptions {
  /** All addresses of both families where the host has IPv6. */
  readonly port: number;
  /** This node's key and certificate, and the authorities that clients are held against. */
  readonly secureContext: () => Promise<SecureContextOptions>;
  /** Where requests for other nodes go; without it there are none. */
  readonly routing?: NodeRouting;
  /** Somebody was refused, in one sentence; `from` is an address. */
  readonly refused: (from: string, why: string) => void;
  /** Serves what leaves HTTP. */
  readonly streams?: StreamServer;
  /** Serves ways to the store, to other nodes. */
  readonly tunnels?: UpgradeServer;
  /** How long a client may take for its first byte and for a request's head, each, and for the whole of that; default 10 and 60 s. */
  readonly patience?: { readonly headMs: number; readonly requestMs: number };
  /** How long a reader may take nothing of what waits for it, and how many bytes may wait for all of them; default 30 s and 64 MiB. */
  readonly unsent?: { readonly stalledMs: number; readonly maxBytes: number };
  /** How often one address may connect; default 100 a second after 1,200 at once. A connection that comes to nothing counts as 13. */
  readonly connecting?: Rate;
  /** Connections at one time that did not show a certificate yet, and of persons; default 640 and 768, shared as Places says. */
  readonly places?: { readonly unproved: number; readonly persons: number };
}

export interface TlsListener {
  /** Takes new keys and certificates from now on; connections that stand keep theirs. */
  renew(): Promise<void>;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Connections at one time: of those that did not show a certificate yet one address (see addressKey) may have 512, and one person's certificate 615 (see
 * Places). What both leave is the nodes', which nobody can crowd out so.
 */
const MAX_CONNECTIONS = 1_792;
const PLACES = { unproved: 640, persons: 768 };
const HANDSHAKE_MS = 10_000;
/** For the request; answers may take as long as they take. */
const PATIENCE = { headMs: 10_000, requestMs: 60_000 };
const IDLE_MS = 65_000;
const UNSENT = { stalledMs: 30_000, maxBytes: 64 * 1024 * 1024 };
const CONNECTING: Rate = { burst: 1_200, perSecond: 100 };
/** Besides the one: what fails costs a handshake, and a line in the log. */
const FAILURE_COST = 12;
/** A record of TLS that holds a handshake begins so (RFC 8446, section 5.1). */
const HANDSHAKE_RECORD = 0x16;

/** Listens, and resolves when it does. Throws PORT_TAKEN. */
export async function serveTls(
  app: Application,
  options: TlsListenerOptions,
): Promise<TlsListener> {
  const listener = new Listener(app, options);
  await listener.listen();
  return listener;
}

class Listener implements TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #door: Server;
  readonly #http: HttpServer;
  readonly #open = new Set<Socket>();
  /** How each gives its place among the unproved back, by its other end. */
  readonly #proving = new Map<string, () => void>();
  readonly #unproved: Places;
  readonly #persons: Places;
  readonly #connected: TokenBuckets;
  readonly #unsent: UnsentWatch;
  readonly #cutOff: CutOffWatch;
  #tls: Promise<ReturnType<typeof createTlsServer>> | undefined;

  constructor(app: Application, options: TlsListenerOptions) {
    this.#options = options;
    this.#door = createServer((socket) => this.#admit(socket));
    this.#door.maxConnections = MAX_CONNECTIONS;
    const { unproved, persons } = options.places ?? PLACES;
    this.#unproved = new Places(unproved);
    this.#persons = new Places(persons);
    this.#connected = new TokenBuckets(options.connecting ?? CONNECTING);
    this.#unsent = new UnsentWatch(options.unsent ?? UNSENT, (socket, why) =>
      options.refused(socket.remoteAddress ?? "unknown", why),
    );
    this.#cutOff = new CutOffWatch({
      open: () => this.#open,
      unanswered: () =>
        unansweredEnds(options.port).catch((error: unknown) => {
          options.refused("this node", `who is cut off cannot be told: ${error}`);
          return [];
        }),
      cut: (socket, why) => options.refused(socket.remoteAddress ?? "unknown", why),
    });
    const { headMs, requestMs } = options.patience ?? PATIENCE;
    this.#http = createNodeServer(app, options, {
      headersTimeout: headMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: headMs / 2,
      keepAliveTimeout: IDLE_MS,
      maxHeaderSize: 16 * 1024,
    }).http;
    this.#http.on("upgrade", (request: IncomingMessage) => this.#unsent.leftHttp(request.socket));
  }

  listen(): Promise<void> {
    const { port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#door.once("error", (error) =>
        reject(
          isErrno(error, "EADDRINUSE")
            ? new HansaError("PORT_TAKEN", `port ${port}/tcp is held by another program`)
            : error,
        ),
      );
      this.#door.listen({ port }, () => {
        // It is handed its connections and never listens, and only from this event on node:http looks for slow ones, by a timer that ends with `close`.
        this.#http.emit("listening");
        resolve();
      });
    });
  }

  async renew(): Promise<void> {
    const tls = await this.#tls;
    tls?.setSecureContext(await this.#options.secureContext());
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#door.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    this.#http.close();
    this.#unsent.close();
    this.#cutOff.close();
    await closed;
  }

  /** Looks at the first byte: who speaks plain HTTP is told so in words that it understands. */
  #admit(socket: Socket): void {
    const from = socket.remoteAddress ?? "unknown";
    const key = addressKey(from);
    const prove = this.#unproved.take(key);
    if (prove === undefined) {
      const held = this.#unproved.heldBy(key);
      this.#options.refused(from, `has ${held} connections already that did not show who it is`);
      socket.destroy();
      return;
    }
    if (this.#connected.take(key, performance.now()) > 0) {
      prove();
      this.#options.refused(from, "connects too often");
      socket.destroy();
      return;
    }
    const end = otherEnd(socket);
    this.#open.add(socket);
    this.#cutOff.wake();
    this.#proving.set(end, prove);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#proving.delete(end);
      prove();
    });
    socket.on("error", () => socket.destroy());
    const silent = (): void => {
      this.#failed(from, "said nothing");
      socket.destroy();
    };
    const { headMs } = this.#options.patience ?? PATIENCE;
    socket.setTimeout(headMs, silent);
    socket.once("readable", () => {
      const first: Buffer | null = socket.read(1);
      if (first === null) return;
      socket.setTimeout(0, silent);
      socket.unshift(first);
      if (first[0] === HANDSHAKE_RECORD) void this.#handOver(socket, from);
      else this.#refuse(socket, from, "API_TLS_REQUIRED", "the API is served by TLS only");
    });
  }

  async #handOver(socket: Socket, from: string): Promise<void> {
    try {
      this.#tls ??= this.#makeTls();
      const tls = await this.#tls;
      // The first certificate takes a while, and not everybody waits for it.
      if (socket.destroyed) return;
      tls.emit("connection", socket);
      this.#unsent.add(socket);
    } catch (error) {
      this.#tls = undefined;
      this.#options.refused(from, `no certificate could be made for this node: ${error}`);
      socket.destroy();
    }
  }

  async #makeTls(): Promise<ReturnType<typeof createTlsServer>> {
    const tls = createTlsServer({
      minVersion: "TLSv1.2",
      handshakeTimeout: HANDSHAKE_MS,
      // Held against the authorities all the same; who fails is told why, and never reaches HTTP.
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
      ...(await this.#options.secureContext()),
    });
    tls.on("secureConnection", (socket) => this.#authorize(socket));
    tls.on("tlsClientError", (error, socket) => {
      const { reason, code, message } = error as Error & { reason?: string; code?: string };
      this.#failed(socket.remoteAddress ?? "unknown", reason ?? code ?? message);
      socket.destroy();
    });
    return tls;
  }

  #authorize(socket: TLSSocket): void {
    const from = socket.remoteAddress ?? "unknown";
    if (socket.authorized) {
      if (this.#isGivenPlace(socket, from)) this.#http.emit("connection", socket);
      return;
    }
    const why = String(socket.authorizationError);
    const hasNone = Object.keys(socket.getPeerCertificate()).length === 0;
    const text = hasNone
      ? "the API wants a client certificate of this cluster, and none was shown"
      : `the certificate that was shown is not accepted: ${why}`;
    this.#refuse(socket, from, "API_CERTIFICATE_REFUSED", text);
  }

  /** Who it is is known now. Nodes need no place but that of the connection itself. */
  #isGivenPlace(socket: TLSSocket, from: string): boolean {
    const certificate = socket.getPeerCertificate();
    const caller = callerOf(certificate, from);
    if (caller?.role !== "node") {
      const who = certificate.serialNumber;
      const release = this.#persons.take(who);
      if (release === undefined) {
        const text = `${this.#persons.taken} connections stand already, ${this.#persons.heldBy(who)} of them with the same certificate`;
        this.#refuse(socket, from, "API_CONNECTIONS_MANY", text);
        return false;
      }
      socket.once("close", release);
    }
    this.#proving.get(otherEnd(socket))?.();
    return true;
  }

  #failed(from: string, why: string): void {
    this.#connected.charge(addressKey(from), performance.now(), FAILURE_COST);
    this.#options.refused(from, why);
  }

  #refuse(socket: Socket, from: string, code: ErrorCode, message: string): void {
    this.#failed(from, message);
    const { status, hint } = ERRORS[code];
    const body = JSON.stringify({ error: { code, message, hint } });
    socket.on("error", () => socket.destroy());
    socket.end(
      `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
    // What it goes on to send is not read; but the answer should arrive before the connection is reset.
    socket.resume();
    socket.setTimeout(1_000, () => socket.destroy());
  }
}

/** The same of a connection of TCP and of that of TLS on it. */
function otherEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
