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
import { deadProbeIntervalMs } from "./timing.ts";

/** Pings that we do for others at one time; more are ignored. */
const MAX_RELAYS = 256;
/** A relay says "no answer" after this share of the timeout, so that the asker hears it before it judges (Lifeguard). */
const NACK_AFTER = 0.8;
/** For so many ping timeouts an answer is still passed on: late is not dead. */
const RELAY_TIMEOUTS = 4;
/** After a probe that went with the host's beat the next one waits so long for the next beat, which is never quite punctual. */
const BEAT_LATE_MS = 25;
/** So many probes more do so when none comes in time: each is that much later, until the beat meets one of them again. */
const WAITING_TURNS = 40;
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
  /** The second ping, sent when others began to ping for us; its number shows which of the two an ack answers. */
  again: { readonly seq: number; readonly sentMs: number } | undefined;
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
  /** A turn went with the host's beat, so that those after it need not come early by more than a little. */
  #hasStepped = false;
  /** Turns by themselves since the last that went with the beat. */
  #turnsAlone = 0;

  constructor(context: Context, rumours: Rumours) {
    this.#context = context;
    this.#rumours = rumours;
    this.#roundTrips = new RoundTrips(context.timing);
    this.#inquests = new Inquests(context, {
      askAbout: (slot, seq) => {
        context.outbox.send(context.table.record(slot).endpoint, this.#pingOf(slot, seq));
        return this.#askRelays(slot, seq);
      },
      pingByStream: (slot, seq, deadlineMs) => this.#pingByStream(slot, seq, deadlineMs),
      suspect: (suspect) => rumours.onSuspect(suspect),
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
    }
    if (table.count > table.liveCount) {
      this.#deadTick ??= deadlines.at(
        nowMs + random() * deadProbeIntervalMs(timing, table.liveCount + 1),
        () => this.#pingTheDead(),
      );
    }
  }

  /**
   * Takes the next turn now, so that the host wakes once for it and for what else it does; not while a probe is unanswered. Once in step no turn
   * comes by more than a quarter of an interval early, so that a slower beat makes no more turns, and a quicker one no more than a third.
   */
  beat(): void {
    const { timing, nowMs, deadlines, hasLeft } = this.#context;
    const tick = this.#probeTick;
    if (hasLeft || tick === undefined || this.#probe !== undefined) return;
    const earlyMs = timing.probeIntervalMs * (this.#hasStepped ? 0.25 : 0.9);
    if (tick.dueMs - nowMs > earlyMs) return;
    deadlines.cancel(tick);
    this.#probeNext(true);
  }

  /** Ends all rounds. */
  stop(): void {
    const { deadlines } = this.#context;
    deadlines.cancel(this.#probeTick);
    deadlines.cancel(this.#deadTick);
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

  onAck(ack: Ack, from: Endpoint, reliable: boolean): void {
    const { table, outbox, awareness } = this.#context;
    const probe = this.#probe;
    if (probe !== undefined && seqsOf(probe).includes(ack.seq)) {
      if (!reliable) this.#measure(probe, ack, from);
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

  /** Late answers of the member itself count as well, those that relays pass on do not. */
  #measure({ slotName, seq, sentMs, again }: Probe, ack: Ack, from: Endpoint): void {
    const { table, nowMs } = this.#context;
    const slot = table.find(slotName);
    if (slot < 0) return;
    if (again !== undefined && !sameEndpoint(from, table.record(slot).endpoint)) return;
    const rttMs = nowMs - (ack.seq === seq || again === undefined ? sentMs : again.sentMs);
    table.setRtt(slot, rttMs);
    this.#roundTrips.measured(rttMs);
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

  #probeNext(isBeat = false): void {
    const { table, timing, nowMs, deadlines } = this.#context;
    this.#probeTick = undefined;
    this.#turnsAlone = isBeat ? 0 : this.#turnsAlone + 1;
    this.#hasStepped = isBeat || (this.#hasStepped && this.#turnsAlone <= WAITING_TURNS);
    if (table.liveCount === 0) return;
    const lateMs = this.#hasStepped ? BEAT_LATE_MS : 0;
    const nextMs = nowMs + timing.probeIntervalMs + lateMs;
    this.#probeTick = deadlines.at(nextMs, () => this.#probeNext());
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
      again: undefined,
      expectedNacks: 0,
      nacks: 0,
    };
    this.#probe = probe;
    outbox.send(endpoint, this.#pingOf(slot, probe.seq));
    const timeoutMs = this.#roundTrips.timeoutMs(table.rttMs(slot));
    probe.timers.push(
      deadlines.at(nowMs + timeoutMs, () => this.#askOthers(probe)),
      deadlines.at(probe.deadlineMs, () => this.#fail(probe)),
    );
  }

  #askOthers(probe: Probe): void {
    const { table, outbox, nowMs, nextSeq } = this.#context;
    const target = table.find(probe.slotName);
    if (target < 0) {
      this.#endProbe();
      return;
    }
    probe.again = { seq: nextSeq(), sentMs: nowMs };
    probe.expectedNacks = this.#askRelays(target, probe.seq).length;
    // Once more: what was lost may have been the first ping, and the inquest counts from here.
    outbox.send(table.record(target).endpoint, this.#pingOf(target, probe.again.seq));
    this.#pingByStream(target, probe.seq, probe.deadlineMs);
  }

  #pingByStream(slot: number, seq: number, deadlineMs: number): void {
    const { table, outbox } = this.#context;
    const { name, endpoint: to, versions } = table.record(slot);
    if (versions[1] < STREAM_PING_VERSION) return;
    outbox.emit({ type: "stream-ping", to, ping: this.#ping(seq, name), deadlineMs });
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
    const isSpared = this.#rumours.isReturned(slotName);
    if (!isSpared && this.#inquests.openDiscreetly(slotName, incarnation, seqsOf(probe))) return;
    this.#rumours.onSuspect({ type: "suspect", incarnation, node: slotName, from: name });
    const slot = table.find(slotName);
    if (slot >= 0 && !isSpared) this.#inquests.open(slot, seqsOf(probe));
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
    const intervalMs = deadProbeIntervalMs(timing, table.liveCount + 1);
    this.#deadTick = deadlines.at(nowMs + intervalMs, () => this.#pingTheDead());
    const [slot] = table.randomGone(1, (candidate) => table.state(candidate) === "dead");
    if (slot === undefined) return;
    const { name, endpoint } = table.record(slot);
    const seq = nextSeq();
    this.#deadPings.set(seq, name);
    outbox.send(endpoint, [accusation(this.#context, slot), this.#ping(seq, name)]);
  }
}

/** The numbers of its pings so far. */
function seqsOf({ seq, again }: Probe): number[] {
  return again === undefined ? [seq] : [seq, again.seq];
}
