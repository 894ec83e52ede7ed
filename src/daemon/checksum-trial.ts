/**
 * Whether this host computes the checksums inside VXLAN itself. Pure: it is told which tunnels work, and when.
 *
 * Some network cards, and some virtual ones, spoil the inner checksum that they are asked to compute; the receiver then drops all TCP and UDP while
 * gossip, which goes outside of the tunnel, works. Computing them here costs most of the throughput, so it is tried only when a heard
 * peer's tunnel stays dead, and kept only when that mends it; a blocked port is not mended by it.
 */
import type { NodeId } from "../values/node-id.ts";

/** Tunnels are proved within tenths of a second; the probes' pace while one is lost is 1 s. */
const TRIAL_MS = 6_000;
/** A peer for which it did not help is no reason to try again so soon. */
const AGAIN_MS = 600_000;

export interface TunnelState {
  readonly id: NodeId;
  readonly proved: boolean;
  /** Unproved for so long that no start-up is an excuse. */
  readonly isLost: boolean;
}

export class ChecksumTrial {
  #isSoftware = false;
  /** While it is tried: since when, and whose tunnels it should mend. */
  #trial: { readonly sinceMs: number; readonly lost: ReadonlySet<NodeId> } | undefined;
  readonly #failedAt = new Map<NodeId, number>();

  /** True while inner checksums are, or are tried to be, computed by this host. */
  get isSoftware(): boolean {
    return this.#isSoftware;
  }

  /** Takes the tunnels to peers that gossip hears as they are; true when `isSoftware` changed. */
  look(tunnels: readonly TunnelState[], nowMs: number): boolean {
    const before = this.#isSoftware;
    if (this.#trial) this.#judge(this.#trial, tunnels, nowMs);
    else if (!this.#isSoftware) this.#begin(tunnels, nowMs);
    return this.#isSoftware !== before;
  }

  #begin(tunnels: readonly TunnelState[], nowMs: number): void {
    const lost = tunnels.filter(({ id, isLost }) => {
      const failed = this.#failedAt.get(id) ?? Number.NEGATIVE_INFINITY;
      return isLost && nowMs - failed >= AGAIN_MS;
    });
    if (lost.length === 0) return;
    this.#trial = { sinceMs: nowMs, lost: new Set(lost.map(({ id }) => id)) };
    this.#isSoftware = true;
  }

  #judge(
    { sinceMs, lost }: { readonly sinceMs: number; readonly lost: ReadonlySet<NodeId> },
    tunnels: readonly TunnelState[],
    nowMs: number,
  ): void {
    if (tunnels.some(({ id, proved }) => proved && lost.has(id))) {
      this.#trial = undefined;
    } else if (nowMs - sinceMs >= TRIAL_MS) {
      this.#trial = undefined;
      this.#isSoftware = false;
      for (const id of lost) this.#failedAt.set(id, nowMs);
    }
  }
}
