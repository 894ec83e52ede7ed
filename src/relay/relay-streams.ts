/**
 * The streams of a node: takes those that others open, opens those that are wanted, and keeps one list of both.
 *
 * Invariants: who has not shown a certificate of the cluster and named a member gets nothing and has 5 s; at most 256 streams, 32 of them
 * not yet introduced, of which newer ones take the place of older ones; to each peer at most one stream of each direction and way.
 */
import { createServer, type Server, type Socket } from "node:net";
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
  connect as tlsConnect,
} from "node:tls";
import type { Endpoint } from "../values/endpoint.ts";
import type { NodeId } from "../values/node-id.ts";
import { decodeFrame, encodeFrame, FrameSplitter, type RelayFrame } from "./relay-frame.ts";
import { RelayStream } from "./relay-stream.ts";
import { RELAY_PROTOCOL } from "./relay-tls.ts";

const MAX_STREAMS = 256;
const MAX_STRANGERS = 32;
const INTRODUCTION_MS = 5_000;
/** Between the first tries of the addresses of one node: the next is tried before the last has failed. */
const STAGGER_MS = 300;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** Above the beat, which comes once a second. */
const TEND_MS = 1_050;

export interface RelayStreamsOptions {
  readonly id: NodeId;
  readonly fingerprint: string;
  readonly at: Endpoint;
  /** Asked once, at the first stream. */
  readonly tls: () => Promise<SecureContextOptions>;
  /** True for a node that gossip hears under that id and key. */
  readonly isMember: (id: NodeId, fingerprint: string) => boolean;
  /** Where a node may be reached, the best first. */
  readonly addresses: (id: NodeId) => readonly Endpoint[];
  /** True for an address inside the overlay. */
  readonly isInside: (ip: string) => boolean;
  /** A datagram in the frame is only good during the call. */
  readonly frame: (frame: RelayFrame, from: NodeId) => void;
  /** `open` changed. */
  readonly changed: () => void;
  /** Why there can be no streams; undefined once there can. */
  readonly problem: (error: unknown) => void;
}

interface Secured {
  readonly context: SecureContext;
  readonly acceptor: TlsServer;
}

interface Stranger {
  readonly socket: Socket;
  readonly ip: string;
  readonly timer: NodeJS.Timeout;
}

interface Dial {
  retryMs: number;
  nextMs: number;
  isUnderWay: boolean;
}

