/**
 * Proof of tunnels by traffic: which peers answer us through the overlay, and how fast.
 *
 * Pure: it says which probes to send, and is told which answers came. A tunnel counts as proved when a probe as large as
 * the tunnel's MTU came back from the peer's node address; it is lost when nothing came back for LOST_AFTER_MS. While a tunnel is
 * unproved, large and small probes alternate, so that a path that drops only large packets is told from a dead one. While it
 * works, the probes of both ends answer each other, and an answer at once is only asked for when the other end's are overdue.
 */
import type { NodeId } from "../../values/node-id.ts";
import type { ProbeBody } from "./tunnel-probe.ts";

/** Pace of probes of an unproved tunnel at first, and for how long. */
const EAGER_MS = 100;
const EAGER_FOR_MS = 3_000;
/** Pace otherwise. Cost: one small packet each way a peer and second. */
const STEADY_MS = 1_000;
/** Without news for so long, a probe asks for an answer at once: the other end may not be probing us, or one was lost. */
const OVERDUE_MS = 1_500;
/** Probes of proved tunnels that are due this soon go with the others, so that the daemon wakes once for all peers. */
const TOGETHER_MS = 250;
/** Probes of proved tunnels that are due this soon go when a near peer's arrives: all nodes then wake in the same moment. */
const IN_STEP_MS = 500;
/** Round trip of a near peer. Two ends whose round trip is STEADY_MS - IN_STEP_MS or more would pull each other to that period. */
const NEAR_MS = 100;
/** Promise: a cut host shows as not established within 3 s on all others. */
const LOST_AFTER_MS = 2_400;
/** A proved tunnel is measured in full size again once in so many probes. */
const FULL_EVERY = 30;
/** WireGuard tries a handshake again after 5 s. */
const HANDSHAKE_MS = 5_000;
/** Probes of one peer whose answer is still awaited. */
const MAX_OUTSTANDING = 8;

export interface Probe extends ProbeBody {
  readonly peer: NodeId;
  /** Fill the packet to the tunnel's MTU. */
  readonly full: boolean;
}

export interface TunnelView {
  readonly proved: boolean;
  /** Small probes come back but full-size ones do not: the MTU is too large for the path. */
  readonly smallOnly: boolean;
  readonly rttMs: number | undefined;
  /** Unproved for so long that a handshake under way is no excuse. */
  readonly isLost: boolean;
}

interface Tunnel {
  sinceMs: number;
  nextMs: number;
  count: number;
  proved: boolean;
  lastReplyMs: number;
  lastSmallReplyMs: number;
  rttMs: number | undefined;
  readonly outstanding: Map<number, { sentMs: number; full: boolean }>;
  /** The other end's last probe, to be told of in our next. */
  heard: { readonly nonce: number; readonly atMs: number } | undefined;
}

export class TunnelProofs {
  readonly #tunnels = new Map<NodeId, Tunnel>();
  #nonce: number;

  /** `firstNonce` should differ between runs, so that answers to an earlier run are not taken for ours. */
  constructor(firstNonce: number) {
    this.#nonce = firstNonce >>> 0;
  }

