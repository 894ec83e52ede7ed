/**
 * The driver of the membership machine: one UDP and one TCP socket on one port, one timer, and the outputs carried out in order.
 *
 * Invariant: the machine is fed and its outputs are carried out one after another, also when a delegate calls back into the
 * driver, so that an incarnation is on disk before anything that relies on it is sent. Nothing unauthenticated reaches the machine.
 */
import { isIP } from "node:net";
import { Membership } from "../membership/machine.ts";
import type { Message } from "../membership/message.ts";
import type { MembershipInput, MembershipOutput } from "../membership/step.ts";
import { MAX_PACKET } from "../membership/wire/limits.ts";
import { messageSize } from "../membership/wire/message-size.ts";
import {
  decodePacket,
  type Envelope,
  encodePacket,
  makeEnvelope,
  messageBudget,
  type Refusal,
} from "../membership/wire/packet.ts";
import { makeKeyring } from "../membership/wire/security.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { Counters } from "./counters.ts";
import type { GossipDelegate, GossipOptions, JoinResult, MemberView } from "./gossip-delegate.ts";
import { NonceSource } from "./nonce-source.ts";
import { PacketRoutes } from "./packet-routes.ts";
import { PacketSocket } from "./packet-socket.ts";
import { StreamConversations } from "./stream-conversations.ts";
import type { ExchangeOptions } from "./stream-dialler.ts";

export type {
  GossipDelegate,
  GossipOptions,
  JoinResult,
  MemberEvent,
  MemberView,
  RemoteMember,
} from "./gossip-delegate.ts";
export { StreamError } from "./stream-conversations.ts";

/** The largest payload of sendPacket: a probe as large as any tunnel's MTU. */
const MAX_PROBE = 9_000;
const BIND_TRIES = 20;

export class Gossip {
  readonly #delegate: GossipDelegate;
  readonly #counters: Counters;
  readonly #nonces = new NonceSource();
  readonly #streams: StreamConversations;
  #envelope: Envelope;
  #packets!: PacketSocket;
  #machine!: Membership;
  #isRunning = false;
  #isClosed = false;
  #outputs: MembershipOutput[] = [];
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #whenQuiet: (() => void) | undefined;
  readonly #routes = new PacketRoutes();

