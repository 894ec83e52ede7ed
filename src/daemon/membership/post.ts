/**
 * What this node says to others: envelopes of the daemon's parts, which name us as the sender, and exchanges of whole states.
 */
import type { Gossip } from "../../gossip/gossip.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { type Envelope, type EnvelopeKind, encodeEnvelope } from "./envelope.ts";
import { isHeard, type RosterNode } from "./roster.ts";

/** Exchanges under way at one time when all peers are told something at once. */
const EXCHANGES_AT_ONCE = 16;

export interface PostOptions {
  readonly gossip: Pick<Gossip, "sendStream" | "sendPacket" | "broadcast" | "join" | "routed">;
  readonly self: NodeId;
  /** 8 hex digits. */
  readonly fingerprint: string;
  readonly peers: () => readonly RosterNode[];
  /** Who shares an id with a peer or with us, and is heard: no tunnel leads there. */
  readonly twins: () => readonly RosterNode[];
  /** Where a node is reached whose host is not: through its tunnel, which a relay carries. Undefined: where it says. */
  readonly roundabout: (to: NodeId, by: "packet" | "stream") => Endpoint | undefined;
}

export class Post {
  readonly #options: PostOptions;

  constructor(options: PostOptions) {
    this.#options = options;
  }

  /** A reliable message to the node with that id. Rejects when it is not heard or does not take it. */
  async send(to: NodeId, kind: EnvelopeKind, body: Uint8Array): Promise<void> {
    const { gossip, peers } = this.#options;
    const peer = peers().find((node) => node.metadata.id === to && isHeard(node));
    if (!peer) throw new Error(`node ${to} is out of reach`);
    await gossip.sendStream(this.#endpointOf(peer, "stream"), this.#wrap(kind, body));
  }

  /** A reliable message to an address, heard of or not. Rejects with the reason when nobody took it within `totalMs`. */
  async sendTo(to: Endpoint, kind: EnvelopeKind, body: Uint8Array, totalMs: number): Promise<void> {
    const limits = { connectMs: totalMs, totalMs };
    await this.#options.gossip.sendStream(to, this.#wrap(kind, body), limits);
  }

  /** One packet to an address, best effort; returns the length of its UDP payload in bytes. */
  sendPacket(to: Endpoint, kind: EnvelopeKind, body: Uint8Array): number {
    return this.#options.gossip.sendPacket(to, this.#wrap(kind, body));
  }

  /** Another node's envelope as it is, in one packet. */
  passOn(to: Endpoint, envelope: Envelope): void {
    this.#options.gossip.sendPacket(to, encodeEnvelope(envelope));
  }

  /** To everybody by gossip; what is still queued under `key` is replaced. Throws RangeError above a packet's room. */
  broadcast(key: string, kind: EnvelopeKind, body: Uint8Array): void {
    this.#options.gossip.broadcast(key, this.#wrap(kind, body));
  }

  /**
   * One packet to each peer and each twin that is heard, best effort. For what nobody passes on: a broadcast by gossip reaches only a few nodes by itself
   * (8 of 50), and is everybody's when each passes on what was news to it.
   */
  sendToEach(kind: EnvelopeKind, body: Uint8Array): void {
    const { gossip, peers, twins } = this.#options;
    const bytes = this.#wrap(kind, body);
    for (const peer of peers().filter(isHeard))
      gossip.sendPacket(this.#endpointOf(peer, "packet"), bytes);
    for (const { member } of twins()) gossip.sendPacket(gossip.routed(member.endpoint), bytes);
  }

  /** Exchanges whole states with each of `peers` now; those that did not answer. Ends within 10 s for 16 peers. */
  async exchange(peers: readonly RosterNode[]): Promise<RosterNode[]> {
    const silent: RosterNode[] = [];
    const waiting = [...peers];
    const worker = async (): Promise<void> => {
      for (let peer = waiting.shift(); peer; peer = waiting.shift()) {
        const answer = await this.#options.gossip.join(this.#endpointOf(peer, "stream"));
        if (!answer.ok) silent.push(peer);
      }
    };
    await Promise.all(Array.from({ length: EXCHANGES_AT_ONCE }, worker));
    return silent;
  }

  #endpointOf({ member, metadata }: RosterNode, by: "packet" | "stream"): Endpoint {
    return (
      this.#options.roundabout(metadata.id, by) ?? this.#options.gossip.routed(member.endpoint)
    );
  }

  #wrap(kind: EnvelopeKind, body: Uint8Array): Uint8Array {
    const { self, fingerprint } = this.#options;
    return encodeEnvelope({ kind, sender: self, fingerprint, body });
  }
}
