/**
 * Which way each peer's tunnel takes: directly by UDP, through a TLS stream to the peer, or through a member that reaches both ends.
 *
 * Pure: proofs of tunnels, live streams, what peers say and time come in; moves, words to peers and direct probes come out. Invariants: a
 * direct path that is proved is never left by ourselves; a relayed one is left for the direct one only after both ends had answers on
 * it for a while, and each return that did not last makes that while three times as long. docs/internals/relay.md tells why.
 */
import type { NodeId } from "../values/node-id.ts";

export type Path =
  | { readonly kind: "direct" }
  | { readonly kind: "tcp" }
  | { readonly kind: "via"; readonly id: NodeId };

export const DIRECT: Path = { kind: "direct" };

/** What one end of a relayed pair tells the other, through the relay. */
export interface Say {
  /** The direct path has answered us for long enough. */
  readonly directOk: boolean;
  /** We go back to the direct path now; otherwise: we are relayed. */
  readonly back: boolean;
}

export interface PeerFacts {
  readonly id: NodeId;
  /** The tunnel answers, whatever way it takes. */
  readonly proved: boolean;
  /** It answers small packets only: a question of MTU, which another way would hide. */
  readonly smallOnly: boolean;
}

export interface RelayFacts {
  /** The peers that gossip hears. */
  readonly peers: readonly PeerFacts[];
  /** Nodes to whose host a stream is open now, outside all tunnels. */
  readonly streams: ReadonlySet<NodeId>;
  /** These, and those to which one is open through their tunnel. */
  readonly anyStreams: ReadonlySet<NodeId>;
  /** Members whose tunnels to us and to `peer` work without a further member between, ascending. */
  readonly between: (peer: NodeId) => readonly NodeId[];
}

export type RelayAction =
  /** `path(peer)` is another now. */
  | { readonly type: "moved"; readonly peer: NodeId }
  /** Tell `peer`, through the stream to `stream`. */
  | {
      readonly type: "say";
      readonly peer: NodeId;
      readonly stream: NodeId;
      readonly say: Say;
    }
  /** Ask the peer's tunnel directly whether it answers. */
  | { readonly type: "probe"; readonly peer: NodeId };

/** How long a tunnel that never worked is waited for: WireGuard repeats its first message after 5 s. */
const PATIENCE_MS = 6_000;
/** How long a way may stay unproved while both ends have a session, and while they have none. Grows while nothing works. */
const WINDOW_MS = 2_000;
const HANDSHAKE_WINDOW_MS = 6_500;
const MAX_WINDOW_MS = 8_000;
/** WireGuard's sessions end after 180 s. */
const SESSION_MS = 150_000;
/** A way that did not work is left alone for so long. */
const BAN_MS = 10_000;
/** A member that says "no way" costs a moment to ask again, and the peer's daemon may only be starting anew. */
const NO_ROUTE_BAN_MS = 2_500;
const SAY_EVERY_MS = 1_000;
const SAID_LATELY_MS = 3_000;
/** Right after a return the other end's last word as a relayed one may still arrive. */
const ON_ITS_WAY_MS = 1_000;
/** A member between says "no way" also while the other end's stream is still being made. */
const GRACE_MS = 1_500;
/** Return: so many answers in a row, over at least the hold, which grows from FIRST to MAX while returns do not last. */
const ANSWERS = 3;
const FIRST_HOLD_MS = 3_000;
const MAX_HOLD_MS = 30_000;
/** A return that lasted so long was a good one: what came after it was another fault. */
const LASTING_MS = 20_000;
/** Pace of direct probes: while answered, and the cap while not. */
const PROBE_MS = 1_000;
const MAX_PROBE_MS = 8_000;
/** A stream to the peer itself is preferred to a member between once it has stood for so long. */
const STEADY_STREAM_MS = 3_000;
/** A peer that gossip lost keeps its way for so long. */
const KEPT_MS = 60_000;
const TICK_MS = 250;

interface Pair {
  readonly id: NodeId;
  path: Path;
  sinceMs: number;
  windowMs: number;
  proved: boolean;
  smallOnly: boolean;
  provedMs: number;
  unheardMs: number | undefined;
  streamMs: number | undefined;
  /** Until when a way is not taken, by the stream that it goes through. */
  readonly bans: Map<NodeId, number>;
  /** When we last left the direct path, when we last returned to it, and how long it must answer before the next time. */
  leftMs: number;
  returnedMs: number;
  holdMs: number;
  answers: number;
  answeringMs: number;
  isAwaiting: boolean;
  probeMs: number;
  nextProbeMs: number;
  nextSayMs: number;
  said: (Say & { readonly atMs: number }) | undefined;
}

