/**
 * The UDP socket: datagrams in and out, nothing understood.
 *
 * Invariant: sending never throws and never waits; what the host refuses is counted and lost, as the network might have lost it.
 */
import { createSocket, type Socket } from "node:dgram";
import type { Endpoint } from "../values/endpoint.ts";
import { bindFailure } from "./bind-failure.ts";
import type { Counters } from "./counters.ts";
import { addressFor, endpointFrom } from "./socket-address.ts";

/** As memberlist: room for a burst of gossip while the process is busy. The kernel may grant less. */
const RECEIVE_BUFFER = 2 * 1024 * 1024;

export type OnPacket = (bytes: Uint8Array, from: Endpoint) => void;

export class PacketSocket {
  readonly #socket: Socket;
  readonly #family: "udp4" | "udp6";
  readonly #counters: Counters;
  #unsent = 0;
  #whenSent: (() => void) | undefined;

  private constructor(socket: Socket, family: "udp4" | "udp6", counters: Counters) {
    this.#socket = socket;
    this.#family = family;
    this.#counters = counters;
  }

  /** Throws PORT_TAKEN when another socket holds the port. */
  static async bind(at: Endpoint, counters: Counters, onPacket: OnPacket): Promise<PacketSocket> {
    const family = at.ip.includes(":") ? "udp6" : "udp4";
    const socket = createSocket({
      type: family,
      recvBufferSize: RECEIVE_BUFFER,
      // Only literals are ever sent to: this spares a trip through the resolver for each datagram.
      lookup: (host, _options, callback) => callback(null, host, family === "udp6" ? 6 : 4),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => {
        socket.close();
        reject(bindFailure(error, at, "udp"));
      });
      socket.bind({ address: at.ip, port: at.port }, () => {
        socket.removeAllListeners("error");
        resolve();
      });
    });
    socket.on("error", () => {
      counters.socketErrors += 1;
    });
    socket.on("message", (bytes, info) => {
      counters.packetsIn += 1;
      counters.packetBytesIn += bytes.length;
      onPacket(bytes, endpointFrom(info.address, info.port));
    });
    return new PacketSocket(socket, family, counters);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    const address = addressFor(to.ip, this.#family);
    if (address === undefined || to.port < 1 || to.port > 65_535) {
      this.#counters.packetsUnsent += 1;
      return;
    }
    this.#unsent += 1;
    this.#socket.send(bytes, to.port, address, this.#onSent);
  }

  /** Resolves when everything sent so far has been handed to the host. */
  async flush(): Promise<void> {
    if (this.#unsent === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenSent = resolve;
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  readonly #onSent = (error: Error | null, size?: number): void => {
    this.#unsent -= 1;
    if (error === null) {
      this.#counters.packetsOut += 1;
      this.#counters.packetBytesOut += size ?? 0;
    } else {
      this.#counters.packetsUnsent += 1;
    }
    if (this.#unsent > 0) return;
    this.#whenSent?.();
    this.#whenSent = undefined;
  };
}
