/**
 * The driver of the membership machine: one UDP and one TCP socket on one port, one timer, and the outputs carried out in order.
 *
 * Invariant: the machine is fed and its outputs are carried out one after another, also when a delegate calls back into the
 * driver, so that an incarnation is on disk before anything that relies on it is sent. Nothing unauthenticated reaches the machine.
 */
import { randomBytes } from "node:crypto";
import { Membership } from "../membership/machine.ts";
import type { Message, PushPull } from "../membership/message.ts";
import type { MembershipInput, MembershipOutput } from "../membership/step.ts";
import { MAX_PACKET } from "../membership/wire/limits.ts";
import {
  decodePacket,
  type Envelope,
  encodePacket,
  makeEnvelope,
  messageBudget,
  type Refusal,
  sizeOfMessage,
} from "../membership/wire/packet.ts";
import { makeKeyring, NONCE_SIZE } from "../membership/wire/security.ts";
import { encodeFrame } from "../membership/wire/stream-frame.ts";
import type { StreamMessage } from "../membership/wire/stream-message.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { Counters } from "./counters.ts";
import type { GossipDelegate, GossipOptions, JoinResult, MemberView } from "./gossip-delegate.ts";
import { PacketSocket } from "./packet-socket.ts";
import { type ExchangeOptions, StreamDialler } from "./stream-dialler.ts";
import { StreamListener } from "./stream-listener.ts";

/** Streams that the machine may have under way; syncs and stream pings above that are dropped, it asks again. */
const MAX_OWN_STREAMS = 64;
/** The largest payload of sendPacket: a probe as large as any tunnel's MTU. */
const MAX_PROBE = 9_000;
const BIND_TRIES = 20;
const NOTHING = new Uint8Array(0);

export class Gossip {
  readonly #delegate: GossipDelegate;
  readonly #counters: Counters;
  readonly #name: string;
  readonly #dialler: StreamDialler;
  #envelope: Envelope;
  #packets!: PacketSocket;
  #listener!: StreamListener;
  #machine!: Membership;
  #outputs: MembershipOutput[] = [];
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;
  #whenQuiet: (() => void) | undefined;

  private constructor(options: GossipOptions) {
    this.#delegate = options.delegate;
    this.#name = options.name;
    this.#counters = new Counters();
    this.#envelope = makeEnvelope(options.label, makeKeyring(options.keys));
    this.#dialler = new StreamDialler(() => this.#envelope, this.#counters);
  }

  /**
   * Binds both sockets and begins. Throws HansaError PORT_TAKEN, naming port and protocol, when one is taken; RangeError for a
   * key, label, name, metadata or address that cannot be.
   */
  static async start(options: GossipOptions): Promise<Gossip> {
    const gossip = new Gossip(options);
    await gossip.#bind(options.bind);
    try {
      gossip.#begin(options);
    } catch (error) {
      await gossip.close();
      throw error;
    }
    return gossip;
  }

  /** The port in use, TCP and UDP. */
  get port(): number {
    return this.#packets.port;
  }

  /**
   * Exchanges whole states with the node at `to`, as one who joins. Never rejects. Ends within 5 s when nobody takes the connection,
   * within 10 s always.
   */
  async join(to: Endpoint, signal?: AbortSignal): Promise<JoinResult> {
    return await this.#sync(to, true, { signal });
  }

  /** Ourselves, then all others in any state. */
  members(): readonly MemberView[] {
    return this.#machine.members();
  }

  /** One member by name, ourselves included. */
  member(name: string): MemberView | undefined {
    return this.#machine.member(name);
  }

  /** Spreads `payload` through the cluster; one still queued under `key` is replaced. Throws RangeError above a packet's room. */
  broadcast(key: string, payload: Uint8Array): void {
    this.#feed({ type: "broadcast", key, payload });
  }

  /** Sends `payload` in one datagram, best effort. Throws RangeError above 9000 bytes. */
  sendPacket(to: Endpoint, payload: Uint8Array): void {
    if (payload.length > MAX_PROBE) throw new RangeError(`a packet of ${payload.length} bytes`);
    this.#sendMessages(to, [{ type: "user", payload }]);
  }

