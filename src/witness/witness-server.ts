/**
 * The witness' one open port: who may say what, by the protocol of the connection.
 *
 * Invariants: TLS 1.3 only; without a node's certificate of the store's authority a connection can do nothing but show that it knows the code, and that only
 * while nobody has taken the witness; connections and lines are bounded, and what a node opened ends when that node falls silent.
 */
import { connect, type Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { splice } from "../daemon/doors/splice.ts";
import { HansaError, isErrno } from "../errors.ts";
import { type Fields, LineChannel } from "../host/line-channel.ts";
import type { Logger } from "../host/logger.ts";
import type { RaftProxy } from "./raft-proxy.ts";
import {
  CLAIM,
  MAX_WITNESS_LINE,
  PROTOCOLS,
  RAFT,
  SPARE,
  TALK,
  type WitnessProtocol,
} from "./witness-protocol.ts";

export interface WitnessServerOptions {
  readonly port: number;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: readonly string[] };
  readonly proxy: RaftProxy;
  /** Where its etcd listens for the other voters, on loopback. */
  readonly raftPort: number;
  /** What a node asks. */
  readonly talk: (op: string, fields: Fields) => Promise<Fields>;
  /** A conversation with somebody who has shown nothing yet: answers what it asks. */
  readonly claim: () => (op: string, fields: Fields) => Promise<Fields>;
  readonly logger: Logger;
}

const MAX_CONNECTIONS = 1024;
const MAX_CLAIMS = 16;
/** A claim takes a second or two, and somebody's thinking. */
const CLAIM_MS = 60_000;
const HANDSHAKE_MS = 10_000;
/** Nodes ask more often than that. */
const SILENCE_MS = 20_000;

export class WitnessServer {
  readonly #options: WitnessServerOptions;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #claims = 0;

  constructor(options: WitnessServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        ...{ ...contextOf(options.tls), minVersion: "TLSv1.3", requestCert: true },
        ...{ rejectUnauthorized: false, handshakeTimeout: HANDSHAKE_MS },
        ALPNCallback: ({ protocols }) => PROTOCOLS.find((each) => protocols.includes(each)),
      },
      (socket) => this.#take(socket),
    );
    this.#server.on("connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
    });
    // A stranger's broken handshake concerns nobody.
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Throws PORT_TAKEN. */
  listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { port } = this.#options;
    this.#server.once("error", (error) => {
      const isTaken = isErrno(error, "EADDRINUSE");
      reject(
        isTaken ? new HansaError("PORT_TAKEN", `port ${port}/tcp is taken on this host`) : error,
      );
    });
    this.#server.listen(port, () => resolve());
    return promise;
  }

  /** It is somebody's now, or nobody's again: everybody has to show anew who he is. */
  renew(tls: WitnessServerOptions["tls"]): void {
    this.#server.setSecureContext(contextOf(tls));
    for (const socket of this.#open) socket.destroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #take(socket: TLSSocket): void {
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    const protocol = socket.alpnProtocol as WitnessProtocol | false;
    if (protocol === CLAIM) {
      this.#claim(socket);
      return;
    }
    if (!isNode(socket)) {
      this.#options.logger.warn("a stranger was refused", { from: socket.remoteAddress });
      socket.destroy();
      return;
    }
    if (protocol === TALK) this.#talk(socket);
    else if (protocol === RAFT) this.#join(socket);
    else if (protocol === SPARE) this.#options.proxy.keep(socket, addressesOf(socket));
    else socket.destroy();
  }

  #claim(socket: TLSSocket): void {
    if (this.#claims >= MAX_CLAIMS) {
      socket.destroy();
      return;
    }
    this.#claims += 1;
    const timer = setTimeout(() => socket.destroy(), CLAIM_MS);
    new LineChannel(socket, {
      ...{ request: this.#options.claim(), maxLineBytes: MAX_WITNESS_LINE },
      note: () => socket.destroy(),
      closed: () => {
        clearTimeout(timer);
        this.#claims -= 1;
      },
    });
  }

  #talk(socket: TLSSocket): void {
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    new LineChannel(socket, {
      ...{ request: this.#options.talk, maxLineBytes: MAX_WITNESS_LINE },
      note: () => socket.destroy(),
      closed: () => undefined,
    });
  }

  #join(socket: TLSSocket): void {
    const far = connect({ host: "127.0.0.1", port: this.#options.raftPort });
    far.setNoDelay(true);
    splice(socket, far);
  }
}

/** A certificate that lets its holder speak as a node: of the store's authority, and made for that. */
function isNode(socket: TLSSocket): boolean {
  const { subject } = socket.getPeerCertificate();
  return socket.authorized && subject?.OU === "node";
}

/** Where the holder's etcd is, by its certificate. */
function addressesOf(socket: TLSSocket): string[] {
  const names = `${socket.getPeerCertificate().subjectaltname}`.split(", ");
  const addresses = names.flatMap((each) => /^IP Address:([\d.]+)$/.exec(each)?.[1] ?? []);
  return addresses.filter((address) => !address.startsWith("127."));
}

function contextOf({ key, cert, ca }: WitnessServerOptions["tls"]) {
  // Without an authority of somebody's nobody is one of his: its own certificate signs nothing.
  return { key, cert, ca: ca.length > 0 ? [...ca] : [cert] };
}
