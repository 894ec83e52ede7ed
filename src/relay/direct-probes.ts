/**
 * Asks peers' tunnels directly whether they answer: the first message of WireGuard's handshake, from a port and a key that only ask.
 *
 * Invariants: nothing of the tunnel that carries traffic is touched; no socket is open while nobody is asked. Only the peer's
 * WireGuard and who sees the packets can answer, and the latter could as well drop them.
 */
import { randomBytes, randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Endpoint } from "../values/endpoint.ts";
import type { NodeId } from "../values/node-id.ts";
import { answeredIndex, handshakeInitiation } from "./handshake-initiation.ts";

/** Questions whose answer is still awaited. */
const MAX_OUTSTANDING = 256;

export interface DirectProbesOptions {
  /** X25519, 32 bytes: the peers' tunnels know its public half as a peer without addresses. */
  readonly privateKey: Uint8Array;
  readonly wallMs: () => number;
  readonly answered: (peer: NodeId) => void;
}

export class DirectProbes {
  readonly #options: DirectProbesOptions;
  readonly #sockets = new Map<"udp4" | "udp6", Socket>();
  readonly #outstanding = new Map<number, NodeId>();
  #lastMs = 0;

  constructor(options: DirectProbesOptions) {
    this.#options = options;
  }

  /** One question to the tunnel with the public key `peerKey` (32 bytes) at `to`; a key that is none is not asked. */
  ask(peer: NodeId, peerKey: Uint8Array, to: Endpoint): void {
    const index = randomInt(2 ** 32);
    const message = this.#messageTo(peerKey, index);
    if (message === undefined) return;
    this.#outstanding.set(index, peer);
    if (this.#outstanding.size > MAX_OUTSTANDING) {
      const [oldest] = this.#outstanding.keys();
      if (oldest !== undefined) this.#outstanding.delete(oldest);
    }
    // What cannot be sent is a question without an answer.
    this.#socketFor(to.ip).send(message, to.port, to.ip, () => undefined);
  }

  /** Nobody is asked any more. */
  rest(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    this.#outstanding.clear();
  }

  #messageTo(peerKey: Uint8Array, index: number): Uint8Array | undefined {
    const { privateKey } = this.#options;
    const ephemeralKey = randomBytes(32);
    // A WireGuard answers no question that is older than the last: a clock that is set back must not make us mute.
    const wallMs = Math.max(this.#options.wallMs(), this.#lastMs + 1);
    this.#lastMs = wallMs;
    try {
      return handshakeInitiation({ privateKey, ephemeralKey, peerKey, index, wallMs });
    } catch {
      // Some 32 bytes are no point of the curve that one can agree with (RFC 7748, section 6.1); gossip carries any.
      return undefined;
    }
  }

  #socketFor(ip: string): Socket {
    const family = isIPv6(ip) ? "udp6" : "udp4";
    const known = this.#sockets.get(family);
    if (known) return known;
    const socket = createSocket(family);
    this.#sockets.set(family, socket);
    socket.on("error", () => {
      if (this.#sockets.get(family) === socket) this.#sockets.delete(family);
      socket.close();
    });
    socket.on("message", (bytes) => {
      const index = answeredIndex(bytes);
      const peer = index === undefined ? undefined : this.#outstanding.get(index);
      if (index === undefined || peer === undefined) return;
      this.#outstanding.delete(index);
      this.#options.answered(peer);
    });
    return socket;
  }
}
