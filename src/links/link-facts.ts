/**
 * What is known of one link between this node and another. Pure.
 *
 * Invariant: a link is confirmed by a probe that names one of ours of the last seconds and says that we were heard in time: so both
 * directions work, and a packet that somebody recorded proves nothing.
 */
import type { LinkProbeBody } from "./link-probe.ts";

/** A probe may be so late, in milliseconds, before something is wrong. */
const SLACK_MS = 100;
/** A link that is in nobody's way is called down after so many missed probes. */
const MISSED = 2;
/** An echo of an older probe proves nothing. */
const ECHO_MS = 3_000;
const MAX_OUTSTANDING = 16;
/** Before the other end said its own. */
const FIRST_PACE_MS = 1_000;

export type LinkState = "up" | "down" | "unknown";

export class LinkFacts {
  /** When the next probe is due. */
  nextMs: number;
  /** When both directions last worked; undefined: not since these facts began. */
  confirmedMs: number | undefined;
  /** Confirmed without a break since then; undefined while it is not. */
  upSinceMs: number | undefined;
  /** Smoothed; undefined before the first answer. */
  rttMs: number | undefined;
  readonly #sinceMs: number;
  readonly #sent = new Map<number, number>();
  #heard: { readonly nonce: number; readonly atMs: number } | undefined;
  #theirPaceMs = FIRST_PACE_MS;
  #ownPaceMs = FIRST_PACE_MS;
  #theyUse = false;
  /** Since when they say that they hear nothing of us, though we hear them. */
  #unheardMs: number | undefined;

  constructor(nowMs: number, firstProbeMs: number) {
    this.#sinceMs = nowMs;
    this.nextMs = firstProbeMs;
  }

  /** The other end sends its traffic here. */
  get theyUse(): boolean {
    return this.#theyUse;
  }

  /** A probe of number `nonce` goes out now. */
  probe(
    nonce: number,
    nowMs: number,
    { paceMs, ...rest }: { paceMs: number; wantsAnswer: boolean; inUse: boolean; link: number },
  ): LinkProbeBody {
    this.#ownPaceMs = paceMs;
    this.#sent.set(nonce, nowMs);
    for (const old of this.#sent.keys()) {
      if (this.#sent.size <= MAX_OUTSTANDING) break;
      this.#sent.delete(old);
    }
    const heard = this.#heard;
    const echo = heard && { nonce: heard.nonce, heldMs: nowMs - heard.atMs };
    return { ...rest, nonce, echo, everyMs: paceMs };
  }

  /** A probe came on this link. */
  take({ nonce, echo, inUse, everyMs }: LinkProbeBody, nowMs: number): void {
    this.#heard = { nonce, atMs: nowMs };
    this.#theyUse = inUse;
    this.#theirPaceMs = everyMs;
    const sentMs = echo && this.#sent.get(echo.nonce);
    if (sentMs === undefined || echo === undefined || nowMs - sentMs > ECHO_MS) return;
    const rttMs = Math.max(0, nowMs - sentMs - echo.heldMs);
    this.rttMs = this.rttMs === undefined ? rttMs : this.rttMs + (rttMs - this.rttMs) / 8;
    if (echo.heldMs > this.#ownPaceMs + SLACK_MS) {
      this.#unheardMs ??= nowMs;
      return;
    }
    this.#unheardMs = undefined;
    this.confirmedMs = nowMs;
    this.upSinceMs ??= nowMs;
  }

  /** From when on something is wrong, unless it is confirmed before. */
  get overdueMs(): number {
    const silentMs = (this.confirmedMs ?? this.#sinceMs) + this.#theirPaceMs + SLACK_MS;
    return Math.min(silentMs, this.#unheardMs ?? silentMs);
  }

  /** Notes what the passing of time says. */
  look(nowMs: number): void {
    const patienceMs = MISSED * this.#theirPaceMs + 2 * SLACK_MS;
    if (nowMs - (this.confirmedMs ?? this.#sinceMs) > patienceMs) this.upSinceMs = undefined;
  }

  state(nowMs: number): LinkState {
    if (this.upSinceMs !== undefined) return "up";
    const isNew = this.confirmedMs === undefined && nowMs - this.#sinceMs < MISSED * FIRST_PACE_MS;
    return isNew ? "unknown" : "down";
  }
}
