/**
 * Two holders of our own name: is the other endpoint an old rumour about ourselves, or a living twin (a cloned disk)?
 *
 * We ping it. Silence, or our own ping coming back to us, means a rumour: we refute it. An ack means a twin: the conflict is reported, and so that the name
 * does not flap between the two, only the one with the lower endpoint text goes on refuting; the other keeps quiet. Both ask again now and
 * then, so that each knows when the other is gone.
 * Invariant: at most one question is open at a time.
 */
import { type Endpoint, formatEndpoint } from "../values/endpoint.ts";
import { type Context, emitEvent, selfEndpoint } from "./context.ts";
import type { Deadline } from "./deadline-queue.ts";
import { sameEndpoint } from "./member-registry.ts";
import type { Alive, Ping } from "./message.ts";

/** Between two looks at a living twin, and how many unanswered ones make it gone. */
const LOOK_MS = 10_000;
const MISSES = 3;

export class Namesake {
  readonly #context: Context;
  /** Raises our incarnation above the given one and tells everybody. */
  readonly #refute: (incarnation: number) => void;
  #question:
    | { readonly seq: number; readonly other: Endpoint; incarnation: number; timer: Deadline }
    | undefined;
  #hasYielded = false;
  /** The living twin: where, and how often it did not answer since it last did. */
  #rival: { readonly at: Endpoint; misses: number; timer: Deadline | undefined } | undefined;

  constructor(context: Context, refute: (incarnation: number) => void) {
    this.#context = context;
    this.#refute = refute;
  }

  /** Whether a living twin has our name and we leave it to it. */
  get hasYielded(): boolean {
    return this.#hasYielded;
  }

  /** Where a living twin has our name; undefined while there is none. */
  get rival(): Endpoint | undefined {
    return this.#rival?.at;
  }

  /** Somebody says that we are at another endpoint. */
  onElsewhere(alive: Alive): void {
    if (this.#question !== undefined) {
      this.#question.incarnation = Math.max(this.#question.incarnation, alive.incarnation);
    } else {
      this.#ask(alive.endpoint, alive.incarnation);
    }
  }

  #ask(other: Endpoint, incarnation: number): void {
    const { deadlines, nowMs, timing, nextSeq, name, outbox } = this.#context;
    const seq = nextSeq();
    const timer = deadlines.at(nowMs + timing.probeTimeoutMs, () => this.#unanswered());
    this.#question = { seq, other, incarnation, timer };
    const source = selfEndpoint(this.#context);
    outbox.send(other, [{ type: "ping", seq, node: name, source, sourceNode: name }]);
  }

  /** True when `ping` is our own question come back: the other endpoint is ourselves. */
  ownsPing(ping: Ping): boolean {
    if (ping.sourceNode !== this.#context.name || ping.seq !== this.#question?.seq) return false;
    this.#wasRumour();
    return true;
  }

  /** True when the ack answers our question. */
  onAck(seq: number): boolean {
    const question = this.#question;
    if (question?.seq !== seq) return false;
    this.#close();
    const { other } = question;
    const isKnown = this.#rival !== undefined && sameEndpoint(this.#rival.at, other);
    this.#watch(other);
    if (!isKnown) emitEvent(this.#context, "conflict", this.#context.self, { other });
    const ours = formatEndpoint(selfEndpoint(this.#context));
    this.#hasYielded = ours > formatEndpoint(other);
    if (!this.#hasYielded && question.incarnation > 0) this.#refute(question.incarnation);
    return true;
  }

  /** Looks again later whether the twin is still there. */
  #watch(at: Endpoint): void {
    const { deadlines, nowMs } = this.#context;
    deadlines.cancel(this.#rival?.timer);
    const timer = deadlines.at(nowMs + LOOK_MS, () => this.#look());
    this.#rival = { at, misses: 0, timer };
  }

  #look(): void {
    // 0: nobody said anything that would have to be refuted.
    if (this.#rival && this.#question === undefined) this.#ask(this.#rival.at, 0);
  }

  #unanswered(): void {
    const question = this.#question;
    const rival = this.#rival;
    if (question === undefined) return;
    if (rival !== undefined && sameEndpoint(rival.at, question.other)) {
      rival.misses++;
      if (rival.misses < MISSES) {
        this.#close();
        this.#ask(rival.at, question.incarnation);
        return;
      }
      this.resume();
    }
    this.#wasRumour();
  }

  /** Everybody holds our name for dead: the twin is gone, the name is ours again. */
  resume(): void {
    this.#hasYielded = false;
    this.#context.deadlines.cancel(this.#rival?.timer);
    this.#rival = undefined;
  }

  #wasRumour(): void {
    const question = this.#question;
    if (question === undefined) return;
    this.#close();
    if (this.#hasYielded) return;
    const { table, self } = this.#context;
    this.#refute(Math.max(question.incarnation, table.incarnation(self)));
  }

  #close(): void {
    this.#context.deadlines.cancel(this.#question?.timer);
    this.#question = undefined;
  }
}
