/**
 * Finds out what arrives between this node and each peer, both ways, together with the peer.
 *
 * The asker sends a volley: copies of one question over UDP in several sizes, through the tunnel, and over TCP. The asked node notes which copies
 * arrive, sends a volley of echoes, tries TCP itself, and after a while reports what it saw over every path that there is. So what arrives at either end
 * tells of the way there and of the way back apart. Where none of these paths passes, a few other nodes pass question and report on.
 *
 * Invariants: what is asked is answered only to members, at the address that gossip has of them; at most MAX_ANSWERING at one time; nothing is sent
 * while nobody asks.
 */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Attempt, Growth, PeerFacts } from "../../doctor/facts.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { type Ask, type DoctorMessage, type Echo, encodeDoctorMessage } from "./doctor-message.ts";
import { Notes } from "./doctor-notes.ts";

/** A member that can be asked. */
export interface DoctorPeer {
  readonly id: NodeId;
  readonly name: string;
  readonly endpoint: Endpoint;
  /** Its node address and gossip port; undefined without a place in the subnet. */
  readonly inside: Endpoint | undefined;
  readonly ports: { readonly gossip: number; readonly overlay: number; readonly api: number };
  readonly version: string;
  readonly isHeard: boolean;
  readonly tunnelProved: boolean;
}

export interface DoctorExchangeOptions {
  readonly peers: () => readonly DoctorPeer[];
  readonly linkMtu: () => number;
  readonly tunnelMtu: () => number;
  /** Returns the bytes of the UDP datagram. */
  readonly sendPacket: (to: Endpoint, body: Uint8Array) => number;
  /** Rejects with the reason when it was not taken within 3 s. */
  readonly sendStream: (to: Endpoint, body: Uint8Array) => Promise<void>;
  /** Why the peer's port for relays cannot be connected to, or null; undefined without relays. */
  readonly tryRelay: (peer: DoctorPeer) => Promise<Attempt> | undefined;
  /** Why the peer's API cannot be connected to, or null. */
  readonly tryApi: (peer: DoctorPeer) => Promise<Attempt>;
  /** The counters of the tunnel by peer; empty without a tunnel. */
  readonly traffic: () => Promise<ReadonlyMap<NodeId, Growth>>;
  /** Packets with broken checksums since boot. */
  readonly broken: () => Promise<number>;
  /** The path's MTU as the kernel knows it, when it knows one. */
  readonly kernelMtu: (ip: string) => Promise<number | undefined>;
  readonly wallMs: () => number;
}

/** Copies of the smallest size; larger than any message without its padding. */
const SMALL = 500;
/** Sizes that paths commonly end at: Ethernet, PPPoE, tunnels, IPv6's least. */
const STEPS: readonly number[] = [1500, 1492, 1450, 1420, 1400, 1300, 1280];
/** Gossip takes no more in one packet. */
const MAX_SIZE = 8_900;
const IP_AND_UDP = 28;
/** A second volley, for what was lost by chance. */
const AGAIN_MS = 400;
/** Without an echo by then others are asked to pass the question on. */
const DETOUR_MS = 900;
/** Through so many other nodes. */
const DETOURS = 3;
/** How long the asked node listens for copies before it reports. */
const LISTEN_MS = 1_300;
/** WireGuard tries a handshake every 5 s. */
const SLOW_LISTEN_MS = 5_800;
/** From the end of listening to a report that came by way of others. */
const REPORT_MS = 2_500;
/** Who has not sent an echo by then will not. */
const NO_ECHO_MS = 4_000;
const MAX_ANSWERING = 64;
/** More peers are not examined in one run. */
const MAX_EXAMINED = 64;

export class DoctorExchange {
  readonly #options: DoctorExchangeOptions;
  readonly #closing = new AbortController();
  /** Questions of ours under way, by nonce. */
  readonly #asked = new Map<number, Notes>();
  /** Questions of others, by "id nonce". */
  readonly #answering = new Map<string, Notes>();
  #running: Promise<PeerFacts[]> | undefined;

  constructor(options: DoctorExchangeOptions) {
    this.#options = options;
  }

