/**
 * Failure detection: who is pinged, for us and for others, and what follows from silence.
 *
 * One probe of our own at a time: ping; after the timeout indirect pings and a stream ping; after the interval, stretched by our awareness,
 * suspicion and an inquest. Members held dead are pinged now and then too, so that a mended link is noticed.
 */
import type { Endpoint } from "../values/endpoint.ts";
import { accusation, aliveMessage, type Context, selfEndpoint } from "./context.ts";
import type { Deadline } from "./deadline-queue.ts";
import { Inquests } from "./inquest.ts";
import { sameEndpoint } from "./member-registry.ts";
import type { Ack, IndirectPing, Message, Nack, Ping } from "./message.ts";
import { RoundTrips } from "./round-trips.ts";
import type { Rumours } from "./rumours.ts";
import { pushPullIntervalMs } from "./timing.ts";

/** Pings that we do for others at one time; more are ignored. */
const MAX_RELAYS = 256;
/** A relay says "no answer" after this share of the timeout, so that the asker hears it before it judges (Lifeguard). */
const NACK_AFTER = 0.8;
/** For so many ping timeouts an answer is still passed on: late is not dead. */
const RELAY_TIMEOUTS = 4;
/** After the cluster has stopped growing so many push/pulls more, each after twice the time, find who was missed. */
const SYNCS_AFTER_GROWTH = 3;
/** The protocol version that knows stream pings, and the one that knows nacks. */
const STREAM_PING_VERSION = 3;
const NACK_VERSION = 4;

interface Probe {
  readonly seq: number;
  readonly slotName: string;
  readonly incarnation: number;
  readonly sentMs: number;
  readonly deadlineMs: number;
  readonly timers: Deadline[];
  /** Whether others ping for us by now: an ack no longer measures the round trip. */
  indirect: boolean;
  expectedNacks: number;
  nacks: number;
}

export class Prober {
  readonly #context: Context;
  readonly #rumours: Rumours;
  readonly #inquests: Inquests;
  readonly #roundTrips: RoundTrips;
  readonly #relays = new Map<number, { readonly to: Endpoint; readonly seq: number }>();
  readonly #deadPings = new Map<number, string>();
  #probe: Probe | undefined;
  #probeTick: Deadline | undefined;
  #deadTick: Deadline | undefined;
  #syncTick: Deadline | undefined;
  #soonSync: Deadline | undefined;
  /** Push/pulls still to be done because of growth. */
  #syncsToGo = 0;
  /** Live members when we last began a push/pull, or at the start. */
  #liveAtSync: number;

