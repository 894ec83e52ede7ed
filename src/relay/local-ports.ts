/**
 * For each relayed peer a UDP port on loopback, which our tunnel takes for the peer: what the tunnel sends there goes out by the relay, what
 * the relay brings comes from there.
 *
 * Invariants: only datagrams from our own tunnel's port are taken. A port stays for a while after it was let go, because datagrams are
 * still under way when a peer returns to its direct path; but soon it hands none over any more: the tunnel follows whatever came last,
 * and two ends whose late datagrams cross would lead each other back to the relay, until its stream is closed under them.
 */
import { createSocket, type Socket } from "node:dgram";
import type { NodeId } from "../values/node-id.ts";

const LOOPBACK = "127.0.0.1";
const LINGER_MS = 30_000;
/** After a return late datagrams are handed over for so long, in milliseconds. */
export const LATE_MS = 2_000;
/** Datagrams kept while the port is being bound, which takes no longer than a moment. */
const MAX_EARLY = 16;
const RECEIVE_BUFFER = 1024 * 1024;

export interface LocalPortsOptions {
  /** The UDP port of our own tunnel. */
  readonly tunnelPort: number;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs: () => number;
  /** The tunnel sent `datagram` to `peer`; it is only good during the call. */
  readonly sent: (peer: NodeId, datagram: Buffer) => void;
  /** The port for `peer` is known now. */
  readonly bound: (peer: NodeId) => void;
}

interface LocalPort {
  readonly socket: Socket;
  port: number | undefined;
  early: Uint8Array[];
  linger: NodeJS.Timeout | undefined;
  /** When it was let go, by the monotonic clock. */
  letGoMs: number | undefined;
}

export class LocalPorts {
  readonly #options: LocalPortsOptions;
  readonly #ports = new Map<NodeId, LocalPort>();

  constructor(options: LocalPortsOptions) {
    this.#options = options;
  }

  /** The port that stands for `peer`; undefined until it is bound, and while there is none. */
  portOf(peer: NodeId): number | undefined {
    return this.#ports.get(peer)?.port;
  }

  /** A port for `peer`, from now until `letGo`. */
  hold(peer: NodeId): void {
    const port = this.#portFor(peer);
    clearTimeout(port.linger);
    port.letGoMs = undefined;
  }

  /** The port for `peer` closes after a while. */
  letGo(peer: NodeId): void {
    const port = this.#ports.get(peer);
    if (!port) return;
    port.letGoMs = this.#options.nowMs();
    this.#linger(peer, port);
  }

  /** Hands a datagram of `peer` to our tunnel. Makes a port for a peer that began before we did. */
  deliver(peer: NodeId, datagram: Uint8Array): void {
    const isNew = !this.#ports.has(peer);
    const port = this.#portFor(peer);
    if (isNew) this.#linger(peer, port);
    if (port.letGoMs !== undefined && this.#options.nowMs() - port.letGoMs > LATE_MS) return;
    if (port.port !== undefined) this.#hand(port, datagram);
    else if (port.early.length < MAX_EARLY) port.early.push(Uint8Array.from(datagram));
  }

  close(): void {
    for (const peer of [...this.#ports.keys()]) this.#remove(peer);
  }

  #portFor(peer: NodeId): LocalPort {
    const known = this.#ports.get(peer);
    if (known) return known;
    const socket = createSocket({
      type: "udp4",
      recvBufferSize: RECEIVE_BUFFER,
      // Only a literal is ever sent to: this spares a trip through the resolver for each datagram.
      lookup: (host, _options, callback) => callback(null, host, 4),
    });
    const port: LocalPort = {
      socket,
      port: undefined,
      early: [],
      linger: undefined,
      letGoMs: undefined,
    };
    this.#ports.set(peer, port);
    // Without a port the peer stays on its direct path; the next hold tries again.
    socket.on("error", () => this.#remove(peer));
    socket.on("message", (datagram, { address, port: from }) => {
      if (address !== LOOPBACK || from !== this.#options.tunnelPort) return;
      this.#options.sent(peer, datagram);
    });
    socket.bind({ address: LOOPBACK, port: 0 }, () => {
      port.port = socket.address().port;
      for (const datagram of port.early) this.#hand(port, datagram);
      port.early = [];
      this.#options.bound(peer);
    });
    return port;
  }

  /** What cannot be handed over is lost, as the network might have lost it. */
  #hand({ socket }: LocalPort, datagram: Uint8Array): void {
    socket.send(datagram, this.#options.tunnelPort, LOOPBACK, () => undefined);
  }

  #linger(peer: NodeId, port: LocalPort): void {
    clearTimeout(port.linger);
    port.linger = setTimeout(() => this.#remove(peer), LINGER_MS);
    port.linger.unref();
  }

  #remove(peer: NodeId): void {
    const port = this.#ports.get(peer);
    if (!port) return;
    this.#ports.delete(peer);
    clearTimeout(port.linger);
    port.socket.close();
  }
}
