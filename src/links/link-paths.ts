/**
 * Which of several links each pair of nodes uses: probes go out on all of them, and what sends on a link that fell silent moves to one
 * that answers.
 *
 * Pure: it says which probes to send, and is told which came. Invariants: nothing is sent for a pair with fewer than two common links; a link is
 * left only for one that was confirmed since the silence began, so that a node that stands still or stops moves nobody; in an undisturbed
 * state no more than MAX_A_SECOND probes a second leave this node. Each end decides for what it sends, from facts that both ends share.
 */
import type { NodeId } from "../values/node-id.ts";
import { bestOf, type CommonLink } from "./common-links.ts";
import { LinkFacts, type LinkState } from "./link-facts.ts";
import type { LinkProbeBody } from "./link-probe.ts";

/** Pace of probes on a link that either end uses, and on the others. */
export const FAST_MS = 250;
export const SLOW_MS = 1_000;
/** Above it the pace slows down, and with it how soon a silence is noticed: 80 pairs with two links stay below. */
export const MAX_A_SECOND = 400;
/**
 * From the first sign of silence to the decision, or two round trips: all links are asked meanwhile. With the pace it makes half a second
 * from a cut to the decision, because TCP sends again 0.2, 0.6 and 1.4 s after it.
 */
const DECIDE_MS = 150;
/** Asked so often for so long; then at the usual pace. */
const ASK_AGAIN_MS = 75;
const ASK_FOR_MS = 600;
/** A better link is taken again when it was up for so long; each time that it fails soon afterwards, twice that. */
const HOLD_MS = 5_000;
const MAX_HOLD_MS = 60_000;
const SOON_MS = 60_000;
/** Who wakes up so much late may have probes waiting unread, and looks again a moment later. */
const LATE_MS = 100;
/** Deadlines of several pairs fall together. */
const GRAIN_MS = 25;

export interface LinkPair {
  readonly peer: NodeId;
  readonly links: readonly CommonLink[];
  /** False for a peer that is not heard: what was known of its links stays, and it is not asked. */
  readonly isHeard: boolean;
  /** The link used in a former life of this node. */
  readonly before: number | undefined;
}

export interface LinkProbe {
  readonly peer: NodeId;
  /** The peer's address on that link. */
  readonly to: string;
  readonly body: LinkProbeBody;
}

export interface LinkView extends CommonLink {
  readonly state: LinkState;
  readonly rttMs: number | undefined;
  readonly inUse: boolean;
}

export interface LinkStep {
  readonly probes: readonly LinkProbe[];
  /** Peers to whom another link is used now. */
  readonly moved: readonly NodeId[];
  /** Peers that came to the link that we use: what they sent before may have led the tunnel away from it. */
  readonly followed?: readonly NodeId[];
}

interface Pair {
  readonly peer: NodeId;
  links: readonly CommonLink[];
  facts: Map<number, LinkFacts>;
  isHeard: boolean;
  used: number;
  /** Nothing was left for a fault yet, so the best link that answers is taken at once. */
  isFresh: boolean;
  /** Since when the used link is silent. */
  silentMs: number | undefined;
  askMs: number;
  holdMs: number;
  /** When a better link was last taken again. */
  returnedMs: number;
}

export class LinkPaths {
  readonly #pairs = new Map<NodeId, Pair>();
  #nonce: number;
  #expectedMs = Number.POSITIVE_INFINITY;
  #judgeFromMs = Number.NEGATIVE_INFINITY;
  /** How many times slower than wanted probes go, so that all together stay within the budget. */
  #stride = 1;

  /** `firstNonce` should differ between runs, so that echoes of an earlier run are not taken for ours. */
  constructor(firstNonce: number) {
    this.#nonce = firstNonce >>> 0;
  }

