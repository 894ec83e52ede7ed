/**
 * Sends the probes that prove tunnels, answers those of others, and takes only answers that came out of the tunnel.
 *
 * A probe goes to the peer's node address, which is routed into the tunnel only; our firewall drops such a source from anywhere else. So an
 * answer from that address is proof of the whole path both ways: keys, routes and rules.
 */
import { randomInt } from "node:crypto";
import { formatIpv4, type Ipv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { Envelope } from "../membership/envelope.ts";
import { decodeProbe, encodeProbe, PROBE_HEADER_BYTES } from "./tunnel-probe.ts";
import { TunnelProofs, type TunnelView } from "./tunnel-proof.ts";

/** IPv4 and UDP headers, the envelope, and what gossip adds: label, nonce, tag, message type. */
const PACKET_OVERHEAD = 120;
/** Gossip sends no more in one packet; a tunnel with a larger MTU is proved with this much. */
const MAX_BODY_BYTES = 8_900;

export interface TunnelLoopOptions {
  readonly self: NodeId;
  /** Undefined for an id that has none in this subnet. */
  readonly nodeAddress: (id: NodeId) => Ipv4 | undefined;
  /** The tunnel's MTU now, in bytes. */
  readonly mtu: () => number;
  readonly send: (kind: Envelope["kind"], body: Uint8Array, to: Ipv4) => void;
  /** A tunnel was proved or lost. */
  readonly changed: () => void;
  /** After each round of probes, with the peers whose tunnel was lost since the last: perhaps by what is to be mended on this host. */
  readonly looked: (lost: readonly NodeId[]) => void;
  /** After the round that comes once a second, in step with the other nodes. */
  readonly beat: () => void;
  /** These tunnels did not answer the last probe: they may be about to be lost. */
  readonly overdue: (peers: readonly NodeId[]) => void;
}

export class TunnelLoop {
  readonly #options: TunnelLoopOptions;
  readonly #proofs = new TunnelProofs(randomInt(2 ** 32));
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: TunnelLoopOptions) {
    this.#options = options;
  }

  /** Whose tunnels to prove: the peers that gossip holds alive. */
  setPeers(peers: readonly NodeId[]): void {
    this.#proofs.setPeers(peers, performance.now());
    this.#arm();
  }

  /** The tunnel's configuration was applied: what is not proved is tried at once. */
  configured(peers: readonly NodeId[]): void {
    for (const peer of peers) this.#proofs.restart(peer, performance.now());
    this.#arm();
  }

  view(peer: NodeId): TunnelView {
    return this.#proofs.view(peer, performance.now());
  }

  /** Takes a probe or an answer that arrived from `ip`. */
  receive(envelope: Envelope, ip: string): void {
    if (envelope.body.length > MAX_BODY_BYTES) return;
    const probe = decodeProbe(envelope.body);
    if (!probe) return;
    const fromPeer = this.#options.nodeAddress(envelope.sender);
    if (fromPeer === undefined || ip !== formatIpv4(fromPeer)) return;
    const nowMs = performance.now();
    if (envelope.kind === "probe") {
      if (probe.wantsAnswer) this.#options.send("probe-reply", envelope.body, fromPeer);
      this.#proofs.heard(envelope.sender, probe, nowMs);
      if (this.#proofs.nextTickMs() <= nowMs) this.#tick();
      return;
    }
    if (this.#proofs.answered(envelope.sender, probe.nonce, nowMs)) this.#options.changed();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#proofs.nextTickMs();
    if (this.#closed || next === Number.POSITIVE_INFINITY) return;
    // A millisecond late, for a timer may fire a fraction of one early, and then there is nothing to do yet.
    const pauseMs = Math.max(1, Math.ceil(next - performance.now()) + 1);
    this.#timer = setTimeout(() => this.#tick(), pauseMs);
  }

  #tick(): void {
    const { probes, lost, overdue, isBeat } = this.#proofs.tick(performance.now());
    for (const probe of probes) {
      const to = this.#options.nodeAddress(probe.peer);
      if (to === undefined) continue;
      const room = Math.min(MAX_BODY_BYTES, this.#options.mtu() - PACKET_OVERHEAD);
      this.#options.send("probe", encodeProbe(probe, probe.full ? room : PROBE_HEADER_BYTES), to);
    }
    this.#options.looked(lost);
    if (lost.length > 0) this.#options.changed();
    if (overdue.length > 0) this.#options.overdue(overdue);
    this.#arm();
    if (isBeat) this.#options.beat();
  }
}
