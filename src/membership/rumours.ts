/**
 * What is said of members, and what we come to believe: alive, suspect, dead, left.
 *
 * Invariants: a member's incarnation never falls; of two sayings with one incarnation the worse one wins (alive < suspect < dead < left); only the member
 * itself raises its incarnation; what changed our belief is passed on, what did not is not. Nobody is forgotten for being dead.
 */
import type { Endpoint } from "../values/endpoint.ts";
import { isAcceptable } from "./acceptable.ts";
import { Accusers } from "./accusers.ts";
import { accusation, aliveMessage, type Context, emitEvent } from "./context.ts";
import type { Deadline } from "./deadline-queue.ts";
import { type MemberFacts, sameEndpoint, sameFacts } from "./member-registry.ts";
import type { Alive, Dead, MemberState, RemoteMember, Suspect } from "./message.ts";
import { Returned } from "./returned.ts";
import type { Selfhood } from "./selfhood.ts";
import { Suspicion } from "./suspicion.ts";
import { suspicionBounds } from "./timing.ts";

/** Removed members whose last incarnation is remembered, so that old rumours do not bring them back. */
const MAX_TOMBSTONES = 1024;
/** Members asked whether they know how a suspicion ended. */
const DOUBT_ASKS = 2;
/** With more suspects at one time nobody is asked: then it is a split, or somebody makes them up. */
const MAX_DOUBTS = 8;

interface OpenSuspicion {
  readonly suspicion: Suspicion;
  deadline: Deadline | undefined;
  /** When others are asked whether they know more. */
  doubt: Deadline | undefined;
}

export class Rumours {
  readonly #context: Context;
  readonly #selfhood: Selfhood;
  readonly #accusers: Accusers;
  readonly #suspicions = new Map<number, OpenSuspicion>();
  /** Whether a push/pull of this life has come to an end, whoever began it. */
  #hasExchanged = false;
  readonly #tombstones = new Map<string, number>();
  readonly #returned: Returned;

  constructor(context: Context, selfhood: Selfhood) {
    this.#context = context;
    this.#selfhood = selfhood;
    this.#accusers = new Accusers(context);
    this.#returned = new Returned(context.timing.returnedMs);
  }

  /** Members under suspicion now. */
  get suspects(): number {
    return this.#suspicions.size;
  }

  /** Whether the member came back from the dead lately. */
  isReturned(name: string): boolean {
    return this.#returned.has(name, this.#context.nowMs);
  }