export class RelayPaths {
  readonly #self: NodeId;
  readonly #pairs = new Map<NodeId, Pair>();
  #wanted: ReadonlySet<NodeId> = new Set();

  constructor(self: NodeId) {
    this.#self = self;
  }

  path(peer: NodeId): Path {
    return this.#pairs.get(peer)?.path ?? DIRECT;
  }

  /** Peers whose path is not the direct one, ascending. */
  relayed(): NodeId[] {
    return [...this.#pairs.values()]
      .filter(({ path }) => path.kind !== "direct")
      .map(({ id }) => id)
      .sort((a, b) => a - b);
  }

  /** Nodes to which a stream should be open, as of the last step. */
  get wanted(): ReadonlySet<NodeId> {
    return this.#wanted;
  }

  /** Milliseconds until `step` is worth calling without news; Infinity while all is direct and proved. */
  pauseMs(nowMs: number): number {
    let pause = Number.POSITIVE_INFINITY;
    for (const pair of this.#pairs.values()) {
      if (needsRelay(pair, nowMs) || pair.unheardMs !== undefined) return TICK_MS;
      if (!pair.proved) pause = Math.min(pause, pair.sinceMs + PATIENCE_MS - nowMs);
    }
    return Math.max(TICK_MS, pause);
  }

  step(facts: RelayFacts, nowMs: number): RelayAction[] {
    const actions: RelayAction[] = [];
    this.#take(facts, nowMs, actions);
    const wanted = new Set<NodeId>();
    for (const pair of this.#pairs.values()) {
      if (pair.unheardMs !== undefined) continue;
      this.#choose(pair, facts, nowMs, actions);
      if (pair.path.kind !== "direct") this.#tend(pair, nowMs, actions);
      if (needsRelay(pair, nowMs)) for (const id of wants(pair, facts, nowMs)) wanted.add(id);
    }
    this.#wanted = wanted;
    return actions;
  }

  /** The peer said something, which came through the stream to `stream`. */
  heard(peer: NodeId, say: Say, stream: NodeId, nowMs: number): RelayAction[] {
    const pair = this.#pairs.get(peer);
    if (!pair || pair.unheardMs !== undefined) return [];
    const actions: RelayAction[] = [];
    pair.said = { ...say, atMs: nowMs };
    const isDirect = pair.path.kind === "direct";
    if (say.back) {
      if (!isDirect) this.#return(pair, nowMs, actions);
    } else if (isDirect ? nowMs - pair.returnedMs >= ON_ITS_WAY_MS : this.#follows(pair)) {
      const way: Path = stream === peer ? { kind: "tcp" } : { kind: "via", id: stream };
      // From the direct path by any way, since the peer gave that path up; else not to one that has just failed us.
      if (!samePath(way, pair.path) && (isDirect || !isBanned(pair, stream, nowMs))) {
        this.#move(pair, way, nowMs);
        actions.push({ type: "moved", peer });
      }
    }
    return actions;
  }

  /** The peer's tunnel answered a direct probe. */
  answered(peer: NodeId, nowMs: number): void {
    const pair = this.#pairs.get(peer);
    if (!pair?.isAwaiting) return;
    pair.isAwaiting = false;
    if (pair.answers === 0) pair.answeringMs = nowMs;
    pair.answers += 1;
    pair.probeMs = PROBE_MS;
    pair.nextProbeMs = Math.min(pair.nextProbeMs, nowMs + PROBE_MS);
  }

  /** The member between says that it does not reach the peer. The next step looks for another way. */
  noRoute(peer: NodeId, stream: NodeId, nowMs: number): void {
    const pair = this.#pairs.get(peer);
    if (pair?.path.kind !== "via" || pair.path.id !== stream) return;
    if (nowMs - pair.sinceMs >= GRACE_MS) pair.bans.set(stream, nowMs + NO_ROUTE_BAN_MS);
  }

  #take(facts: RelayFacts, nowMs: number, actions: RelayAction[]): void {
    const heard = new Set<NodeId>();
    for (const { id, proved, smallOnly } of facts.peers) {
      heard.add(id);
      const pair = this.#pairs.get(id) ?? freshPair(id, nowMs);
      this.#pairs.set(id, pair);
      if (pair.unheardMs !== undefined) pair.sinceMs = nowMs;
      pair.unheardMs = undefined;
      pair.proved = proved;
      pair.smallOnly = smallOnly;
      if (proved) {
        pair.provedMs = nowMs;
        pair.windowMs = WINDOW_MS;
      }
      pair.streamMs = facts.streams.has(id) ? (pair.streamMs ?? nowMs) : undefined;
    }
    for (const pair of this.#pairs.values()) {
      if (heard.has(pair.id)) continue;
      pair.unheardMs ??= nowMs;
      if (pair.path.kind !== "direct" && nowMs - pair.unheardMs < KEPT_MS) continue;
      this.#pairs.delete(pair.id);
      if (pair.path.kind !== "direct") actions.push({ type: "moved", peer: pair.id });
    }
  }

