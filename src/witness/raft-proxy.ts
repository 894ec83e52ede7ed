/**
 * How a witness' etcd reaches the other voters, whose addresses lie inside of an overlay that the witness is no part of: it is told to go by a proxy, which is
 * this, on loopback; and this has connections that the voters' daemons keep open to the witness, to be joined to their etcds when they are asked for.
 *
 * Invariants: a connection is used for the voter whose certificate opened it, and once; nothing is ever dialled; a voter that keeps none open is not reached.
 */
import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { splice } from "../daemon/doors/splice.ts";
import { JOIN_BYTE } from "./witness-protocol.ts";

/** For one voter. */
const MAX_SPARES = 8;
/** etcd keeps about six for each other voter. */
const MAX_JOINED = 256;
/** A spare whose voter is gone says nothing. */
const JOIN_MS = 2000;

export class RaftProxy {
  readonly #spares = new Map<string, Set<Socket>>();
  readonly #server: Server;
  #joined = 0;

  constructor() {
    this.#server = createServer((_request, response) => {
      response.writeHead(405).end();
    });
    this.#server.on("connect", (request, socket: Duplex) => {
      socket.on("error", () => socket.destroy());
      void this.#connect(`${request.url}`.replace(/:\d+$/, ""), socket);
    });
    this.#server.maxConnections = MAX_JOINED;
  }

  /** Throws the system's error. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: "127.0.0.1", port }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const spares of this.#spares.values()) for (const socket of spares) socket.destroy();
  }

  /** A connection that the voter at these addresses keeps open. */
  keep(socket: Socket, addresses: readonly string[]): void {
    // Unread, its end would not be noticed.
    socket.resume();
    for (const address of addresses) {
      const spares = this.#spares.get(address) ?? new Set();
      this.#spares.set(address, spares);
      const [oldest] = spares;
      if (oldest && spares.size >= MAX_SPARES) oldest.destroy();
      spares.add(socket);
      socket.once("close", () => this.#forget(socket));
    }
  }

  #forget(socket: Socket): void {
    for (const [address, spares] of this.#spares) {
      spares.delete(socket);
      if (spares.size === 0) this.#spares.delete(address);
    }
  }

  async #connect(address: string, socket: Duplex): Promise<void> {
    for (;;) {
      const spare = [...(this.#spares.get(address) ?? [])].at(-1);
      if (spare === undefined || this.#joined >= MAX_JOINED) break;
      this.#forget(spare);
      if (!(await isJoined(spare))) continue;
      if (socket.destroyed) {
        spare.destroy();
        return;
      }
      this.#joined += 1;
      spare.once("close", () => {
        this.#joined -= 1;
      });
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      splice(socket, spare);
      return;
    }
    socket.end("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
  }
}

/** Asks for the voter's etcd at the other end; false, and the connection is gone, where it does not come. */
function isJoined(spare: Socket): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => spare.destroy(), JOIN_MS);
  const lost = (): void => resolve(false);
  spare.once("close", lost);
  spare.once("data", (chunk: Buffer) => {
    spare.pause();
    spare.off("close", lost);
    if (chunk[0] !== JOIN_BYTE) spare.destroy();
    else if (chunk.length > 1) spare.unshift(chunk.subarray(1));
    resolve(chunk[0] === JOIN_BYTE);
  });
  spare.write(Buffer.of(JOIN_BYTE));
  return promise.finally(() => clearTimeout(timer));
}
