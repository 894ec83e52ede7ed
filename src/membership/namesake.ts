/**
 * Two holders of our own name: is the other endpoint an old rumour about ourselves, or a living twin (a cloned disk)?
 *
 * We ping it. Silence, or our own ping coming back to us, means a rumour: we refute it. An ack means a twin: the conflict is reported, and so that the name
 * does not flap between the two, only the one with the lower endpoint text goes on refuting; the other keeps quiet.
 * Invariant: at most one question is open at a time.
 */
import { type Endpoint, formatEndpoint } from "../values/endpoint.ts";
import { type Context, emitEvent, selfEndpoint } from "./context.ts";
import type { Deadline } from "./deadline-queue.ts";
import type { Alive, Ping } from "./message.ts";

export class Namesake {
  readonly #context: Context;
  /** Raises our incarnation above the given one and tells everybody. */
  readonly #refute: (incarnation: number) => void;
  #question:
    | { readonly seq: number; readonly other: Endpoint; incarnation: number; timer: Deadline }
    | undefined;
  #hasYielded = false;

  constructor(context: Context, refute: (incarnation: number) => void) {
    this.#context = context;
    this.#refute = refute;
  }

  /** Whether a living twin has our name and we leave it to it. */
  get hasYielded(): boolean {
    return this.#hasYielded;
  }

  /** Somebody says that we are at another endpoint. */
  onElsewhere(alive: Alive): void {
    const { deadlines, nowMs, timing, nextSeq, name, outbox } = this.#context;
    if (this.#question !== undefined) {
      this.#question.incarnation = Math.max(this.#question.incarnation, alive.incarnation);
      return;
    }
    const seq = nextSeq();
    const timer = deadlines.at(nowMs + timing.probeTimeoutMs, () => this.#wasRumour());
    this.#question = { seq, other: alive.endpoint, incarnation: alive.incarnation, timer };
    const source = selfEndpoint(this.#context);
    outbox.send(alive.endpoint, [{ type: "ping", seq, node: name, source, sourceNode: name }]);
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
    emitEvent(this.#context, "conflict", this.#context.self, { other: question.other });
    const ours = formatEndpoint(selfEndpoint(this.#context));
    this.#hasYielded = ours > formatEndpoint(question.other);
    if (!this.#hasYielded) this.#refute(question.incarnation);
    return true;
  }

  /** Everybody holds our name for dead: the twin is gone, the name is ours again. */
  resume(): void {
    this.#hasYielded = false;
  }

  #wasRumour(): void {
    const question = this.#question;
    if (question === undefined) return;
    this.#close();
    this.#refute(question.incarnation);
  }

  #close(): void {
    this.#context.deadlines.cancel(this.#question?.timer);
    this.#question = undefined;
  }
}