export class RelayStreams {
  readonly #options: RelayStreamsOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Set<RelayStream>();
  readonly #dials = new Map<NodeId, Dial>();
  #wanted: ReadonlySet<NodeId> = new Set();
  /** Accepted and not yet introduced, the oldest first, with when their time is over. */
  readonly #strangers = new Map<string, Stranger>();
  #tls: Promise<Secured> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #listenTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: RelayStreamsOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#accept(socket).catch((error: unknown) => options.problem(error));
    });
    this.#server.on("error", (error) => {
      options.problem(error);
      clearTimeout(this.#listenTimer);
      this.#listenTimer = setTimeout(() => this.#listen(), MAX_RETRY_MS);
    });
    this.#server.on("listening", () => options.problem(undefined));
    this.#listen();
  }

  /** Nodes with a stream now. */
  get open(): ReadonlySet<NodeId> {
    return new Set([...this.#streams].map(({ peer }) => peer));
  }

  /** Nodes with a stream to their host, outside the overlay. */
  get outside(): ReadonlySet<NodeId> {
    const outside = [...this.#streams].filter(({ isInside }) => !isInside);
    return new Set(outside.map(({ peer }) => peer));
  }

  /** Ends the streams to `peer` that run through its tunnel: they must not carry it. */
  closeInside(peer: NodeId): void {
    for (const stream of [...this.#streams]) {
      if (stream.peer === peer && stream.isInside) stream.close();
    }
  }

  /** The port that is listened on; 0 while none is. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** To which nodes a stream should be: those missing are dialled at once, and again and again. */
  want(nodes: ReadonlySet<NodeId>): void {
    this.#wanted = nodes;
    for (const id of this.#dials.keys()) if (!nodes.has(id)) this.#dials.delete(id);
    this.#tend();
  }

  /** The host is awake for something that comes once a second: streams are tended now, so that it does not wake for them. */
  beat(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tend();
  }

  /** False when there is no stream to `to`, or none outside the overlay where that is asked for. */
  send(to: NodeId, frame: RelayFrame, way: "any" | "outside" = "any"): boolean {
    const stream = this.#streamTo(to);
    if (stream === undefined || (stream.isInside && way === "outside")) return false;
    stream.send(frame);
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#listenTimer);
    for (const stream of [...this.#streams]) stream.close();
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #listen(): void {
    const { ip, port } = this.#options.at;
    if (this.#closed) return;
    // What was refused may have been one connection, for want of memory or descriptors: listening goes on then.
    if (this.#server.listening) this.#options.problem(undefined);
    else this.#server.listen({ host: ip, port });
  }

  /** Outside the overlay where there is one; else, so that both ends use the same, the one that the lower id dialled. */
  #streamTo(id: NodeId): RelayStream | undefined {
    const rank = ({ isInside, isOutbound }: RelayStream) =>
      (isInside ? 0 : 2) + (isOutbound === this.#options.id < id ? 1 : 0);
    let found: RelayStream | undefined;
    for (const stream of this.#streams) {
      if (stream.peer !== id) continue;
      if (!found || rank(stream) > rank(found)) found = stream;
    }
    return found;
  }

  /** The authority costs time and memory, so it waits for the first stream. */
  #secured(): Promise<Secured> {
    this.#tls ??= this.#secure().catch((error: unknown) => {
      // The next stream tries again.
      this.#tls = undefined;
      throw error;
    });
    return this.#tls;
  }

  async #secure(): Promise<Secured> {
    const options = await this.#options.tls();
    if (this.#server.listening) this.#options.problem(undefined);
    const acceptor = createTlsServer({
      ...options,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: [RELAY_PROTOCOL],
      handshakeTimeout: INTRODUCTION_MS,
    });
    acceptor.on("tlsClientError", (_error, socket) => socket.destroy());
    acceptor.on("secureConnection", (socket) => void this.#introduce(socket, undefined));
    return { acceptor, context: createSecureContext(options) };
  }

  async #accept(socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    if (this.#strangers.size >= MAX_STRANGERS) this.#makeRoom();
    const { remoteAddress: ip } = socket;
    // It may be gone again already, and then has no address.
    if (ip === undefined || this.#sockets.size >= MAX_STREAMS) {
      socket.destroy();
      return;
    }
    const from = placeOf(socket);
    this.#sockets.add(socket);
    this.#strangers.set(from, {
      socket,
      ip,
      timer: setTimeout(() => socket.destroy(), INTRODUCTION_MS),
    });
    socket.on("close", () => {
      this.#know(from);
      this.#sockets.delete(socket);
    });
    const { acceptor } = await this.#secured();
    if (!socket.destroyed) acceptor.emit("connection", socket);
  }

  /** The oldest stranger of the address that has the most of them goes: who opens many must not keep the others out. */
  #makeRoom(): void {
    const byIp = Map.groupBy(this.#strangers, ([, { ip }]) => ip);
    const crowd = [...byIp.values()].reduce((a, b) => (b.length > a.length ? b : a), []);
    const [oldest] = crowd;
    if (oldest === undefined) return;
    const [from, { socket }] = oldest;
    this.#know(from);
    this.#sockets.delete(socket);
    socket.destroy();
  }

  #know(from: string): void {
    clearTimeout(this.#strangers.get(from)?.timer);
    this.#strangers.delete(from);
  }

  /**
   * Waits for the other side's name, and resolves to whether it is one that we want. Who was dialled says its own only then. From here on
   * the socket's bytes go to its stream.
   */
  #introduce(socket: TLSSocket, dialled: NodeId | undefined): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { id, fingerprint } = this.#options;
    const hello = encodeFrame({ type: "hello", id, fingerprint });
    const splitter = new FrameSplitter();
    let stream: RelayStream | undefined;
    const greet = (body: Buffer): void => {
      const peer = this.#callerIn(body, dialled);
      if (peer === undefined || socket.alpnProtocol !== RELAY_PROTOCOL) {
        socket.destroy();
        return;
      }
      if (dialled === undefined) socket.write(hello);
      this.#know(placeOf(socket));
      stream = this.#admit(socket, peer, dialled !== undefined);
      resolve(true);
    };
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(false));
    // Nothing is said before the certificate was looked at.
    if (dialled !== undefined) socket.on("secureConnect", () => socket.write(hello));
    socket.on("data", (chunk: Buffer) => {
      for (const body of splitter.push(chunk)) {
        if (socket.destroyed) return;
        if (stream) stream.take(body, performance.now());
        else greet(body);
      }
    });
    return promise;
  }

  /** Who greets us with `body`; undefined for a stranger, or for another than the one we dialled. */
  #callerIn(body: Buffer, dialled: NodeId | undefined): NodeId | undefined {
    const frame = decodeFrame(body);
    if (typeof frame !== "object" || frame.type !== "hello" || this.#closed) return undefined;
    if (dialled !== undefined && frame.id !== dialled) return undefined;
    return this.#options.isMember(frame.id, frame.fingerprint) ? frame.id : undefined;
  }

  #admit(socket: TLSSocket, peer: NodeId, isOutbound: boolean): RelayStream {
    const isInside = this.#options.isInside(socket.remoteAddress ?? "");
    for (const old of [...this.#streams]) {
      const isSame = old.isOutbound === isOutbound && old.isInside === isInside;
      if (old.peer === peer && isSame) old.close();
    }
    const stream = new RelayStream({
      socket,
      peer,
      isOutbound,
      isInside,
      nowMs: performance.now(),
      frame: (frame) => this.#options.frame(frame, peer),
      closed: (gone) => {
        this.#streams.delete(gone);
        if (this.#closed) return;
        this.#options.changed();
        this.#tend();
      },
    });
    this.#streams.add(stream);
    this.#options.changed();
    this.#arm();
    return stream;
  }

  #arm(): void {
    if (this.#closed || this.#timer !== undefined) return;
    if (this.#streams.size === 0 && this.#wanted.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#tend();
    }, TEND_MS);
  }

  #tend(): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    for (const stream of [...this.#streams]) stream.tend(this.#wanted.has(stream.peer), nowMs);
    for (const id of this.#wanted) {
      if (this.#streamTo(id)) continue;
      const dial = this.#dials.get(id) ?? { retryMs: FIRST_RETRY_MS, nextMs: 0, isUnderWay: false };
      this.#dials.set(id, dial);
      if (!dial.isUnderWay && nowMs >= dial.nextMs) void this.#dial(id, dial);
    }
    this.#arm();
  }

  async #dial(id: NodeId, dial: Dial): Promise<void> {
    dial.isUnderWay = true;
    let isOpen = false;
    try {
      isOpen = await this.#tryAll(id, this.#options.addresses(id));
    } catch (error) {
      this.#options.problem(error);
    }
    dial.isUnderWay = false;
    dial.retryMs = isOpen ? FIRST_RETRY_MS : Math.min(MAX_RETRY_MS, dial.retryMs * 2);
    dial.nextMs = performance.now() + (isOpen ? 0 : dial.retryMs);
    if (!this.#closed) this.#arm();
  }

  /** True once one of the addresses led to the node; the tries at the others are ended then. */
  async #tryAll(id: NodeId, addresses: readonly Endpoint[]): Promise<boolean> {
    const { context } = await this.#secured();
    const tries = new Set<TLSSocket>();
    const timers: NodeJS.Timeout[] = [];
    const found = addresses.map(async (address, index) => {
      await new Promise<void>((resolve) => timers.push(setTimeout(resolve, index * STAGGER_MS)));
      if (this.#closed) return Promise.reject(new Error("closed"));
      const socket = this.#connect(address, context);
      tries.add(socket);
      if (!(await this.#introduce(socket, id))) throw new Error("no stream");
      tries.delete(socket);
    });
    const { promise: late, reject } = Promise.withResolvers<void>();
    timers.push(setTimeout(() => reject(new Error("late")), INTRODUCTION_MS));
    const isOpen = await Promise.race([Promise.any(found), late]).then(
      () => true,
      () => false,
    );
    for (const timer of timers) clearTimeout(timer);
    for (const socket of tries) socket.destroy();
    return isOpen;
  }

  #connect({ ip, port }: Endpoint, context: SecureContext): TLSSocket {
    const socket = tlsConnect({
      host: ip,
      port,
      secureContext: context,
      ALPNProtocols: [RELAY_PROTOCOL],
      rejectUnauthorized: true,
      // The certificate proves the cluster; which node it is, the greeting says.
      checkServerIdentity: () => undefined,
    });
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

/** Tells sockets of strangers apart, before and after TLS was put around them. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