  /** Whose tunnels to prove from now on; keeps what is known of those that stay. */
  setPeers(peers: readonly NodeId[], nowMs: number): void {
    for (const peer of this.#tunnels.keys()) {
      if (!peers.includes(peer)) this.#tunnels.delete(peer);
    }
    for (const peer of peers) {
      if (!this.#tunnels.has(peer)) this.#tunnels.set(peer, fresh(nowMs));
    }
  }

  /** Probe `peer` eagerly again, because its key, endpoint or our tunnel device changed. */
  restart(peer: NodeId, nowMs: number): void {
    const tunnel = this.#tunnels.get(peer);
    if (!tunnel || tunnel.proved) return;
    tunnel.sinceMs = nowMs;
    tunnel.nextMs = nowMs;
  }

  /** A probe came from the peer's own node address. What it echoes keeps a tunnel proved, but a small packet proves none anew. */
  heard(peer: NodeId, { nonce, echo }: ProbeBody, nowMs: number): void {
    const tunnel = this.#tunnels.get(peer);
    if (!tunnel) return;
    tunnel.heard = { nonce, atMs: nowMs };
    if (!tunnel.proved) return;
    if (echo) this.answered(peer, echo.nonce, nowMs, echo.heldMs);
    if (tunnel.nextMs - nowMs > IN_STEP_MS || (tunnel.rttMs ?? 0) > NEAR_MS) return;
    // As fireflies do: whoever is first takes the others along, and nobody's pause becomes longer.
    for (const each of this.#tunnels.values()) {
      if (each.proved && each.nextMs - nowMs <= IN_STEP_MS)
        each.nextMs = Math.min(each.nextMs, nowMs);
    }
  }

  /**
   * An answer came from the peer's own node address, after the probe lay there for `heldMs`. Returns true when it proved a
   * tunnel that was not.
   */
  answered(peer: NodeId, nonce: number, nowMs: number, heldMs = 0): boolean {
    const tunnel = this.#tunnels.get(peer);
    const sent = tunnel?.outstanding.get(nonce);
    if (!tunnel || !sent) return false;
    tunnel.outstanding.delete(nonce);
    const rttMs = Math.max(0, nowMs - sent.sentMs - heldMs);
    tunnel.rttMs = tunnel.rttMs === undefined ? rttMs : tunnel.rttMs * 0.8 + rttMs * 0.2;
    if (!sent.full) tunnel.lastSmallReplyMs = nowMs;
    if (!tunnel.proved && !sent.full) return false;
    tunnel.lastReplyMs = nowMs;
    if (tunnel.proved) return false;
    tunnel.proved = true;
    tunnel.nextMs = nowMs + STEADY_MS;
    return true;
  }

  /**
   * The probes that are due, the peers whose tunnel was lost since the last call, those whose last probe is not answered yet, and whether this is the
   * round of the tunnels that are in step with their other ends, which comes once a second.
   */
  tick(nowMs: number): {
    readonly probes: readonly Probe[];
    readonly isBeat: boolean;
    readonly lost: readonly NodeId[];
    readonly overdue: readonly NodeId[];
  } {
    const probes: Probe[] = [];
    const lost: NodeId[] = [];
    const overdue: NodeId[] = [];
    let isBeat = false;
    const sends = [...this.#tunnels.values()].some(({ nextMs }) => nowMs >= nextMs);
    for (const [peer, tunnel] of this.#tunnels) {
      if (tunnel.proved && nowMs - tunnel.lastReplyMs >= LOST_AFTER_MS) {
        tunnel.proved = false;
        tunnel.rttMs = undefined;
        tunnel.sinceMs = nowMs;
        lost.push(peer);
      }
      const early = sends && tunnel.proved ? TOGETHER_MS : 0;
      if (nowMs < tunnel.nextMs - early) continue;
      const full = tunnel.proved ? tunnel.count % FULL_EVERY === 0 : tunnel.count % 2 === 0;
      tunnel.count += 1;
      isBeat ||= tunnel.proved && (tunnel.rttMs ?? 0) <= NEAR_MS;
      if (tunnel.proved && nowMs - tunnel.lastReplyMs > overdueMs(tunnel)) overdue.push(peer);
      this.#nonce = (this.#nonce + 1) >>> 0;
      tunnel.outstanding.set(this.#nonce, { sentMs: nowMs, full });
      if (tunnel.outstanding.size > MAX_OUTSTANDING) {
        const [oldest] = tunnel.outstanding.keys();
        if (oldest !== undefined) tunnel.outstanding.delete(oldest);
      }
      const eager = !tunnel.proved && nowMs - tunnel.sinceMs < EAGER_FOR_MS;
      tunnel.nextMs = nowMs + (eager ? EAGER_MS : STEADY_MS);
      const isOverdue = nowMs - tunnel.lastReplyMs >= OVERDUE_MS;
      const { heard } = tunnel;
      // One that was told of is told of no more: it would be taken for an answer to nothing.
      tunnel.heard = undefined;
      probes.push({
        peer,
        nonce: this.#nonce,
        full,
        wantsAnswer: full || !tunnel.proved || isOverdue,
        echo: heard && { nonce: heard.nonce, heldMs: nowMs - heard.atMs },
      });
    }
    return { probes, lost, overdue, isBeat };
  }

  /** When `tick` is next worth calling; Infinity without peers. */
  nextTickMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { proved, lastReplyMs, nextMs } of this.#tunnels.values()) {
      next = Math.min(next, nextMs, proved ? lastReplyMs + LOST_AFTER_MS : nextMs);
    }
    return next;
  }

  view(peer: NodeId, nowMs: number): TunnelView {
    const tunnel = this.#tunnels.get(peer);
    if (!tunnel) return { proved: false, smallOnly: false, rttMs: undefined, isLost: false };
    return {
      proved: tunnel.proved,
      smallOnly: !tunnel.proved && nowMs - tunnel.lastSmallReplyMs < 3 * STEADY_MS,
      rttMs: tunnel.rttMs,
      isLost: !tunnel.proved && nowMs - tunnel.sinceMs > HANDSHAKE_MS,
    };
  }
}

/** Near peers answer right after a round, so that half a round late is late; what far ones answer comes at any time between two. */
function overdueMs({ rttMs = 0 }: Tunnel): number {
  return rttMs <= NEAR_MS ? OVERDUE_MS : STEADY_MS + TOGETHER_MS;
}

function fresh(nowMs: number): Tunnel {
  return {
    sinceMs: nowMs,
    nextMs: nowMs,
    count: 0,
    proved: false,
    lastReplyMs: Number.NEGATIVE_INFINITY,
    lastSmallReplyMs: Number.NEGATIVE_INFINITY,
    rttMs: undefined,
    outstanding: new Map(),
    heard: undefined,
  };
}
