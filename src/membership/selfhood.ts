/**
 * What is said of ourselves, and our answer: refutation with a higher incarnation.
 *
 * Invariant: every raise of the incarnation is handed out to be written down before any packet that carries it.
 */
import type { Endpoint } from "../values/endpoint.ts";
import { beyond, MAX_META_BYTES } from "./acceptable.ts";
import { aliveMessage, type Context } from "./context.ts";
import { type MemberFacts, sameEndpoint, sameFacts } from "./member-registry.ts";
import type { Alive, Dead, Message, Suspect } from "./message.ts";
import { Namesake } from "./namesake.ts";

/** Members told of a leave at once; the others hear it by gossip. */
const LEAVE_AT_ONCE = 8;
/** Straight answers to accusers per probe interval; the others hear the refutation by gossip. */
const ANSWERS_PER_INTERVAL = 8;

export class Selfhood {
  readonly #context: Context;
  readonly namesake: Namesake;
  #answersUntilMs = Number.NEGATIVE_INFINITY;
  #answers = 0;

  constructor(context: Context) {
    this.#context = context;
    this.namesake = new Namesake(context, (incarnation) => this.#refute(incarnation));
  }

  /** Passes our own alive on to everybody, again. */
  tellAll(): void {
    const { name, outbox, self, hasLeft } = this.#context;
    if (!hasLeft) outbox.spread(name, aliveMessage(this.#context, self));
  }

  /** Somebody announces us: a rumour of ours, an old life of ours, or another holder of the name. */
  onAlive(alive: Alive): void {
    const { table, self, hasLeft } = this.#context;
    const ours = table.record(self);
    if (hasLeft || alive.incarnation < table.incarnation(self)) return;
    if (!sameEndpoint(alive.endpoint, ours.endpoint)) {
      this.namesake.onElsewhere(alive);
      return;
    }
    const said: MemberFacts = { ...alive, name: alive.node };
    const isOurs = alive.incarnation === table.incarnation(self) && sameFacts(said, ours);
    if (!isOurs) this.#refute(alive.incarnation);
  }

  /** Somebody holds us suspect, dead or gone. `from` gets the answer straight. */
  onAccused(accusation: Suspect | Dead, from: Endpoint | undefined): void {
    const { table, self, hasLeft, awareness, outbox } = this.#context;
    if (hasLeft) return;
    if (this.namesake.hasYielded) {
      // The accusation is against the twin; only its death gives us the name back.
      if (accusation.type === "suspect") return;
      this.namesake.resume();
    }
    if (accusation.incarnation >= table.incarnation(self)) {
      // Whoever has to refute was too slow to be heard.
      awareness.apply(1);
      this.#refute(accusation.incarnation);
    }
    if (from !== undefined && this.#mayAnswer())
      outbox.send(from, [aliveMessage(this.#context, self)]);
  }

  /** Our metadata or address changed; says whether the address did. Throws RangeError for metadata above 512 bytes. */
  announce(meta: Uint8Array, endpoint: Endpoint): boolean {
    const { table, self } = this.#context;
    refuseLongMeta(meta);
    const before = table.record(self);
    const facts = { ...before, meta, endpoint };
    if (sameFacts(facts, before)) return false;
    table.setFacts(self, facts);
    this.#refute(table.incarnation(self));
    return !sameEndpoint(before.endpoint, endpoint);
  }

  /** Says goodbye: straight to a few, to all others by gossip. */
  leave(): void {
    const { table, self, name, outbox, nowMs } = this.#context;
    const incarnation = table.incarnation(self);
    const goodbye: Message = { type: "dead", incarnation, node: name, from: name };
    this.#context.hasLeft = true;
    table.setState(self, "left", nowMs);
    outbox.forget(name);
    for (const slot of table.randomLive(LEAVE_AT_ONCE)) {
      outbox.send(table.record(slot).endpoint, [goodbye]);
    }
    outbox.spread(name, goodbye);
  }

  #mayAnswer(): boolean {
    const { nowMs, timing } = this.#context;
    if (nowMs >= this.#answersUntilMs) {
      this.#answersUntilMs = nowMs + timing.probeIntervalMs;
      this.#answers = 0;
    }
    this.#answers++;
    return this.#answers <= ANSWERS_PER_INTERVAL;
  }

  #refute(incarnation: number): void {
    const { table, self, outbox } = this.#context;
    const value = beyond(table.incarnation(self), incarnation);
    table.setIncarnation(self, value);
    outbox.emit({ type: "incarnation", value });
    this.tellAll();
  }
}

/** Throws RangeError for metadata that no member would accept. */
export function refuseLongMeta(meta: Uint8Array): void {
  if (meta.length <= MAX_META_BYTES) return;
  throw new RangeError(`metadata of ${meta.length} bytes is above ${MAX_META_BYTES} bytes`);
}