  /** Leaves a way that does not work for the best one that may. */
  #choose(pair: Pair, facts: RelayFacts, nowMs: number, actions: RelayAction[]): void {
    const { path } = pair;
    const stream = streamOf(pair);
    let next: Path | undefined;
    if (stream === undefined) {
      if (!needsRelay(pair, nowMs)) return;
      next = bestWay(pair, facts, nowMs);
    } else if (!isOpen(pair, facts) || isBanned(pair, stream, nowMs)) {
      next = bestWay(pair, facts, nowMs);
      if (next === undefined && isSpent(pair, nowMs)) next = DIRECT;
    } else if (isSpent(pair, nowMs)) {
      pair.bans.set(stream, nowMs + BAN_MS);
      pair.windowMs = Math.min(MAX_WINDOW_MS, pair.windowMs * 1.5);
      next = bestWay(pair, facts, nowMs) ?? DIRECT;
    } else if (path.kind === "via" && !(this.#follows(pair) && saidLately(pair, nowMs))) {
      next = betterWay(pair, path.id, facts, nowMs);
    }
    if (next === undefined || samePath(next, path)) return;
    this.#move(pair, next, nowMs);
    actions.push({ type: "moved", peer: pair.id });
  }

  /** Both ends should take one way: the lower id chooses, and the other takes that by which its words come. */
  #follows({ id }: Pair): boolean {
    return id < this.#self;
  }

  /** What a relayed pair does beside carrying traffic: it tells the other end, and asks for the direct path. */
  #tend(pair: Pair, nowMs: number, actions: RelayAction[]): void {
    const stream = streamOf(pair);
    if (stream === undefined) return;
    if (nowMs >= pair.nextProbeMs) {
      if (pair.isAwaiting) {
        pair.answers = 0;
        pair.probeMs = Math.min(MAX_PROBE_MS, pair.probeMs * 1.5);
      }
      pair.isAwaiting = true;
      pair.nextProbeMs = nowMs + pair.probeMs;
      actions.push({ type: "probe", peer: pair.id });
    }
    const directOk = pair.answers >= ANSWERS && nowMs - pair.answeringMs >= pair.holdMs;
    const theirsOk = pair.said?.directOk === true && saidLately(pair, nowMs);
    // One end leads, so that both go at one time.
    const back = directOk && theirsOk && !this.#follows(pair);
    if (!back && nowMs < pair.nextSayMs) return;
    pair.nextSayMs = nowMs + SAY_EVERY_MS;
    actions.push({ type: "say", peer: pair.id, stream, say: { directOk, back } });
    if (back) this.#return(pair, nowMs, actions);
  }

  #return(pair: Pair, nowMs: number, actions: RelayAction[]): void {
    this.#move(pair, DIRECT, nowMs);
    pair.returnedMs = nowMs;
    actions.push({ type: "moved", peer: pair.id });
  }

  #move(pair: Pair, path: Path, nowMs: number): void {
    if (pair.path.kind === "direct") {
      const lasted = nowMs - pair.returnedMs;
      pair.holdMs = lasted >= LASTING_MS ? FIRST_HOLD_MS : Math.min(MAX_HOLD_MS, pair.holdMs * 3);
      pair.leftMs = nowMs;
      pair.answers = 0;
      pair.isAwaiting = false;
      pair.probeMs = PROBE_MS;
      pair.nextProbeMs = nowMs + PROBE_MS;
      pair.said = undefined;
    }
    pair.path = path;
    pair.sinceMs = nowMs;
    pair.nextSayMs = nowMs;
  }
}