  /** The pairs from now on; those with fewer than two common links are left out. What is known of links that stay is kept. */
  setPairs(pairs: readonly LinkPair[], nowMs: number): void {
    const several = pairs.filter(({ links }) => links.length > 1);
    const peers = new Set(several.map(({ peer }) => peer));
    for (const peer of this.#pairs.keys()) if (!peers.has(peer)) this.#pairs.delete(peer);
    for (const pair of several) this.#setPair(pair, nowMs);
    this.#stride = strideOf(several);
    this.#expectedMs = Math.min(this.#expectedMs, this.nextTickMs());
  }

  /** The link used for what is sent to `peer`; undefined where there is no choice. */
  used(peer: NodeId): CommonLink | undefined {
    const pair = this.#pairs.get(peer);
    return pair?.links.find(({ number }) => number === pair.used);
  }

  /** The links to `peer`, by number; none where there is no choice. */
  view(peer: NodeId, nowMs: number): LinkView[] {
    const pair = this.#pairs.get(peer);
    if (!pair) return [];
    return pair.links.map((link) => {
      const facts = factsOf(pair, link.number);
      const state = pair.isHeard ? facts.state(nowMs) : "unknown";
      return { ...link, state, rttMs: facts.rttMs, inUse: link.number === pair.used };
    });
  }

  /** Takes a probe from `peer`. */
  heard(peer: NodeId, body: LinkProbeBody, nowMs: number): LinkStep {
    const pair = this.#pairs.get(peer);
    const link = pair?.links.find(({ number }) => number === body.link);
    if (!pair || !link) return { probes: [], moved: [] };
    const facts = factsOf(pair, link.number);
    const didUse = facts.theyUse;
    facts.take(body, nowMs);
    const probes = body.wantsAnswer ? [this.#probe(pair, link, false, nowMs)] : [];
    const moved = this.#judge(pair, nowMs) ? [peer] : [];
    const hasFollowed = facts.theyUse && !didUse && link.number === pair.used;
    return { probes, moved, followed: hasFollowed ? [peer] : [] };
  }

  /** Sends what is due, and decides. */
  tick(nowMs: number): LinkStep {
    if (nowMs - this.#expectedMs > LATE_MS) this.#judgeFromMs = nowMs + LATE_MS;
    const probes: LinkProbe[] = [];
    const moved: NodeId[] = [];
    for (const pair of this.#pairs.values()) {
      if (!pair.isHeard) continue;
      for (const link of pair.links) {
        const facts = factsOf(pair, link.number);
        facts.look(nowMs);
        if (facts.nextMs > nowMs) continue;
        probes.push(this.#probe(pair, link, this.#needsAnswer(facts, nowMs), nowMs));
        facts.nextMs = nextOnGrid(nowMs, this.#paceMs(pair, link.number));
      }
      if (this.#judge(pair, nowMs)) moved.push(pair.peer);
      probes.push(...this.#ask(pair, nowMs));
    }
    this.#expectedMs = this.nextTickMs();
    return { probes, moved };
  }

  /** When `tick` has something to do; Infinity while there is no pair with two links. */
  nextTickMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const pair of this.#pairs.values()) {
      if (!pair.isHeard) continue;
      for (const facts of pair.facts.values()) next = Math.min(next, facts.nextMs);
      next = Math.min(next, this.#deadline(pair));
    }
    return next;
  }

  #setPair({ peer, links, isHeard, before }: LinkPair, nowMs: number): void {
    const known = this.#pairs.get(peer);
    // A peer that was away begins anew: what its links were like is long gone.
    const isBack = known !== undefined && isHeard && !known.isHeard;
    const facts = new Map(
      links.map((link) => {
        const former = known?.links.find(({ number }) => number === link.number);
        const isSame = former?.own === link.own && former.theirs === link.theirs && !isBack;
        const kept = isSame ? known?.facts.get(link.number) : undefined;
        return [link.number, kept ?? new LinkFacts(nowMs, nowMs)] as const;
      }),
    );
    if (known) {
      Object.assign(known, { links, facts, isHeard });
      if (isBack) known.silentMs = undefined;
      if (!facts.has(known.used)) known.used = bestOf(links)?.number ?? 0;
      return;
    }
    const isBefore = before !== undefined && facts.has(before);
    const lowest = Math.min(...links.map(({ number }) => number));
    this.#pairs.set(peer, {
      ...{ peer, links, facts, isHeard, used: isBefore ? before : lowest, isFresh: !isBefore },
      ...{ silentMs: undefined, askMs: 0, holdMs: HOLD_MS, returnedMs: Number.NEGATIVE_INFINITY },
    });
  }

  /** True when another link is used from now on. */
  #judge(pair: Pair, nowMs: number): boolean {
    const used = factsOf(pair, pair.used);
    if (used.overdueMs > nowMs) {
      pair.silentMs = undefined;
      return this.#preferBetter(pair, nowMs);
    }
    if (nowMs < this.#judgeFromMs) return false;
    if (pair.silentMs === undefined) {
      pair.silentMs = nowMs;
      pair.askMs = nowMs;
    }
    const { silentMs } = pair;
    if (nowMs - silentMs < Math.max(DECIDE_MS, 2 * (used.rttMs ?? 0))) return false;
    const answering = pair.links.filter(
      ({ number }) => (factsOf(pair, number).confirmedMs ?? Number.NEGATIVE_INFINITY) > silentMs,
    );
    const best = bestOf(answering);
    if (!best) return false;
    const isSoon = nowMs - pair.returnedMs < SOON_MS;
    pair.holdMs = isSoon ? Math.min(MAX_HOLD_MS, 2 * pair.holdMs) : HOLD_MS;
    pair.isFresh = false;
    used.upSinceMs = undefined;
    return this.#use(pair, best.number, nowMs);
  }

  #preferBetter(pair: Pair, nowMs: number): boolean {
    const up = pair.links.filter(({ number }) => factsOf(pair, number).upSinceMs !== undefined);
    const best = bestOf(up);
    if (!best || best.number === pair.used) return false;
    const used = pair.links.find(({ number }) => number === pair.used);
    if (used && bestOf([used, best]) === used) return false;
    const sinceMs = factsOf(pair, best.number).upSinceMs ?? nowMs;
    if (!pair.isFresh && nowMs - sinceMs < pair.holdMs) return false;
    if (!pair.isFresh) pair.returnedMs = nowMs;
    return this.#use(pair, best.number, nowMs);
  }

  #use(pair: Pair, number: number, nowMs: number): true {
    pair.used = number;
    pair.silentMs = undefined;
    // The other end hears at once that this link matters now.
    factsOf(pair, number).nextMs = nowMs;
    this.#expectedMs = Math.min(this.#expectedMs, nowMs);
    return true;
  }

  /** While the used link is silent all links are asked, it first: what answers on all of them only stood still. */
  #ask(pair: Pair, nowMs: number): LinkProbe[] {
    const { silentMs } = pair;
    if (silentMs === undefined || nowMs - silentMs > ASK_FOR_MS || pair.askMs > nowMs) return [];
    pair.askMs = nowMs + ASK_AGAIN_MS;
    const rank = ({ number }: CommonLink) => (number === pair.used ? 0 : 1);
    return pair.links
      .toSorted((a, b) => rank(a) - rank(b))
      .map((link) => this.#probe(pair, link, true, nowMs));
  }

  #deadline(pair: Pair): number {
    const { silentMs } = pair;
    if (silentMs === undefined) {
      const dueMs = Math.max(factsOf(pair, pair.used).overdueMs, this.#judgeFromMs);
      return Math.ceil(dueMs / GRAIN_MS) * GRAIN_MS;
    }
    return pair.askMs - silentMs > ASK_FOR_MS ? Number.POSITIVE_INFINITY : pair.askMs;
  }

  #probe(pair: Pair, link: CommonLink, wantsAnswer: boolean, nowMs: number): LinkProbe {
    this.#nonce = (this.#nonce + 1) >>> 0;
    const paceMs = this.#paceMs(pair, link.number);
    const body = factsOf(pair, link.number).probe(this.#nonce, nowMs, {
      ...{ link: link.number, wantsAnswer, inUse: link.number === pair.used, paceMs },
    });
    return { peer: pair.peer, to: link.theirs, body };
  }

  /** A link that is confirmed by the other end's own probes needs none. */
  #needsAnswer(facts: LinkFacts, nowMs: number): boolean {
    return facts.upSinceMs === undefined || facts.overdueMs <= nowMs;
  }

  #paceMs(pair: Pair, number: number): number {
    const fastMs = FAST_MS * this.#stride;
    const isFast = number === pair.used || factsOf(pair, number).theyUse;
    return isFast ? fastMs : Math.max(SLOW_MS, fastMs);
  }
}

function strideOf(pairs: readonly LinkPair[]): number {
  let perSecond = 0;
  for (const { isHeard, links } of pairs) {
    if (isHeard) perSecond += 1_000 / FAST_MS + ((links.length - 1) * 1_000) / SLOW_MS;
  }
  return Math.max(1, Math.ceil(perSecond / MAX_A_SECOND));
}

function factsOf(pair: Pair, number: number): LinkFacts {
  const facts = pair.facts.get(number);
  if (!facts) throw new RangeError(`link ${number} to node ${pair.peer}`);
  return facts;
}

/** All pairs are probed in the same moments, so that the daemon wakes once for all. */
function nextOnGrid(nowMs: number, paceMs: number): number {
  return (Math.round(nowMs / FAST_MS) + Math.round(paceMs / FAST_MS)) * FAST_MS;
}