  onAlive(alive: Alive): void {
    const { table, outbox, self, nowMs } = this.#context;
    const facts = factsOf(alive);
    if (!isAcceptable(facts, alive.incarnation, table.record(self).versions)) return;
    const slot = table.find(alive.node);
    if (slot === self) {
      this.#selfhood.onAlive(alive);
      return;
    }
    if (slot < 0) {
      this.#meet(alive, facts);
      return;
    }
    if (alive.incarnation <= table.incarnation(slot)) {
      this.#onStaleAlive(alive, slot);
      return;
    }
    const previous = table.state(slot);
    const changed = !sameFacts(table.record(slot), facts);
    if (changed) table.setFacts(slot, facts);
    table.setIncarnation(slot, alive.incarnation);
    this.#setState(slot, "alive");
    outbox.spread(alive.node, alive);
    if (previous === "dead") this.#returned.note(alive.node, nowMs);
    if (previous === "left") emitEvent(this.#context, "joined", slot, { previous });
    else if (previous !== "alive") emitEvent(this.#context, "alive-again", slot, { previous });
    else if (changed) emitEvent(this.#context, "updated", slot, { previous });
  }

  /** `from` is who sent it to us, when it came by packet. */
  onSuspect(suspect: Suspect, from?: Endpoint): void {
    const { table, outbox, self, hasLeft } = this.#context;
    const slot = table.find(suspect.node);
    if (slot < 0 || hasLeft) return;
    if (slot === self) {
      this.#selfhood.onAccused(suspect, from);
      return;
    }
    const isStale = suspect.incarnation < table.incarnation(slot);
    const previous = table.state(slot);
    if (isStale || (previous !== "alive" && previous !== "suspect")) {
      if (from !== undefined) this.#correct(slot, from);
      return;
    }
    const open = this.#suspicions.get(slot);
    if (open !== undefined && suspect.incarnation === table.incarnation(slot)) {
      if (!open.suspicion.confirm(suspect.from)) return;
      outbox.spread(suspect.node, suspect);
      this.#arm(slot, open);
      return;
    }
    // With a higher incarnation it refuted what we hold against it, and we missed that: this is a new suspicion.
    this.#endSuspicion(slot);
    table.setIncarnation(slot, suspect.incarnation);
    this.#setState(slot, "suspect");
    outbox.spread(suspect.node, suspect);
    const bounds = suspicionBounds(this.#context.timing, table.liveCount + 1);
    const suspicion = new Suspicion(suspect.from, bounds, this.#context.nowMs);
    this.#arm(slot, { suspicion, deadline: undefined, doubt: undefined });
    this.#doubt(slot);
    if (previous === "alive") emitEvent(this.#context, "suspect", slot, { previous });
  }

  onDead(dead: Dead, from?: Endpoint): void {
    const { table, outbox, self, nowMs } = this.#context;
    const slot = table.find(dead.node);
    if (slot < 0) return;
    if (slot === self) {
      this.#selfhood.onAccused(dead, from);
      return;
    }
    if (dead.incarnation < table.incarnation(slot)) return;
    const previous = table.state(slot);
    const next: MemberState = dead.from === dead.node ? "left" : "dead";
    table.setIncarnation(slot, dead.incarnation);
    // A leave that was overtaken by a suspicion still counts; a death after a leave does not.
    if (previous === "left" || previous === next) return;
    this.#setState(slot, next);
    outbox.spread(dead.node, dead);
    if (next === "left") this.#forgetLater(dead.node);
    else outbox.noteDeath(nowMs);
    emitEvent(this.#context, next, slot, { previous });
  }

  /**
   * The other half of a push/pull. Its dead are only suspected by us when we hold them alive. What we learn is passed on, except by one who
   * joins: before the answer to its first push/pull it knows nobody whom that side does not tell itself.
   */
  merge(members: readonly RemoteMember[], isAnswer: boolean): void {
    const { table, name, outbox } = this.#context;
    const before = table.liveCount;
    const joins = isAnswer && !this.#hasExchanged;
    this.#hasExchanged = true;
    for (const member of members) {
      const { name: node, incarnation } = member;
      if (this.#isOldNews(member)) continue;
      const isKnown = table.find(node) >= 0;
      if (member.state === "alive") {
        const { endpoint, meta, versions } = member;
        this.onAlive({ type: "alive", incarnation, node, endpoint, meta, versions });
        if (joins && !isKnown && table.find(node) >= 0) outbox.forget(node);
      } else if (member.state === "left") {
        this.onDead({ type: "dead", incarnation, node, from: node });
      } else if (!isKnown) {
        this.#learn(member);
      } else if (!this.#suspicions.has(table.find(node))) {
        this.onSuspect({ type: "suspect", incarnation, node, from: name });
      }
    }
    // Whoever is new to us may not know us either.
    if (table.liveCount > before) this.#selfhood.tellAll();
  }

  /** Forgets a member; what is still said of it with this incarnation or a lower one is not believed. */
  remove(name: string): void {
    const { table, outbox, self } = this.#context;
    const slot = table.find(name);
    if (slot < 0 || slot === self) return;
    this.#bury(name, table.incarnation(slot));
    this.#endSuspicion(slot);
    outbox.forget(name);
    table.remove(slot);
  }

  /** The suspicion ran out, or an inquest is sure: the member is dead, and is told so itself. */
  convict(slot: number): void {
    const { table, outbox, name } = this.#context;
    const { name: node, endpoint } = table.record(slot);
    this.onDead({ type: "dead", incarnation: table.incarnation(slot), node, from: name });
    outbox.send(endpoint, [accusation(this.#context, slot)]);
  }

  /** We stood still for `ms`: suspects get that time on top. */
  shift(ms: number): void {
    for (const { suspicion } of this.#suspicions.values()) suspicion.shift(ms);
  }

  /** We leave: what becomes of suspects is for others to say. */
  stop(): void {
    for (const slot of [...this.#suspicions.keys()]) this.#endSuspicion(slot);
  }

  #meet(alive: Alive, facts: MemberFacts): void {
    const { table, nowMs, outbox } = this.#context;
    const buried = this.#tombstones.get(alive.node);
    if (buried !== undefined && alive.incarnation <= buried) {
      const { node } = alive;
      const told: Dead = { type: "dead", incarnation: buried, node, from: this.#context.name };
      this.#accusers.accuse(told, alive.endpoint);
      return;
    }
    this.#tombstones.delete(alive.node);
    const slot = table.add(facts, alive.incarnation, "alive", nowMs);
    outbox.spread(alive.node, alive);
    emitEvent(this.#context, "joined", slot);
  }

  /** Nearly all of a push/pull: a member that we hold alive at the same place with the same incarnation or a higher one. */
  #isOldNews({ name, state, incarnation, endpoint }: RemoteMember): boolean {
    if (state !== "alive") return false;
    const { table, self } = this.#context;
    const slot = table.find(name);
    if (slot < 0 || slot === self || table.state(slot) !== "alive") return false;
    if (incarnation > table.incarnation(slot)) return false;
    return (
      incarnation < table.incarnation(slot) || sameEndpoint(endpoint, table.record(slot).endpoint)
    );
  }

  /** A member that others hold suspect or dead and that we never met: it is known to us as they know it. */
  #learn(member: RemoteMember): void {
    const { table, nowMs, self, name } = this.#context;
    const { incarnation, state } = member;
    const facts = { ...member };
    if (!isAcceptable(facts, incarnation, table.record(self).versions)) return;
    if (incarnation <= (this.#tombstones.get(member.name) ?? -1)) return;
    if (state === "suspect") {
      const { name: node, endpoint, meta, versions } = member;
      this.#meet({ type: "alive", incarnation, node, endpoint, meta, versions }, facts);
      this.onSuspect({ type: "suspect", incarnation, node, from: name });
      return;
    }
    const slot = table.add(facts, incarnation, "dead", nowMs);
    emitEvent(this.#context, "dead", slot);
  }

  #onStaleAlive(alive: Alive, slot: number): void {
    const { table } = this.#context;
    const state = table.state(slot);
    const isOlder = alive.incarnation < table.incarnation(slot);
    if (state === "alive") {
      // An older incarnation elsewhere is an old address; the same one elsewhere is a second holder of the name.
      const elsewhere = !isOlder && !sameEndpoint(alive.endpoint, table.record(slot).endpoint);
      if (elsewhere && this.#accusers.mayAnswer(alive.node)) {
        emitEvent(this.#context, "conflict", slot, { other: alive.endpoint });
      }
      return;
    }
    // The rumour that made a suspect known may still travel with the incarnation that is suspected.
    if (state === "suspect" && !isOlder) return;
    this.#accusers.accuse(this.#heard(slot), alive.endpoint);
  }

  #arm(slot: number, open: OpenSuspicion): void {
    const { deadlines } = this.#context;
    deadlines.cancel(open.deadline);
    open.deadline = deadlines.at(open.suspicion.deadlineMs, () => this.convict(slot));
    this.#suspicions.set(slot, open);
  }

  /** By now an inquest or a refutation has ended it elsewhere: who knows of that answers our accusation. */
  #doubt(slot: number): void {
    const { deadlines, timing, nowMs, table, outbox } = this.#context;
    const open = this.#suspicions.get(slot);
    if (open === undefined || timing.doubtMs === 0) return;
    open.doubt = deadlines.at(nowMs + timing.doubtMs, () => {
      this.#doubt(slot);
      if (this.#suspicions.size > MAX_DOUBTS) return;
      const isOther = (other: number) => other !== slot && table.state(other) === "alive";
      for (const other of table.randomLive(DOUBT_ASKS, isOther)) {
        outbox.send(table.record(other).endpoint, [this.#heard(slot)]);
      }
    });
  }

  /** What we hold against a member as we heard it: whoever only passes a suspicion on is no confirmer of it. */
  #heard(slot: number): Suspect | Dead {
    const held = accusation(this.#context, slot);
    const open = this.#suspicions.get(slot);
    return open === undefined ? held : { ...held, from: open.suspicion.accuser };
  }

  /** Tells whoever accuses a member wrongly, or too late, what we know of it. */
  #correct(slot: number, to: Endpoint): void {
    const { table } = this.#context;
    const isAlive = table.state(slot) === "alive";
    const news = isAlive ? aliveMessage(this.#context, slot) : this.#heard(slot);
    this.#accusers.correct(table.record(slot).name, news, to);
  }

  #setState(slot: number, state: MemberState): void {
    if (state !== "suspect") this.#endSuspicion(slot);
    this.#context.table.setState(slot, state, this.#context.nowMs);
  }

  #endSuspicion(slot: number): void {
    const open = this.#suspicions.get(slot);
    if (open === undefined) return;
    this.#context.deadlines.cancel(open.deadline);
    this.#context.deadlines.cancel(open.doubt);
    this.#suspicions.delete(slot);
  }

  #forgetLater(name: string): void {
    const { deadlines, nowMs, timing, table } = this.#context;
    const incarnation = table.incarnation(table.find(name));
    deadlines.at(nowMs + timing.leftRetentionMs, () => {
      const slot = table.find(name);
      if (slot < 0 || table.state(slot) !== "left") return;
      if (table.incarnation(slot) === incarnation) table.remove(slot);
    });
  }

  #bury(name: string, incarnation: number): void {
    this.#tombstones.delete(name);
    this.#tombstones.set(name, incarnation);
    if (this.#tombstones.size <= MAX_TOMBSTONES) return;
    for (const oldest of this.#tombstones.keys()) {
      this.#tombstones.delete(oldest);
      break;
    }
  }
}

function factsOf({ node, endpoint, meta, versions }: Alive): MemberFacts {
  return { name: node, endpoint, meta, versions };
}
