/**
 * The sockets of the name server: UDP and TCP on port 53 of the node's own address, and UDP on the port to which the firewall diverts
 * containers' queries.
 *
 * Invariants: bound to the node's address inside the overlay, never to another; who does not ask from inside is not answered; a
 * port that is taken costs only that port, and is tried again until it is free.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { isErrno } from "../errors.ts";
import type { QueryVia } from "./responder.ts";

export const DNS_PORT = 53;

/** A query is small: one name and its options. */
const MAX_QUERY = 4_096;
const MAX_STREAMS = 128;
/** From one address: a container must not keep the others out. */
const MAX_STREAMS_EACH = 16;
const IDLE_MS = 10_000;
/** Until the address exists, and until another program lets go of the port. */
const RETRY_MS = { absent: 250, taken: 2_000 };

export interface NameServerOptions {
  /** The node's own address inside the overlay, dotted. It may come to exist later. */
  readonly address: string;
  readonly port?: number;
  readonly divertedPort: number;
  /** The answer's bytes; undefined: none. */
  readonly respond: (query: Uint8Array, via: QueryVia) => Uint8Array | undefined;
  /** Whether who asks from there is inside. */
  readonly isInside: (ip: string) => boolean;
  /** What is served changed, or why it is not: see `problem`. */
  readonly changed: () => void;
}

type Part = "udp" | "tcp" | "diverted";

export class NameServer {
  readonly #options: NameServerOptions;
  readonly #open = new Map<Part, () => void>();
  readonly #streams = new Set<Socket>();
  readonly #timers = new Map<Part, NodeJS.Timeout>();
  readonly #taken = new Set<Part>();
  #isClosed = false;

  constructor(options: NameServerOptions) {
    this.#options = options;
    for (const part of ["udp", "tcp", "diverted"] as const) this.#listen(part);
  }

  /** True while everything is served. */
  get isServing(): boolean {
    return this.#open.size === 3;
  }

  /** The ports that somebody else has, such as "53/udp"; empty when none. */
  get taken(): readonly string[] {
    return [...this.#taken].map((part) => this.#nameOf(part));
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const shut of this.#open.values()) shut();
    for (const stream of this.#streams) stream.destroy();
    this.#open.clear();
  }

  #portOf(part: Part): number {
    const { port = DNS_PORT, divertedPort } = this.#options;
    return part === "diverted" ? divertedPort : port;
  }

  #nameOf(part: Part): string {
    return `${this.#portOf(part)}/${part === "tcp" ? "tcp" : "udp"}`;
  }

  #listen(part: Part): void {
    const [port, { address }] = [this.#portOf(part), this.#options];
    const server = part === "tcp" ? this.#tcp() : this.#udp(part);
    let isOpen = false;
    server.on("listening", () => {
      isOpen = true;
      if (this.#isClosed) return void server.close();
      this.#open.set(part, () => server.close());
      this.#taken.delete(part);
      this.#options.changed();
    });
    server.on("error", (error) => {
      // Once open, an error is one datagram's or one connection's.
      if (isOpen) return;
      if ("bind" in server) server.close();
      this.#failed(part, error);
    });
    if ("bind" in server) server.bind(port, address);
    else server.listen(port, address);
  }

  #failed(part: Part, error: Error): void {
    if (this.#isClosed) return;
    // Before the overlay stands the address does not exist, which is no fault.
    const isTaken = isErrno(error, "EADDRINUSE");
    const wasTaken = this.#taken.has(part);
    if (isTaken) this.#taken.add(part);
    else this.#taken.delete(part);
    if (isTaken !== wasTaken) this.#options.changed();
    const waitMs = isTaken ? RETRY_MS.taken : RETRY_MS.absent;
    const again = setTimeout(() => this.#listen(part), waitMs);
    this.#timers.set(part, again);
  }

  #udp(via: "udp" | "diverted"): UdpSocket {
    const socket = createSocket("udp4");
    socket.on("message", (query, from) => {
      if (query.length > MAX_QUERY) return;
      // What was diverted may come from any network of this host; nothing else reaches that port.
      if (via === "udp" && !this.#options.isInside(from.address)) return;
      // A raw socket may ask from port 0, to which nothing can be sent: trying would throw.
      if (from.port === 0) return;
      const answer = this.#options.respond(query, via);
      // Nobody waits for the outcome: who gets no answer asks again.
      if (answer) socket.send(answer, from.port, from.address, () => undefined);
    });
    return socket;
  }

  #tcp(): Server {
    return createServer((stream) => {
      const from = stream.remoteAddress ?? "";
      const sameFrom = [...this.#streams].filter(({ remoteAddress }) => remoteAddress === from);
      const hasRoom = this.#streams.size < MAX_STREAMS && sameFrom.length < MAX_STREAMS_EACH;
      if (!hasRoom || !this.#options.isInside(from)) {
        stream.destroy();
        return;
      }
      this.#serve(stream);
    });
  }

  /**
   * Queries with two bytes of length before each, answered in their order (RFC 7766). Who does not read its answers is not read
   * from either: an answer may be a thousand times as long as its query.
   */
  #serve(stream: Socket): void {
    this.#streams.add(stream);
    let received = Buffer.alloc(0);
    stream.setTimeout(IDLE_MS, () => stream.destroy());
    stream.on("close", () => this.#streams.delete(stream));
    // The asker went away: "close" follows.
    stream.on("error", () => stream.destroy());
    const answerAll = (): void => {
      while (received.length >= 2 && !stream.writableNeedDrain && !stream.destroyed) {
        const end = 2 + received.readUInt16BE(0);
        if (end - 2 > MAX_QUERY) {
          stream.destroy();
          return;
        }
        if (received.length < end) return;
        const answer = this.#options.respond(received.subarray(2, end), "tcp");
        received = received.subarray(end);
        if (!answer) {
          stream.destroy();
          return;
        }
        const head = Buffer.alloc(2);
        head.writeUInt16BE(answer.length);
        stream.write(Buffer.concat([head, answer]));
      }
    };
    stream.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      answerAll();
      if (stream.writableNeedDrain) stream.pause();
    });
    stream.on("drain", () => {
      answerAll();
      if (!stream.writableNeedDrain) stream.resume();
    });
  }
}