  constructor(context: Context, rumours: Rumours) {
    this.#context = context;
    this.#rumours = rumours;
    this.#liveAtSync = context.table.liveCount;
    this.#roundTrips = new RoundTrips(context.timing);
    this.#inquests = new Inquests(context, {
      askAbout: (slot, seq) => {
        context.outbox.send(context.table.record(slot).endpoint, this.#pingOf(slot, seq));
        return this.#askRelays(slot, seq);
      },
      convict: (slot) => rumours.convict(slot),
    });
  }

  /** Pings under way for others, and inquests. */
  get held(): number {
    return this.#relays.size + this.#inquests.size;
  }

  /** After each input: starts the rounds for which there is somebody, after a random part of the interval. */
  settle(): void {
    const { table, timing, random, nowMs, deadlines, hasLeft } = this.#context;
    if (hasLeft) return;
    if (table.liveCount > 0) {
      this.#probeTick ??= deadlines.at(nowMs + random() * timing.probeIntervalMs, () =>
        this.#probeNext(),
      );
      this.#syncTick ??= deadlines.at(
        nowMs + random() * pushPullIntervalMs(timing, table.liveCount + 1),
        () => this.#syncNext(),
      );
      this.#syncAfterGrowth();
    }
    if (table.count > table.liveCount) {
      this.#deadTick ??= deadlines.at(nowMs + random() * timing.deadProbeIntervalMs, () =>
        this.#pingTheDead(),
      );
    }
  }

  /** Ends all rounds. */
  stop(): void {
    const { deadlines } = this.#context;
    for (const tick of [this.#probeTick, this.#deadTick, this.#syncTick, this.#soonSync]) {
      deadlines.cancel(tick);
    }
    this.#endProbe();
    this.#inquests.stop();
  }

  onPing(ping: Ping, from: Endpoint): void {
    const { name, table, outbox } = this.#context;
    if (ping.node !== "" && ping.node !== name) return;
    const ack: Ack = { type: "ack", seq: ping.seq, payload: new Uint8Array() };
    const slot = ping.sourceNode === undefined ? -1 : table.find(ping.sourceNode);
    if (slot >= 0) this.#inquests.heard(slot);
    const news = slot >= 0 ? this.#newsFor(slot, ping.source) : [];
    outbox.send(ping.source ?? from, [...news, ack]);
  }

  onIndirectPing(request: IndirectPing, from: Endpoint): void {
    const { nextSeq, outbox, deadlines, timing, nowMs } = this.#context;
    if (this.#relays.size >= MAX_RELAYS) return;
    const seq = nextSeq();
    const to = request.source ?? from;
    this.#relays.set(seq, { to, seq: request.seq });
    outbox.send(request.target, [this.#ping(seq, request.node)]);
    deadlines.at(nowMs + timing.probeTimeoutMs * NACK_AFTER, () => {
      if (!this.#relays.has(seq) || !request.nack) return;
      outbox.send(to, [{ type: "nack", seq: request.seq }]);
    });
    deadlines.at(nowMs + timing.probeTimeoutMs * RELAY_TIMEOUTS, () => this.#relays.delete(seq));
  }

  onAck(ack: Ack, reliable: boolean): void {
    const { table, outbox, awareness, nowMs } = this.#context;
    const probe = this.#probe;
    if (probe !== undefined && probe.seq === ack.seq) {
      const slot = table.find(probe.slotName);
      if (slot >= 0 && !probe.indirect && !reliable) {
        table.setRtt(slot, nowMs - probe.sentMs);
        this.#roundTrips.measured(nowMs - probe.sentMs);
      }
      awareness.apply(-1);
      this.#endProbe();
      return;
    }
    if (this.#inquests.onAck(ack.seq)) return;
    const relay = this.#relays.get(ack.seq);
    if (relay !== undefined) {
      this.#relays.delete(ack.seq);
      outbox.send(relay.to, [{ type: "ack", seq: relay.seq, payload: ack.payload }]);
      return;
    }
    const dead = this.#deadPings.get(ack.seq);
    if (dead === undefined) return;
    this.#deadPings.delete(ack.seq);
    const slot = table.find(dead);
    if (slot >= 0) outbox.emit({ type: "sync", to: table.record(slot).endpoint, node: dead });
  }

  onNack(nack: Nack, from: Endpoint): void {
    const probe = this.#probe;
    if (probe?.seq === nack.seq) probe.nacks = Math.min(probe.nacks + 1, probe.expectedNacks);
    else this.#inquests.onNack(nack.seq, from);
  }

  /** What a member that pings us from `source` should hear of itself. */
  #newsFor(slot: number, source: Endpoint | undefined): Message[] {
    const { table, self } = this.#context;
    if (slot === self) return [];
    // Who is alive enough to ping us does not know that we hold it for dead.
    if (table.state(slot) !== "alive") return [accusation(this.#context, slot)];
    // Gossip about it goes to where we think it is, perhaps to a twin: only so does it hear of that.
    if (source === undefined || sameEndpoint(source, table.record(slot).endpoint)) return [];
    return [aliveMessage(this.#context, slot)];
  }

  #ping(seq: number, node: string): Ping {
    const { name: sourceNode } = this.#context;
    return { type: "ping", seq, node, source: selfEndpoint(this.#context), sourceNode };
  }

  /** A suspect hears of it with the ping, so that its refutation comes with the ack. */
  #pingOf(slot: number, seq: number): Message[] {
    const ping = this.#ping(seq, this.#context.table.record(slot).name);
    const isSuspect = this.#context.table.state(slot) === "suspect";
    return isSuspect ? [accusation(this.#context, slot), ping] : [ping];
  }

  #probeNext(): void {
    const { table, timing, nowMs, deadlines } = this.#context;
    this.#probeTick = undefined;
    if (table.liveCount === 0) return;
    this.#probeTick = deadlines.at(nowMs + timing.probeIntervalMs, () => this.#probeNext());
    // A probe stretched by awareness runs over the interval: the turn is skipped.
    if (this.#probe !== undefined) return;
    const slot = table.nextToProbe();
    if (slot >= 0) this.#begin(slot);
  }

  #begin(slot: number): void {
    const { table, timing, nowMs, deadlines, awareness, outbox, nextSeq } = this.#context;
    const { name, endpoint } = table.record(slot);
    const probe: Probe = {
      seq: nextSeq(),
      slotName: name,
      incarnation: table.incarnation(slot),
      sentMs: nowMs,
      // Just before the next turn, which is then not skipped.
      deadlineMs: nowMs + awareness.scale(timing.probeIntervalMs) - 1,
      timers: [],
      indirect: false,
      expectedNacks: 0,
      nacks: 0,
    };
    this.#probe = probe;
    outbox.send(endpoint, this.#pingOf(slot, probe.seq));
    probe.timers.push(
      deadlines.at(nowMs + this.#roundTrips.timeoutMs, () => this.#askOthers(probe)),
      deadlines.at(probe.deadlineMs, () => this.#fail(probe)),
    );
  }

  #askOthers(probe: Probe): void {
    const { table, outbox } = this.#context;
    const target = table.find(probe.slotName);
    if (target < 0) {
      this.#endProbe();
      return;
    }
    probe.indirect = true;
    probe.expectedNacks = this.#askRelays(target, probe.seq).length;
    const { endpoint, versions } = table.record(target);
    // Once more: what was lost may have been the first ping, and the inquest counts from here.
    outbox.send(endpoint, this.#pingOf(target, probe.seq));
    if (versions[1] < STREAM_PING_VERSION) return;
    outbox.emit({
      type: "stream-ping",
      to: endpoint,
      ping: this.#ping(probe.seq, probe.slotName),
      deadlineMs: probe.deadlineMs,
    });
  }

  /** Has a few others ping `target` for us; returns who of them say so when it does not answer. */
  #askRelays(target: number, seq: number): Endpoint[] {
    const { table, timing, outbox, name: sourceNode } = this.#context;
    const { name: node, endpoint } = table.record(target);
    const source = selfEndpoint(this.#context);
    const relays = table.randomLive(
      timing.indirectChecks,
      (slot) => slot !== target && table.state(slot) === "alive",
    );
    const expected: Endpoint[] = [];
    for (const slot of relays) {
      const relay = table.record(slot);
      const nack = relay.versions[1] >= NACK_VERSION;
      if (nack) expected.push(relay.endpoint);
      outbox.send(relay.endpoint, [
        { type: "indirectPing", seq, target: endpoint, node, nack, source, sourceNode },
      ]);
    }
    return expected;
  }

  #fail(probe: Probe): void {
    const { awareness, name, table } = this.#context;
    this.#endProbe();
    // Relays that did not even say "no answer" make it likely that the fault is ours.
    awareness.apply(probe.expectedNacks > 0 ? probe.expectedNacks - probe.nacks : 1);
    const { incarnation, slotName } = probe;
    this.#rumours.onSuspect({ type: "suspect", incarnation, node: slotName, from: name });
    const slot = table.find(slotName);
    if (slot >= 0) this.#inquests.open(slot, probe.seq);
  }

  #endProbe(): void {
    for (const timer of this.#probe?.timers ?? []) this.#context.deadlines.cancel(timer);
    this.#probe = undefined;
  }

  #pingTheDead(): void {
    const { table, timing, nowMs, deadlines, outbox, nextSeq } = this.#context;
    this.#deadTick = undefined;
    this.#deadPings.clear();
    if (table.count === table.liveCount) return;
    this.#deadTick = deadlines.at(nowMs + timing.deadProbeIntervalMs, () => this.#pingTheDead());
    const [slot] = table.randomGone(1, (candidate) => table.state(candidate) === "dead");
    if (slot === undefined) return;
    const { name, endpoint } = table.record(slot);
    const seq = nextSeq();
    this.#deadPings.set(seq, name);
    outbox.send(endpoint, [accusation(this.#context, slot), this.#ping(seq, name)]);
  }

  #syncNext(): void {
    const { table, timing, nowMs, deadlines } = this.#context;
    this.#syncTick = undefined;
    if (table.liveCount === 0) return;
    const intervalMs = pushPullIntervalMs(timing, table.liveCount + 1);
    this.#syncTick = deadlines.at(nowMs + intervalMs, () => this.#syncNext());
    this.#syncNow();
  }

  /**
   * Gossip misses a few pairs when many join at once (a rumour sent k times misses a member with probability e^-k), and the news of many takes
   * its time. Whoever saw the cluster grow by an eighth since its last push/pull does one more, soon, and goes on, ever more slowly, until
   * nobody new came before any of the last few: each squares the share of members that one does not know.
   */
  #syncAfterGrowth(): void {
    const { table } = this.#context;
    this.#liveAtSync = Math.min(this.#liveAtSync, table.liveCount);
    if (table.liveCount <= this.#liveAtSync * 1.125) return;
    this.#syncsToGo = SYNCS_AFTER_GROWTH;
    this.syncSoon();
  }

  /**
   * One push/pull more, soon. Also for whoever was known at another address until now: what was sent there, answers to questions of its own among it,
   * is lost, and the next round is half a minute away.
   */
  syncSoon(): void {
    this.#planSync(1);
  }

  /** At most one is planned, at the earliest time that was asked for. */
  #planSync(factor: number): void {
    const { timing, nowMs, deadlines, random, hasLeft, table } = this.#context;
    const latestMs = nowMs + 1.5 * factor * timing.growthSyncMs;
    if (hasLeft || (this.#soonSync !== undefined && this.#soonSync.dueMs <= latestMs)) return;
    deadlines.cancel(this.#soonSync);
    const dueMs = nowMs + (0.5 + random()) * factor * timing.growthSyncMs;
    this.#soonSync = deadlines.at(dueMs, () => {
      this.#soonSync = undefined;
      const hasGrown = table.liveCount > this.#liveAtSync;
      if (hasGrown && this.#syncsToGo > 0) this.#syncsToGo = SYNCS_AFTER_GROWTH;
      else this.#syncsToGo = Math.max(0, this.#syncsToGo - 1);
      this.#syncNow();
      if (this.#syncsToGo > 0) this.#planSync(2 ** (SYNCS_AFTER_GROWTH - this.#syncsToGo));
    });
  }

  #syncNow(): void {
    const { table, outbox } = this.#context;
    this.#liveAtSync = table.liveCount;
    const [slot] = table.randomLive(1, (candidate) => table.state(candidate) === "alive");
    if (slot === undefined) return;
    const { name: node, endpoint: to } = table.record(slot);
    outbox.emit({ type: "sync", to, node });
  }
}