function freshPair(id: NodeId, nowMs: number): Pair {
  return {
    id,
    path: DIRECT,
    sinceMs: nowMs,
    windowMs: WINDOW_MS,
    proved: false,
    smallOnly: false,
    provedMs: Number.NEGATIVE_INFINITY,
    unheardMs: undefined,
    streamMs: undefined,
    bans: new Map(),
    leftMs: Number.NEGATIVE_INFINITY,
    returnedMs: Number.NEGATIVE_INFINITY,
    holdMs: FIRST_HOLD_MS,
    answers: 0,
    answeringMs: 0,
    isAwaiting: false,
    probeMs: PROBE_MS,
    nextProbeMs: 0,
    nextSayMs: 0,
    said: undefined,
  };
}

/** True while the pair is relayed, or should be as soon as there is a way. */
function needsRelay(pair: Pair, nowMs: number): boolean {
  if (pair.unheardMs !== undefined) return false;
  if (pair.path.kind !== "direct") return true;
  if (pair.proved || pair.smallOnly) return false;
  // What worked and was lost has been waited for already.
  return pair.provedMs > Number.NEGATIVE_INFINITY || nowMs - pair.sinceMs >= PATIENCE_MS;
}

/** The node whose stream the path goes through; undefined for the direct one. */
function streamOf({ id, path }: Pair): NodeId | undefined {
  if (path.kind === "direct") return undefined;
  return path.kind === "tcp" ? id : path.id;
}

/** True while the stream that the path goes through is there. */
function isOpen({ id, path }: Pair, { streams, anyStreams }: RelayFacts): boolean {
  return path.kind === "via" ? anyStreams.has(path.id) : streams.has(id);
}

function bestWay(pair: Pair, facts: RelayFacts, nowMs: number): Path | undefined {
  const isFree = (id: NodeId) => !isBanned(pair, id, nowMs);
  if (facts.streams.has(pair.id) && isFree(pair.id)) return { kind: "tcp" };
  const id = facts.between(pair.id).find((each) => facts.anyStreams.has(each) && isFree(each));
  return id === undefined ? undefined : { kind: "via", id };
}

/** The peer itself always; members between only while the stream to the peer does not serve. */
function wants(pair: Pair, facts: RelayFacts, nowMs: number): NodeId[] {
  if (pair.path.kind === "tcp" && pair.proved) return [pair.id];
  const current = streamOf(pair);
  const others = facts
    .between(pair.id)
    .filter((id) => !isBanned(pair, id, nowMs))
    .slice(0, 2);
  return [pair.id, ...(current === undefined ? [] : [current]), ...others];
}

/** True when the way had its time: its proof was lost, or never came. */
function isSpent(pair: Pair, nowMs: number): boolean {
  if (pair.proved) return false;
  if (pair.provedMs > pair.sinceMs) return true;
  const hasSession = nowMs - pair.provedMs < SESSION_MS;
  const window = hasSession ? pair.windowMs : Math.max(HANDSHAKE_WINDOW_MS, pair.windowMs);
  return nowMs - pair.sinceMs >= window;
}

/** A way to be preferred to the member `current`: the peer itself, once its stream has stood for a while, and at first whatever was only a moment later. */
function betterWay(
  pair: Pair,
  current: NodeId,
  facts: RelayFacts,
  nowMs: number,
): Path | undefined {
  const best = bestWay(pair, facts, nowMs);
  if (best === undefined || (best.kind === "via" && best.id > current)) return undefined;
  if (nowMs - pair.leftMs < STEADY_STREAM_MS) return best;
  const isSteady = pair.streamMs !== undefined && nowMs - pair.streamMs >= STEADY_STREAM_MS;
  return best.kind === "tcp" && isSteady ? best : undefined;
}

function saidLately({ said }: Pair, nowMs: number): boolean {
  return said !== undefined && nowMs - said.atMs < SAID_LATELY_MS;
}

function isBanned(pair: Pair, stream: NodeId, nowMs: number): boolean {
  return (pair.bans.get(stream) ?? Number.NEGATIVE_INFINITY) > nowMs;
}

/** True when both are the same way. */
export function samePath(a: Path, b: Path): boolean {
  return a.kind === b.kind && (a.kind !== "via" || b.kind !== "via" || a.id === b.id);
}
