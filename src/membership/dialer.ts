/**
 * Who is to be dialled when: targets that the user named, and peers once met that are not alive.
 *
 * Pure: it opens nothing. `due` names what to dial now, the caller reports each outcome, and members are told whenever they change. Invariants: an address whose
 * member is alive is not dialled; ourselves never twice; one attempt on an address at a time; nothing is given up but ourselves and bad syntax.
 * Members learnt by gossip and alive need no dial.
 */
import { type Endpoint, formatEndpoint, parseTarget, type Target } from "../values/endpoint.ts";
import { bytesToIp, ipToBytes } from "../values/ip-bytes.ts";
import { DialAttempts } from "./dial-attempts.ts";
import { type DialerState, type KnownPeer, PEER_EXPIRY_MS } from "./dialer-state.ts";
import type { MemberState } from "./message.ts";

/** What a dial is for: a target as the user spelt it, or a known peer by its member's name. */
export type DialKey =
  | { readonly kind: "target"; readonly target: string }
  | { readonly kind: "peer"; readonly name: string };

export interface Dial {
  readonly type: "dial";
  readonly key: DialKey;
  /** A name to resolve, or an address literal. */
  readonly host: string;
  readonly port: number;
}

export type DialOutcome =
  /** A push/pull with `member` (its name, if it said so) was done. */
  | { readonly result: "contact"; readonly member?: string }
  /** Whoever answered is this node. */
  | { readonly result: "ourself" }
  /** One lower-case clause for the user, such as "no such host" or "connection refused". */
  | { readonly result: "failed"; readonly error: string };

/** What the dialer needs to know of another member. */
export interface DialerMember {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** Its addresses, the one to try first before the others. */
  readonly links?: readonly string[];
  readonly state: MemberState;
  /** Gone for good and heard all the same: not dialled while it is alive, and no known peer afterwards. */
  readonly departed?: boolean;
}

export interface TargetView {
  /** As given. */
  readonly target: string;
  /** satisfied: its member is alive. failed: never tried again. retrying: at least one attempt failed. */
  readonly state: "connecting" | "retrying" | "failed" | "satisfied";
  readonly error: string | undefined;
  /** Undefined while an attempt runs, when satisfied, and when it is never tried again. */
  readonly retryAtMs: number | undefined;
  readonly attempts: number;
  /** The member that it led to. */
  readonly member: string | undefined;
}

export interface PeerView extends Omit<TargetView, "target"> {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly lastAliveMs: number;
}

export interface DialerOptions {
  /** For targets without a port. */
  readonly defaultPort: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly state?: DialerState;
}

export const CANNOT_CONNECT_TO_OURSELF = "cannot connect to ourself";
/** Attempts under way at one time. */
const MAX_DIALS = 32;
/** A healed contact does not repeat attempts begun less than this ago. */
const HEAL_QUIET_MS = 1_000;

interface TargetEntry {
  readonly parsed: Target | undefined;
  readonly attempts: DialAttempts;
  addresses: readonly string[];
  member: string | undefined;
  wasSatisfied: boolean;
}

interface PeerEntry {
  peer: KnownPeer;
  readonly attempts: DialAttempts;
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #targets = new Map<string, TargetEntry>();
  readonly #peers = new Map<string, PeerEntry>();
  readonly #alive = new Map<string, DialerMember>();
  /** "address port" of everything alive → the member's name. */
  readonly #aliveAt = new Map<string, string>();
  #ourselves = new Set<string>();
  /** Members that the user forgot, or that expired, while they were not alive: not known peers again before they are. */
  readonly #forgotten = new Set<string>();

  constructor(options: DialerOptions, nowMs: number) {
    this.#options = options;
    for (const target of options.state?.targets ?? []) this.#addTarget(target, nowMs);
    for (const peer of options.state?.peers ?? []) {
      this.#peers.set(peer.name, { peer, attempts: new DialAttempts(nowMs) });
    }
  }

  /** Adds targets; those already there are dialled at once again, ourselves included. */
  connect(targets: readonly string[], nowMs: number): void {
    for (const target of targets) {
      const entry = this.#targets.get(target);
      if (entry === undefined) this.#addTarget(target, nowMs);
      else if (entry.parsed !== undefined) entry.attempts.reset(nowMs);
    }
  }

  /** Makes `targets` the whole set. */
  replace(targets: readonly string[], nowMs: number): void {
    for (const target of this.#targets.keys()) {
      if (!targets.includes(target)) this.#targets.delete(target);
    }
    this.connect(targets, nowMs);
  }