  private constructor(options: GossipOptions) {
    this.#delegate = options.delegate;
    this.#counters = new Counters();
    this.#envelope = makeEnvelope(options.label, makeKeyring(options.keys));
    this.#streams = new StreamConversations({
      name: options.name,
      // As its packets: who listens on one address speaks from it.
      localAddress: isWildcard(options.bind.ip) ? undefined : options.bind.ip,
      envelope: () => this.#envelope,
      counters: this.#counters,
      delegate: options.delegate,
      isRunning: () => this.#isRunning,
      localMembers: () => this.#machine.localMembers(),
      feed: (input) => this.#feed(input),
    });
  }

  /**
   * Binds both sockets and begins. Throws HansaError PORT_TAKEN, naming port and protocol, when one is taken; RangeError for a
   * key, label, name, metadata or address that cannot be.
   */
  static async start(options: GossipOptions): Promise<Gossip> {
    refuseName(options.advertise);
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
    return await this.#streams.sync(to, true, { signal });
  }

  /** Ourselves, then all others in any state. */
  members(): readonly MemberView[] {
    return this.#machine.members();
  }

  /** Where a living twin has our very name and key, and whether we left it to that one. */
  get rival(): { readonly at: Endpoint; readonly hasYielded: boolean } | undefined {
    const at = this.#machine.rival;
    return at && { at, hasYielded: this.#machine.hasYielded };
  }

  /** One member by name, ourselves included. */
  member(name: string): MemberView | undefined {
    return this.#machine.member(name);
  }

  /**
   * Where nodes with several addresses are reached now: the address that another says, for each that differs. Pings and acks of
   * the last moment that went to one whose place is another now are sent again there.
   */
  setRoutes(routes: ReadonlyMap<string, string>): void {
    for (const { to, messages } of this.#routes.set(routes, performance.now()))
      this.#sendMessages(this.routed(to), messages);
  }

  /** Where the node at `to` is reached now. */
  routed(to: Endpoint): Endpoint {
    return this.#routes.of(to);
  }

  /** Spreads `payload` through the cluster; one still queued under `key` is replaced. Throws RangeError above a packet's room. */
  broadcast(key: string, payload: Uint8Array): void {
    this.#feed({ type: "broadcast", key, payload });
  }

  /** Sends `payload` in one datagram, best effort; returns the datagram's length in bytes. Throws RangeError above 9000 bytes. */
  sendPacket(to: Endpoint, payload: Uint8Array): number {
    if (payload.length > MAX_PROBE) throw new RangeError(`a packet of ${payload.length} bytes`);
    return this.#sendMessages(to, [{ type: "user", payload }]);
  }

  /**
   * Sends `payload` over a stream. Resolves when the other side has handled it (it answers with an ack; a plain memberlist
   * does not, and counts as failed). Rejects with a StreamError otherwise.
   */
  async sendStream(
    to: Endpoint,
    payload: Uint8Array,
    options: ExchangeOptions = {},
  ): Promise<void> {
    await this.#streams.sendUser(to, payload, options);
  }

  /**
   * Announces our own new metadata and address; port 0 stands for the port that is bound. Throws RangeError for metadata
   * above 512 bytes or an address that is none.
   */
  announce(meta: Uint8Array, endpoint: Endpoint): void {
    refuseName(endpoint);
    this.#feed({ type: "announce", meta, endpoint: this.#withPort(endpoint) });
  }

  /** From now on the first of `keys` encrypts and all decrypt. */
  setKeys(keys: readonly Uint8Array[]): void {
    this.#envelope = makeEnvelope(this.#envelope.label, makeKeyring(keys));
  }

  /** Tells the others that we leave; resolves when it was spread, at the latest after `timeoutMs`. Call close() next. */
  async leave(timeoutMs: number): Promise<void> {
    this.#feed({ type: "leave" });
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#whenQuiet = undefined;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#whenQuiet = done;
      this.#checkQuiet();
    });
    await this.#packets.flush();
  }

  /** The host is awake for something that comes once a second: the probe that is due soon goes along. */
  beat(): void {
    this.#feed({ type: "beat" });
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
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#whenQuiet?.();
    await Promise.all([this.#packets.close(), this.#streams.close()]);
  }

  async #bind(at: Endpoint): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#packets = await PacketSocket.bind(at, this.#counters, (bytes, from) =>
        this.#onPacket(bytes, from),
      );
      try {
        await this.#streams.listen({ ip: at.ip, port: this.port });
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
        endpoint: this.#withPort(advertise),
        meta,
        incarnation,
        ...(timing === undefined ? {} : { timing }),
        random: Math.random,
        packetBudget: messageBudget(this.#envelope),
        sizeOf: messageSize,
      },
      performance.now(),
    );
    this.#isRunning = true;
    this.#feed({ type: "tick" });
  }

  #withPort({ ip, port }: Endpoint): Endpoint {
    return { ip, port: port === 0 ? this.port : port };
  }

  #feed(input: MembershipInput): void {
    if (!this.#isRunning) return;
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
        this.#routes.note(output, performance.now());
        this.#sendMessages(this.routed(output.to), output.messages);
        return;
      case "sync":
      case "stream-ping":
        this.#streams.wish({ ...output, to: this.routed(output.to) });
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
    if (!this.#isRunning) return;
    const dueMs = this.#machine.nextTickMs();
    if (dueMs >= this.#timerAtMs || dueMs === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = dueMs;
    // A millisecond late: Node counts from the start of its turn, and a timer that fires early wakes the process twice.
    const delayMs = Math.min(Math.max(0, Math.ceil(dueMs - performance.now()) + 1), 2 ** 31 - 1);
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
  }

  #sendMessages(to: Endpoint, messages: readonly Message[]): number {
    if (!this.#isRunning) return 0;
    const packet = encodePacket(messages, this.#envelope, { nonce: this.#nonces.next() });
    this.#packets.send(packet, to);
    return packet.length;
  }

  #onPacket(bytes: Uint8Array, from: Endpoint): void {
    if (!this.#isRunning) return;
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
}

/** Throws RangeError unless `endpoint` has an IP literal: a name could not be put into any packet. */
function refuseName(endpoint: Endpoint): void {
  if (isIP(endpoint.ip) === 0) throw new RangeError(`"${endpoint.ip}" is no IP address`);
}

function isWildcard(ip: string): boolean {
  return ip === "0.0.0.0" || ip === "::";
}