  /**
   * Sends `payload` over a stream. Resolves when the other side has handled it (it answers with an ack; a plain memberlist
   * does not, and counts as failed). Rejects with a StreamError otherwise.
   */
  async sendStream(to: Endpoint, payload: Uint8Array): Promise<void> {
    const answer = await this.#exchange(to, { type: "user", payload });
    if (!answer.ok) throw new StreamError(answer.message);
    if (answer.message.type === "error") throw new StreamError(answer.message.text);
    if (answer.message.type !== "ack") throw new StreamError("the answer was not an ack");
  }

  /** Announces our own new metadata and address. Throws RangeError for metadata above 512 bytes. */
  announce(meta: Uint8Array, endpoint: Endpoint): void {
    this.#feed({ type: "announce", meta, endpoint });
  }

  /** From now on the first of `keys` encrypts and all decrypt. */
  setKeys(keys: readonly Uint8Array[]): void {
    this.#envelope = makeEnvelope(this.#envelope.label, makeKeyring(keys));
  }

  /** Tells the others that we leave; resolves when it was spread, at the latest after `timeoutMs`. Call close() next. */
  async leave(timeoutMs: number): Promise<void> {
    this.#feed({ type: "leave" });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#whenQuiet = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#checkQuiet();
    });
    await this.#packets.flush();
  }

  /** Forgets a member for good. */
  remove(name: string): void {
    this.#feed({ type: "remove", name });
  }

  /** Counts since the start, see Counters. */
  counters(): Record<string, number> {
    return this.#counters.snapshot();
  }

  /** Releases sockets, streams and timer; exchanges under way end as "closed". Says nothing to others. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#whenQuiet?.();
    this.#dialler.close();
    await Promise.all([this.#packets.close(), this.#listener.close()]);
  }

  async #bind(at: Endpoint): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#packets = await PacketSocket.bind(at, this.#counters, (bytes, from) =>
        this.#onPacket(bytes, from),
      );
      try {
        this.#listener = await StreamListener.listen(
          { ip: at.ip, port: this.#packets.port },
          {
            envelope: () => this.#envelope,
            counters: this.#counters,
            handler: {
              message: (message, from) => this.#onStream(message, from),
              rejected: (from, reason) => this.#delegate.rejected(from, reason),
            },
          },
        );
        return;
      } catch (error) {
        await this.#packets.close();
        if (at.port !== 0 || attempt === BIND_TRIES) throw error;
      }
    }
  }

  #begin(options: GossipOptions): void {
    const { name, advertise, meta, incarnation, timing } = options;
    this.#machine = new Membership(
      {
        name,
        endpoint: { ip: advertise.ip, port: advertise.port === 0 ? this.port : advertise.port },
        meta,
        incarnation,
        ...(timing === undefined ? {} : { timing }),
        random: Math.random,
        packetBudget: messageBudget(this.#envelope),
        sizeOf: sizeOfMessage,
      },
      performance.now(),
    );
    this.#feed({ type: "tick" });
  }

  #feed(input: MembershipInput): void {
    if (this.#isClosed) return;
    for (const output of this.#machine.handle(input, performance.now())) this.#outputs.push(output);
    this.#drain();
  }

  /** Outputs made while one is carried out wait for their turn. */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (let index = 0; index < this.#outputs.length; index++) {
        const output = this.#outputs[index];
        if (output !== undefined) this.#carryOut(output);
      }
    } finally {
      this.#outputs = [];
      this.#isDraining = false;
    }
    this.#arm();
    this.#checkQuiet();
  }

  #carryOut(output: MembershipOutput): void {
    switch (output.type) {
      case "packet":
        this.#sendMessages(output.to, output.messages);
        return;
      case "sync":
        if (this.#dialler.open < MAX_OWN_STREAMS) void this.#sync(output.to, false);
        return;
      case "stream-ping":
        if (this.#dialler.open < MAX_OWN_STREAMS) void this.#streamPing(output);
        return;
      case "user":
        this.#delegate.userMessage(output.payload, output.from, "packet");
        return;
      case "event":
        this.#delegate.memberEvent(output.event);
        return;
      case "incarnation":
        this.#delegate.persistIncarnation(output.value);
        return;
    }
  }

  /** One timer, at the machine's next deadline or before it: an early one only looks again. */
  #arm(): void {
    if (this.#isClosed) return;
    const dueMs = this.#machine.nextTickMs();
    if (dueMs >= this.#timerAtMs || dueMs === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = dueMs;
    const delayMs = Math.min(Math.max(0, Math.ceil(dueMs - performance.now())), 2 ** 31 - 1);
    this.#timer = setTimeout(this.#onTimer, delayMs);
  }

  readonly #onTimer = (): void => {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    if (this.#machine.nextTickMs() <= performance.now()) this.#feed({ type: "tick" });
    else this.#arm();
  };

  #checkQuiet(): void {
    if (this.#whenQuiet === undefined) return;
    if (this.#machine.queued > 0 && this.#machine.liveCount > 0) return;
    this.#whenQuiet();
    this.#whenQuiet = undefined;
  }

  #sendMessages(to: Endpoint, messages: readonly Message[]): void {
    if (this.#isClosed) return;
    const nonce = randomBytes(NONCE_SIZE);
    this.#packets.send(encodePacket(messages, this.#envelope, { nonce }), to);
  }

  #onPacket(bytes: Uint8Array, from: Endpoint): void {
    if (this.#isClosed || this.#machine === undefined) return;
    const packet =
      bytes.length > MAX_PACKET
        ? ({ ok: false, reason: "malformed" } as const)
        : decodePacket(bytes, this.#envelope);
    if (!packet.ok) {
      this.#reject(from, packet.reason);
      return;
    }
    this.#counters.messagesIgnored += packet.ignored;
    for (const message of packet.messages) this.#feed({ type: "packet", from, message });
  }

  #reject(from: Endpoint, reason: Refusal): void {
    this.#counters.reject(reason);
    this.#delegate.rejected(from, reason);
  }

  /** Answers like memberlist: our half of a push/pull is what we knew before theirs. */
  #onStream(message: StreamMessage, from: Endpoint): Uint8Array | undefined {
    if (this.#isClosed || this.#machine === undefined) return undefined;
    switch (message.type) {
      case "pushPull": {
        const answer = this.#answer({
          type: "pushPull",
          state: this.#localState(message.state.join),
        });
        this.#merge(message.state, from);
        return answer;
      }
      case "user":
        this.#delegate.userMessage(message.payload, from, "stream");
        return this.#answer({ type: "ack", seq: 0, payload: NOTHING });
      case "ping":
        if (message.node !== "" && message.node !== this.#name) return undefined;
        return this.#answer({ type: "ack", seq: message.seq, payload: NOTHING });
      default:
        this.#counters.messagesIgnored += 1;
        return undefined;
    }
  }

  #answer(message: StreamMessage): Uint8Array {
    return encodeFrame(message, this.#envelope, false, randomBytes(NONCE_SIZE));
  }

  #localState(join: boolean): PushPull {
    const userState = this.#delegate.localState(join);
    return { join, members: this.#machine.localMembers(), userState };
  }

  #merge(state: PushPull, from: Endpoint): void {
    this.#feed({ type: "remote-state", from, state });
    if (state.userState.length > 0) {
      this.#delegate.mergeRemoteState(state.userState, state.join, from);
    }
    this.#delegate.synced(from, state.members);
  }

  async #sync(to: Endpoint, join: boolean, options: ExchangeOptions = {}): Promise<JoinResult> {
    if (this.#isClosed) return { ok: false, reason: "closed", message: "hansa is stopping" };
    const local: StreamMessage = { type: "pushPull", state: this.#localState(join) };
    const answer = await this.#exchange(to, local, options);
    if (!answer.ok) return answer;
    if (this.#isClosed) return { ok: false, reason: "closed", message: "hansa is stopping" };
    const { message } = answer;
    if (message.type === "error") {
      return { ok: false, reason: "protocol", message: `the other side says: ${message.text}` };
    }
    if (message.type !== "pushPull") {
      return { ok: false, reason: "protocol", message: `unexpected answer "${message.type}"` };
    }
    this.#merge({ ...message.state, join }, to);
    return { ok: true, members: message.state.members };
  }

  async #streamPing(output: MembershipOutput & { type: "stream-ping" }): Promise<void> {
    if (output.ping.type !== "ping") return;
    const totalMs = Math.max(1, output.deadlineMs - performance.now());
    const answer = await this.#exchange(output.to, output.ping, { totalMs });
    if (!answer.ok || answer.message.type !== "ack") return;
    this.#feed({ type: "packet", from: output.to, message: answer.message, reliable: true });
  }

  #exchange(to: Endpoint, message: StreamMessage, options: ExchangeOptions = {}) {
    const frame = encodeFrame(message, this.#envelope, true, randomBytes(NONCE_SIZE));
    return this.#dialler.exchange(to, frame, options);
  }
}

/** A stream message did not arrive, or nobody confirmed it. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}