  /** Drops targets by the text as given, and the known peers at their addresses that are not alive (suspects neither). */
  forget(targets: readonly string[]): void {
    for (const target of targets) {
      const entry = this.#targets.get(target) ?? this.#parse(target, 0);
      const places = new Set(this.#places(entry));
      for (const [name, { peer }] of this.#peers) {
        const isAtTarget = name === entry.member || places.has(placeOf(peer.endpoint));
        if (!isAtTarget || this.#alive.get(name)?.state === "alive") continue;
        this.#peers.delete(name);
        this.#forgotten.add(name);
      }
      this.#targets.delete(target);
    }
  }

  /** Drops a peer for good: removal, take-over, leave. */
  dropPeer(name: string): void {
    this.#peers.delete(name);
  }

  /** Addresses that are this node's own: a target there fails without a dial. */
  setOurselves(endpoints: readonly Endpoint[]): void {
    this.#ourselves = new Set(endpoints.map(placeOf));
  }

  /** What a target's name stands for now, as literals; empty when it cannot be resolved. */
  resolved(target: string, addresses: readonly string[]): void {
    const entry = this.#targets.get(target);
    if (entry !== undefined) entry.addresses = addresses;
  }

  /**
   * All other members, whenever one changed. One that was not alive and now is means that a link mended: all waiting dials are due.
   * A member that left is no known peer any more. `wallMs` is the wall clock.
   */
  setMembers(members: readonly DialerMember[], nowMs: number, wallMs: number): void {
    let hasHealed = false;
    const before = new Set(this.#alive.keys());
    this.#alive.clear();
    this.#aliveAt.clear();
    for (const member of members) {
      const { name, endpoint, state } = member;
      const isAlive = state === "alive" || state === "suspect";
      if (state === "left" || member.departed) {
        this.#peers.delete(name);
        if (isAlive) this.#noteAlive(member);
        continue;
      }
      const entry = this.#peers.get(name);
      if (state === "alive") this.#forgotten.delete(name);
      if (isAlive) {
        if (entry !== undefined && !before.has(name)) hasHealed = true;
        this.#noteAlive(member);
      }
      if (this.#forgotten.has(name)) continue;
      const lastAliveMs = isAlive ? wallMs : (entry?.peer.lastAliveMs ?? wallMs);
      const { links = [] } = member;
      const peer = { name, endpoint, lastAliveMs, ...(links.length > 1 && { links }) };
      if (entry === undefined) this.#peers.set(name, { peer, attempts: new DialAttempts(nowMs) });
      else entry.peer = peer;
      if (entry !== undefined && before.has(name) && !isAlive) entry.attempts.reset(nowMs);
    }
    this.#refreshTargets(nowMs);
    if (hasHealed) this.heal(nowMs);
  }

  /** One contact across a healed split: everything that waits is dialled now. */
  heal(nowMs: number): void {
    for (const { attempts } of [...this.#targets.values(), ...this.#peers.values()]) {
      attempts.hurry(nowMs, HEAL_QUIET_MS);
    }
  }

  /** Drops peers that were not alive for 72 hours. */
  expire(wallMs: number): void {
    for (const [name, { peer }] of this.#peers) {
      const isOld = wallMs - peer.lastAliveMs > PEER_EXPIRY_MS;
      if (!isOld || this.#alive.has(name)) continue;
      this.#peers.delete(name);
      // Gossip goes on naming it, which must not make it known anew.
      this.#forgotten.add(name);
    }
  }

  /** What to dial now; each counts as under way until its outcome is reported. */
  due(nowMs: number): Dial[] {
    const dials: Dial[] = [];
    let underWay = this.#underWay();
    this.#refreshTargets(nowMs);
    for (const [target, entry] of this.#targets) {
      const { parsed, attempts } = entry;
      if (parsed === undefined || entry.wasSatisfied || !attempts.isDue(nowMs)) continue;
      if (this.#isOurself(entry)) {
        attempts.giveUp(CANNOT_CONNECT_TO_OURSELF);
        continue;
      }
      if (underWay++ >= MAX_DIALS) return dials;
      attempts.begin(nowMs);
      const port = this.#port(parsed);
      dials.push({ type: "dial", key: { kind: "target", target }, host: parsed.host, port });
    }
    const targeted = this.#targetedPlaces();
    for (const [name, { peer, attempts }] of this.#peers) {
      if (this.#alive.has(name) || !attempts.isDue(nowMs)) continue;
      const host = nextPlace(peer, attempts, targeted);
      if (host === undefined) continue;
      const { port } = peer.endpoint;
      if (underWay++ >= MAX_DIALS) return dials;
      attempts.begin(nowMs);
      dials.push({ type: "dial", key: { kind: "peer", name }, host, port });
    }
    return dials;
  }

  /** How a dial ended. Late news of what was dropped meanwhile is ignored. */
  outcome(key: DialKey, outcome: DialOutcome, nowMs: number): void {
    const target = key.kind === "target" ? this.#targets.get(key.target) : undefined;
    const attempts =
      target?.attempts ?? (key.kind === "peer" && this.#peers.get(key.name)?.attempts);
    if (!attempts) return;
    const random = this.#options.random();
    if (outcome.result === "failed") {
      attempts.fail(outcome.error, nowMs, random);
    } else if (outcome.result === "ourself") {
      attempts.giveUp(CANNOT_CONNECT_TO_OURSELF);
    } else if (key.kind === "peer" && outcome.member !== undefined && outcome.member !== key.name) {
      attempts.fail(`another node, ${outcome.member}, answers there`, nowMs, random);
    } else {
      if (target !== undefined) target.member = outcome.member ?? target.member;
      attempts.contact(nowMs, random);
      this.#refreshTargets(nowMs);
    }
  }

  /** When `due` may have something again; Infinity when only news from outside can change that. */
  nextTickMs(): number {
    if (this.#underWay() >= MAX_DIALS) return Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const { wasSatisfied, attempts } of this.#targets.values()) {
      if (!wasSatisfied && !attempts.isDialling) next = Math.min(next, attempts.nextMs);
    }
    const targeted = this.#targetedPlaces();
    for (const [name, { peer, attempts }] of this.#peers) {
      if (this.#alive.has(name) || attempts.isDialling) continue;
      if (nextPlace(peer, attempts, targeted) !== undefined) next = Math.min(next, attempts.nextMs);
    }
    return next;
  }

  /** In the order in which they were given. */
  targets(): TargetView[] {
    return [...this.#targets].map(([target, { attempts, wasSatisfied, member }]) => ({
      target,
      ...viewOf(attempts, wasSatisfied),
      member,
    }));
  }

  peers(): PeerView[] {
    return [...this.#peers].map(([name, { peer, attempts }]) => ({
      ...peer,
      ...viewOf(attempts, this.#alive.has(name)),
      member: name,
    }));
  }

  /** To be written down. */
  state(): DialerState {
    const peers = [...this.#peers.values()].map(({ peer }) => peer);
    return { targets: [...this.#targets.keys()], peers };
  }

  #addTarget(target: string, nowMs: number): void {
    this.#targets.set(target, this.#parse(target, nowMs));
  }

  #parse(target: string, nowMs: number): TargetEntry {
    const parsed = parseTarget(target);
    const attempts = new DialAttempts(nowMs);
    if (parsed === undefined) attempts.giveUp("neither a host name nor an address");
    return { parsed, attempts, addresses: [], member: undefined, wasSatisfied: false };
  }

  #port(target: Target): number {
    return target.port === 0 ? this.#options.defaultPort : target.port;
  }

  /** Where a target may lead: its own text and what that was resolved to. */
  #places({ parsed, addresses }: TargetEntry): string[] {
    if (parsed === undefined) return [];
    const port = this.#port(parsed);
    return [parsed.host, ...addresses].map((ip) => placeOf({ ip, port }));
  }

  #targetedPlaces(): Set<string> {
    const places = new Set<string>();
    for (const entry of this.#targets.values()) {
      if (entry.attempts.nextMs === Number.POSITIVE_INFINITY) continue;
      for (const place of this.#places(entry)) places.add(place);
    }
    return places;
  }

  #isOurself(entry: TargetEntry): boolean {
    return this.#places(entry).some((place) => this.#ourselves.has(place));
  }

  #noteAlive(member: DialerMember): void {
    this.#alive.set(member.name, member);
    const { endpoint, links = [] } = member;
    for (const ip of [endpoint.ip, ...links]) {
      this.#aliveAt.set(placeOf({ ip, port: endpoint.port }), member.name);
    }
  }

  /** A target whose member died is wanted from the start again. */
  #refreshTargets(nowMs: number): void {
    for (const entry of this.#targets.values()) {
      const place = this.#places(entry).find((candidate) => this.#aliveAt.has(candidate));
      if (place !== undefined) entry.member = this.#aliveAt.get(place);
      const isSatisfied = entry.member !== undefined && this.#alive.has(entry.member);
      if (entry.wasSatisfied && !isSatisfied) entry.attempts.reset(nowMs);
      entry.wasSatisfied = isSatisfied;
    }
  }

  #underWay(): number {
    let count = 0;
    for (const { attempts } of this.#targets.values()) count += attempts.isDialling ? 1 : 0;
    for (const { attempts } of this.#peers.values()) count += attempts.isDialling ? 1 : 0;
    return count;
  }
}

/** The address of a known peer that its next dial is for, its links in turn; undefined when targets lead to all of them. */
function nextPlace(
  { endpoint, links = [endpoint.ip] }: KnownPeer,
  { attempts }: DialAttempts,
  targeted: ReadonlySet<string>,
): string | undefined {
  const { port } = endpoint;
  const places = links.filter((ip) => !targeted.has(placeOf({ ip, port })));
  return places[attempts % places.length];
}

/** One text for one place: IPv6 has many spellings. */
function placeOf({ ip, port }: Endpoint): string {
  const bytes = ipToBytes(ip);
  return formatEndpoint({ ip: (bytes && bytesToIp(bytes)) ?? ip.toLowerCase(), port });
}

function viewOf(
  attempts: DialAttempts,
  isSatisfied: boolean,
): Pick<TargetView, "state" | "error" | "retryAtMs" | "attempts"> {
  const { error, nextMs, isDialling } = attempts;
  if (isSatisfied) {
    return { state: "satisfied", error: undefined, retryAtMs: undefined, attempts: 0 };
  }
  const isNever = nextMs === Number.POSITIVE_INFINITY;
  const retryAtMs = isNever || isDialling ? undefined : nextMs;
  const waiting = attempts.hasFailed ? "retrying" : "connecting";
  return { state: isNever ? "failed" : waiting, error, retryAtMs, attempts: attempts.attempts };
}