  /** Examines the paths to all peers, those without a tunnel first, in about 2 s, or 9 s where a tunnel does not work. Calls at one time share one run. */
  examine(): Promise<PeerFacts[]> {
    this.#running ??= this.#examineAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Takes a message that `sender` sent; `via` is how it came, as far as this host can tell. */
  receive(message: DoctorMessage, sender: NodeId, via: "outside" | "tunnel" | "stream"): void {
    if (message.type === "report") {
      this.#asked.get(message.nonce)?.takeReport(sender, message);
      return;
    }
    if (!isPossible(message, via)) return;
    if (message.type === "echo") {
      this.#asked.get(message.nonce)?.takeEcho(sender, message, this.#options.wallMs());
    } else this.#answer(message, sender);
  }

  close(): void {
    this.#closing.abort();
  }

  async #examineAll(): Promise<PeerFacts[]> {
    const chosen = [...this.#options.peers()]
      .sort((a, b) => Number(a.tunnelProved) - Number(b.tunnelProved))
      .slice(0, MAX_EXAMINED);
    const before = await this.#measure();
    const found = await Promise.all(chosen.map((peer) => this.#examine(peer)));
    const after = await this.#measure();
    return found.map((facts) => ({
      ...facts,
      brokenHere: after.broken - before.broken,
      traffic: { ...facts.traffic, here: growth(before.traffic, after.traffic, facts.id) },
    }));
  }

  async #measure(): Promise<{ traffic: ReadonlyMap<NodeId, Growth>; broken: number }> {
    const [traffic, broken] = await Promise.all([this.#options.traffic(), this.#options.broken()]);
    return { traffic, broken };
  }

  async #examine(peer: DoctorPeer): Promise<PeerFacts> {
    const nonce = randomInt(2 ** 32);
    const notes = new Notes(peer.id);
    this.#asked.set(nonce, notes);
    const isSlow = !peer.tunnelProved;
    const copy = (path: Ask["path"], size: number): Ask => ({
      ...{ type: "ask", to: peer.id, nonce, path, size, isSlow },
      sentMs: this.#options.wallMs(),
    });
    try {
      const tcp = this.#tryTcp(peer, copy("tcp", 0));
      const kernelMtu = this.#options.kernelMtu(peer.endpoint.ip);
      const relay = this.#options.tryRelay(peer);
      const api = this.#options.tryApi(peer);
      void this.#volley(peer, copy);
      if (!(await notes.hasEcho(DETOUR_MS))) {
        this.#detour(peer, copy("detour", 0));
      }
      if (await notes.hasEcho(NO_ECHO_MS - DETOUR_MS)) {
        await notes.hasReport((isSlow ? SLOW_LISTEN_MS : LISTEN_MS) + REPORT_MS);
      }
      const facts = this.#factsOf(peer, notes, await tcp, await kernelMtu);
      return { ...facts, relayFromHere: await relay, apiFromHere: await api };
    } finally {
      this.#asked.delete(nonce);
    }
  }

  #factsOf(
    peer: DoctorPeer,
    notes: Notes,
    tcpFromHere: Attempt,
    kernelMtu: number | undefined,
  ): PeerFacts {
    const { report } = notes;
    const mtus = [kernelMtu, report?.kernelMtu ?? undefined].filter((mtu) => mtu !== undefined);
    const least = Math.min(...mtus);
    return {
      ...{ id: peer.id, name: peer.name, ip: peer.endpoint.ip, ports: peer.ports },
      ...{ isHeard: peer.isHeard, version: peer.version, tunnelProved: peer.tunnelProved },
      sent: { udp: this.#udpSizes(), tunnel: peer.inside ? this.#tunnelSizes() : [SMALL] },
      arrivedHere: notes.arrived,
      arrivedThere: report?.arrived,
      tcpFromHere,
      tcpFromThere: report?.tcp,
      ...{ relayFromHere: undefined, relayFromThere: report?.relay, isRelayed: false },
      apiFromHere: null,
      traffic: { here: undefined, there: report?.traffic ?? undefined },
      brokenHere: 0,
      brokenThere: report?.broken,
      kernelMtuHere: least < this.#options.linkMtu() ? least : undefined,
      clock: notes.clock,
    };
  }

  /** Somebody asks: the first copy begins it, the others are noted. */
  #answer(ask: Ask, sender: NodeId): void {
    const key = `${sender} ${ask.nonce}`;
    const known = this.#answering.get(key);
    if (known) {
      known.takeCopy(ask);
      return;
    }
    const peer = this.#options.peers().find(({ id }) => id === sender);
    if (!peer || this.#answering.size >= MAX_ANSWERING) return;
    const notes = new Notes(sender);
    notes.takeCopy(ask);
    this.#answering.set(key, notes);
    this.#answerAll(peer, ask, notes)
      // Also a little later copies of the same question begin nothing anew.
      .finally(() => setTimeout(() => this.#answering.delete(key), REPORT_MS).unref())
      // A question that cannot be answered is the asker's finding.
      .catch(() => undefined);
  }

  async #answerAll(peer: DoctorPeer, ask: Ask, notes: Notes): Promise<void> {
    const gotMs = this.#options.wallMs();
    const { nonce, isSlow, sentMs: askedMs } = ask;
    const copy = (path: Echo["path"], size: number): Echo => ({
      ...{ type: "echo", to: peer.id, nonce, path, size, askedMs, gotMs },
      sentMs: this.#options.wallMs(),
    });
    void this.#volley(peer, copy);
    if (ask.path === "detour") this.#detour(peer, copy("detour", 0));
    const before = await this.#measure();
    const [tcp, relay, kernelMtu] = await Promise.all([
      this.#tryTcp(peer, copy("tcp", 0)),
      this.#options.tryRelay(peer),
      this.#options.kernelMtu(peer.endpoint.ip),
      this.#pause(isSlow ? SLOW_LISTEN_MS : LISTEN_MS),
    ]);
    const after = await this.#measure();
    const message: DoctorMessage = {
      ...{ type: "report", to: peer.id, nonce, arrived: notes.arrived, tcp },
      traffic: growth(before.traffic, after.traffic, peer.id) ?? null,
      broken: Math.max(0, after.broken - before.broken),
      kernelMtu: kernelMtu ?? null,
      ...(relay === undefined ? {} : { relay }),
    };
    const report = encodeDoctorMessage(message);
    this.#options.sendPacket(peer.endpoint, report);
    if (peer.inside) this.#options.sendPacket(peer.inside, report);
    if (tcp === null) await this.#options.sendStream(peer.endpoint, report);
    else this.#detour(peer, message);
  }

  /** To a few other nodes, which pass it on: see `NodeDoctor.receive`. */
  #detour(peer: DoctorPeer, message: DoctorMessage): void {
    const body = encodeDoctorMessage(message);
    const others = this.#options
      .peers()
      .filter(({ id, isHeard }) => isHeard && id !== peer.id)
      .sort((a, b) => Number(b.tunnelProved) - Number(a.tunnelProved));
    for (const { endpoint } of others.slice(0, DETOURS)) this.#options.sendPacket(endpoint, body);
  }

  /** The same copies twice, over both paths that packets have. */
  async #volley(
    peer: DoctorPeer,
    copy: (path: "udp" | "tunnel", size: number) => DoctorMessage,
  ): Promise<void> {
    for (const waitMs of [0, AGAIN_MS]) {
      await this.#pause(waitMs);
      for (const size of this.#udpSizes()) this.#sendSized(peer.endpoint, copy("udp", size), size);
      if (!peer.inside) continue;
      for (const size of this.#tunnelSizes()) {
        this.#sendSized(peer.inside, copy("tunnel", size), size);
      }
    }
  }

  /** What gossip adds is the same for each packet: measured by sending one that is too small to matter. */
  #overhead: number | undefined;

  #sendSized(to: Endpoint, message: DoctorMessage, size: number): void {
    if (this.#closing.signal.aborted) return;
    if (this.#overhead === undefined) {
      const body = encodeDoctorMessage(message);
      this.#overhead = this.#options.sendPacket(to, body) - body.length;
    }
    const bytes = size - IP_AND_UDP - this.#overhead;
    this.#options.sendPacket(to, encodeDoctorMessage(message, bytes));
  }

  async #tryTcp(peer: DoctorPeer, message: DoctorMessage): Promise<Attempt> {
    try {
      await this.#options.sendStream(peer.endpoint, encodeDoctorMessage(message));
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #udpSizes(): number[] {
    const link = Math.min(MAX_SIZE, this.#options.linkMtu());
    return [SMALL, ...new Set([...STEPS.filter((size) => size <= link), link])].sort(
      (a, b) => a - b,
    );
  }

  #tunnelSizes(): number[] {
    return [SMALL, Math.max(SMALL + 1, Math.min(MAX_SIZE, this.#options.tunnelMtu()))];
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
  }
}

/** A copy must have come the way that it says. */
function isPossible({ path }: Ask | Echo, via: "outside" | "tunnel" | "stream"): boolean {
  if (path === "tcp") return via === "stream";
  return path === "tunnel" ? via === "tunnel" : via === "outside";
}

function growth(
  before: ReadonlyMap<NodeId, Growth>,
  after: ReadonlyMap<NodeId, Growth>,
  id: NodeId,
): Growth | undefined {
  const [first, last] = [before.get(id), after.get(id)];
  if (!first || !last) return undefined;
  // A tunnel made anew counts from zero.
  return { rx: Math.max(0, last.rx - first.rx), tx: Math.max(0, last.tx - first.tx) };
}
