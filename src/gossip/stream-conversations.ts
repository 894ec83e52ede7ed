/**
 * What is said on streams: push/pull both ways, user messages with their ack, pings. Dialler and listener carry it.
 *
 * Invariant: a state received is merged whole and in one turn: members, then user state, then the delegate's `synced`.
 */
import { randomBytes } from "node:crypto";
import type { Message, PushPull, RemoteMember } from "../membership/message.ts";
import type { MembershipInput, MembershipOutput } from "../membership/step.ts";
import type { Envelope } from "../membership/wire/packet.ts";
import { NONCE_SIZE } from "../membership/wire/security.ts";
import { encodeFrame, FrameTooLarge } from "../membership/wire/stream-frame.ts";
import type { StreamMessage } from "../membership/wire/stream-message.ts";
import type { Endpoint } from "../values/endpoint.ts";
import type { Counters } from "./counters.ts";
import type { GossipDelegate, JoinResult } from "./gossip-delegate.ts";
import { type ExchangeOptions, type ExchangeResult, StreamDialler } from "./stream-dialler.ts";
import { StreamListener } from "./stream-listener.ts";

/** Streams that the machine may have under way; syncs and stream pings above that are dropped, it asks again. */
const MAX_OWN_STREAMS = 64;
const NOTHING = new Uint8Array(0);
const STOPPING = { ok: false, reason: "closed", message: "hansa is stopping" } as const;

/** A stream message did not arrive, or nobody confirmed it. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}

export interface ConversationParts {
  readonly name: string;
  /** Where streams that we dial come from; the host chooses when left out. */
  readonly localAddress: string | undefined;
  readonly envelope: () => Envelope;
  readonly counters: Counters;
  readonly delegate: GossipDelegate;
  /** False before the machine is there and after it was stopped: nothing is answered then. */
  readonly isRunning: () => boolean;
  readonly localMembers: () => readonly RemoteMember[];
  readonly feed: (input: MembershipInput) => void;
}

export class StreamConversations {
  readonly #parts: ConversationParts;
  readonly #dialler: StreamDialler;
  #listener: StreamListener | undefined;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
    this.#dialler = new StreamDialler(parts.envelope, parts.counters, parts.localAddress);
  }

  /** Throws PORT_TAKEN when another socket holds the port. */
  async listen(at: Endpoint): Promise<void> {
    const { envelope, counters, delegate } = this.#parts;
    const handler = {
      message: (message: StreamMessage, from: Endpoint) => this.#answerTo(message, from),
      rejected: delegate.rejected.bind(delegate),
    };
    this.#listener = await StreamListener.listen(at, { envelope, counters, handler });
  }

  /** Our state for theirs. Never rejects. */
  async sync(to: Endpoint, join: boolean, options: ExchangeOptions = {}): Promise<JoinResult> {
    if (!this.#parts.isRunning()) return STOPPING;
    const local: StreamMessage = { type: "pushPull", state: this.#localState(join) };
    const answer = await this.#exchange(to, local, options);
    if (!answer.ok) return answer;
    if (!this.#parts.isRunning()) return STOPPING;
    const { message } = answer;
    if (message.type === "error") {
      return { ok: false, reason: "protocol", message: `the other side says: ${message.text}` };
    }
    if (message.type !== "pushPull") {
      return { ok: false, reason: "protocol", message: `unexpected answer "${message.type}"` };
    }
    this.#merge({ ...message.state, join }, to, true);
    return { ok: true, members: message.state.members };
  }

  /** Carries out a wish of the machine, unless too many are under way. */
  wish(output: MembershipOutput & { type: "sync" | "stream-ping" }): void {
    if (this.#dialler.open >= MAX_OWN_STREAMS) return;
    if (output.type === "sync") void this.sync(output.to, false);
    else void this.#ping(output.to, output.ping, output.deadlineMs);
  }

  /** Resolves when the other side has confirmed `payload`; rejects with StreamError. */
  async sendUser(to: Endpoint, payload: Uint8Array, options: ExchangeOptions = {}): Promise<void> {
    const answer = await this.#exchange(to, { type: "user", payload }, options);
    if (!answer.ok) {
      const isSilent = answer.reason === "authentication";
      throw new StreamError(isSilent ? `nobody confirmed: ${answer.message}` : answer.message);
    }
    if (answer.message.type === "error") throw new StreamError(answer.message.text);
    if (answer.message.type !== "ack") throw new StreamError("the answer was not an ack");
  }

  /** Ends what is under way as "closed" and stops listening. */
  async close(): Promise<void> {
    this.#dialler.close();
    await this.#listener?.close();
  }

  /** Answers like memberlist: our half of a push/pull is what we knew before theirs. */
  #answerTo(message: StreamMessage, from: Endpoint): Uint8Array | undefined {
    const { isRunning, counters, delegate, name } = this.#parts;
    if (!isRunning()) return undefined;
    switch (message.type) {
      case "pushPull": {
        const { join } = message.state;
        const answer = this.#answer({ type: "pushPull", state: this.#localState(join) });
        this.#merge(message.state, from, false);
        return answer;
      }
      case "user":
        delegate.userMessage(message.payload, from, "stream");
        return this.#answer({ type: "ack", seq: 0, payload: NOTHING });
      case "ping":
        if (message.node !== "" && message.node !== name) return undefined;
        return this.#answer({ type: "ack", seq: message.seq, payload: NOTHING });
      default:
        counters.messagesIgnored += 1;
        return undefined;
    }
  }

  #answer(message: StreamMessage): Uint8Array {
    try {
      return encodeFrame(message, this.#parts.envelope(), false, randomBytes(NONCE_SIZE));
    } catch (error) {
      if (!(error instanceof FrameTooLarge)) throw error;
      this.#parts.counters.answersTooLarge += 1;
      return this.#answer({ type: "error", text: error.message });
    }
  }

  #localState(join: boolean): PushPull {
    const userState = this.#parts.delegate.localState(join);
    return { join, members: this.#parts.localMembers(), userState };
  }

  #merge(state: PushPull, from: Endpoint, isAnswer: boolean): void {
    const { feed, delegate } = this.#parts;
    feed({ type: "remote-state", from, state, isAnswer });
    if (state.userState.length > 0) delegate.mergeRemoteState(state.userState, state.join, from);
    delegate.synced(from, state.members);
  }

  async #ping(to: Endpoint, ping: Message, deadlineMs: number): Promise<void> {
    if (ping.type !== "ping") return;
    const totalMs = Math.max(1, deadlineMs - performance.now());
    const answer = await this.#exchange(to, ping, { totalMs });
    if (!answer.ok || answer.message.type !== "ack") return;
    this.#parts.feed({ type: "packet", from: to, message: answer.message, reliable: true });
  }

  async #exchange(
    to: Endpoint,
    message: StreamMessage,
    options: ExchangeOptions = {},
  ): Promise<ExchangeResult> {
    let frame: Uint8Array;
    try {
      frame = encodeFrame(message, this.#parts.envelope(), true, randomBytes(NONCE_SIZE));
    } catch (error) {
      if (!(error instanceof FrameTooLarge)) throw error;
      return { ok: false, reason: "protocol", message: error.message };
    }
    const result = await this.#dialler.exchange(to, frame, options);
    if (result.ok) this.#listener?.know(to.ip);
    return result;
  }
}
