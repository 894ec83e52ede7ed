/**
 * Whether this host computes the checksums inside VXLAN itself. Pure: it is told which tunnels work, and when.
 *
 * Some network cards, and some virtual ones, spoil the inner checksum that they are asked to compute; the receiver then drops all TCP and UDP while
 * gossip, which goes outside of the tunnel, works. Computing them here costs most of the throughput, so it is tried only when a heard
 * peer's tunnel stays dead, and kept only when that mends it and the card is seen to break it again: a cable that was plugged in meanwhile
 * mends a tunnel, too. A blocked port is not mended by it.
 */
import type { NodeId } from "../../values/node-id.ts";

/** Tunnels are proved within tenths of a second; the probes' pace while one is lost is 1 s. */
const TRIAL_MS = 6_000;
/** From a mended tunnel to the proof that the card was to blame. */
const MENDED_MS = 2_000;
/** A peer for which it did not help is no reason to try again so soon. */
const AGAIN_MS = 600_000;

export interface TunnelState {
  readonly id: NodeId;
  readonly proved: boolean;
  /** Unproved for so long that no start-up is an excuse. */
  readonly isLost: boolean;
}

/** What is being found out, since when, and by whose tunnels. */
interface Trial {
  readonly step: "does-it-mend" | "is-mended" | "does-it-break";
  readonly sinceMs: number;
  readonly ids: ReadonlySet<NodeId>;
}

export class ChecksumTrial {
  #isSoftware = false;
  #trial: Trial | undefined;
  readonly #failedAt = new Map<NodeId, number>();

  /** True while inner checksums are, or are tried to be, computed by this host. */
  get isSoftware(): boolean {
    return this.#isSoftware;
  }

  /** Takes the tunnels to peers that gossip hears as they are; true when `isSoftware` changed. */
  look(tunnels: readonly TunnelState[], nowMs: number): boolean {
    const before = this.#isSoftware;
    if (this.#trial) this.#goOn(this.#trial, tunnels, nowMs);
    else if (!this.#isSoftware) this.#begin(tunnels, nowMs);
    return this.#isSoftware !== before;
  }

  #begin(tunnels: readonly TunnelState[], nowMs: number): void {
    const lost = tunnels.filter(({ id, isLost }) => {
      const failed = this.#failedAt.get(id) ?? Number.NEGATIVE_INFINITY;
      return isLost && nowMs - failed >= AGAIN_MS;
    });
    if (lost.length === 0) return;
    this.#step("does-it-mend", lost, nowMs);
    this.#isSoftware = true;
  }

  #goOn({ step, sinceMs, ids }: Trial, tunnels: readonly TunnelState[], nowMs: number): void {
    const tried = tunnels.filter(({ id }) => ids.has(id));
    const proved = tried.filter((tunnel) => tunnel.proved);
    const tookMs = nowMs - sinceMs;
    if (step === "does-it-mend") {
      if (proved.length > 0) this.#step("is-mended", proved, nowMs);
      else if (tookMs >= TRIAL_MS) this.#leaveToCard(ids, nowMs);
    } else if (step === "is-mended") {
      if (tookMs < MENDED_MS) return;
      this.#step("does-it-break", proved, nowMs);
      this.#isSoftware = false;
    } else if (tried.length > proved.length) {
      this.#trial = undefined;
      this.#isSoftware = true;
    } else if (tookMs >= TRIAL_MS) this.#leaveToCard(ids, nowMs);
  }

  #step(step: Trial["step"], tunnels: readonly TunnelState[], sinceMs: number): void {
    this.#trial = { step, sinceMs, ids: new Set(tunnels.map(({ id }) => id)) };
  }

  #leaveToCard(ids: ReadonlySet<NodeId>, nowMs: number): void {
    this.#trial = undefined;
    this.#isSoftware = false;
    for (const id of ids) this.#failedAt.set(id, nowMs);
  }
}
