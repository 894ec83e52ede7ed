/**
 * The node's part in gossip: who is there, whom to dial, whose id is whose, and everybody's row of connections and names.
 *
 * What other parts of the daemon say to other nodes goes through here, in envelopes; what nodes say to them is handed on.
 */
import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { Gossip } from "../gossip/gossip.ts";
import type { GossipDelegate, MemberEvent } from "../gossip/gossip-delegate.ts";
import type { Logger } from "../host/logger.ts";
import type { Identity, IdentityKeys } from "../identity/identity.ts";
import type { HolderState } from "../ipam/strays.ts";
import type { ConnectionRow, RowConnection } from "../membership/connection-rows.ts";
import { type Departure, decodeDepartures, encodeDepartures } from "../membership/departures.ts";
import { Dialer, type DialerMember, type PeerView, type TargetView } from "../membership/dialer.ts";
import { formatMemberName, parseMemberName } from "../membership/member-name.ts";
import { decodeMetadata, encodeMetadata, type NodeMetadata } from "../membership/metadata.ts";
import { bindingAfter } from "../membership/twins.ts";
import { type NameNews, NameRegistry } from "../names/name-registry.ts";
import type { NameEntry } from "../names/name-set.ts";
import type { NodeFile } from "../processes/node-file.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { parseIpv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { DialLoop } from "./dial-loop.ts";
import { decodeEnvelope, type Envelope, type EnvelopeKind, encodeEnvelope } from "./envelope.ts";
import { loadMembershipFile, type MembershipFile, type RememberedNode } from "./membership-file.ts";
import { MetNodes } from "./met-nodes.ts";
import { type Rejection, Rejections } from "./rejections.ts";
import { isHeard, isLive, type Roster, type RosterNode, rosterOf } from "./roster.ts";
import { RowBoard } from "./row-board.ts";
import { decodeSharedState, encodeSharedState } from "./shared-state.ts";
import { announcedAddress, overlayBlock, ownAddresses } from "./underlay.ts";

/** A node whose targets all stay silent is settled after this long and uses what it owns from birth. */
const SETTLED_AFTER_MS = 10_000;
/** How often old known peers are dropped, and what else grows is looked at. */
const HOUSEKEEPING_MS = 10_000;
/** How often the host's addresses are looked at: others send into the void until they hear of a new one. */
const ADDRESSES_MS = 2_000;
/** After the first contact: whoever has our name or id is known by then. */
const CERTAIN_AFTER_MS = 5_000;
/** Bytes of names that still fit a gossip packet; what is larger goes with push/pulls only. */
const MAX_BROADCAST_NAMES = 1_100;
/** Exchanges under way at one time when all peers are told something at once. */
const EXCHANGES_AT_ONCE = 16;

export interface MembershipLoopOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly keys: IdentityKeys;
  readonly version: string;
  readonly path: string;
  readonly logger: Logger;
  /** Our encoded rings, for each push/pull. */
  readonly rings: () => Uint8Array;
  readonly takeRings: (bytes: Uint8Array) => void;
  /** An envelope of a kind that is not ours to handle. The body is only good during the call. */
  readonly receive: (envelope: Envelope, from: Endpoint, via: "packet" | "stream") => void;
  /** Members, targets or rows changed. */
  readonly changed: () => void;
  /** First contact made, or given up waiting for it. Called once. */
  readonly settled: () => void;
  /** Where a node is reached whose host is not: through its tunnel, which a relay carries. Undefined: where it says. */
  readonly roundabout: (to: NodeId) => Endpoint | undefined;
  /** We took a higher binding: to be written down. */
  readonly rebound: (binding: number) => void;
}

export class MembershipLoop {
  readonly #options: MembershipLoopOptions;
  readonly #name: string;
  readonly #boot = randomInt(1, 2 ** 32);
  readonly #dialer: Dialer;
  readonly #board: RowBoard;
  readonly #names: NameRegistry;
  readonly #rejections = new Rejections();
  readonly #dialled = new Set<string>();
  readonly #met: MetNodes;
  #gossip!: Gossip;
  #dials!: DialLoop;
  #metadata: NodeMetadata;
  #roster: Roster | undefined;
  #isSettled = false;
  #certainty: "none" | "soon" | "yes" = "none";
  #timers: NodeJS.Timeout[] = [];

  static async start(options: MembershipLoopOptions): Promise<MembershipLoop> {
    const loop = new MembershipLoop(options, await loadMembershipFile(options.path));
    await loop.#begin();
    return loop;
  }

  private constructor(options: MembershipLoopOptions, file: MembershipFile) {
    const { node, identity, keys, version } = options;
    this.#options = options;
    this.#name = keys.memberName(node.id);
    this.#met = new MetNodes(options.path, options.logger, file);
    this.#board = new RowBoard({
      name: this.#name,
      boot: this.#boot,
      member: (name) => this.#gossip.member(name),
    });
    this.#names = new NameRegistry({
      name: this.#name,
      boot: this.#boot,
      boots: (owner) => {
        const member = this.#gossip.member(owner);
        if (member?.state === "left") return "left";
        return (member && decodeMetadata(member.meta)?.boot) ?? "unknown";
      },
    });
    this.#dialer = new Dialer(
      {
        defaultPort: node.ports.gossip,
        random: Math.random,
        state: { targets: node.targets, peers: file.peers },
      },
      performance.now(),
    );
    this.#metadata = {
      id: node.id,
      name: node.name,
      keyFingerprint: keys.fingerprint,
      binding: identity.binding,
      boot: this.#boot,
      engineId: "",
      role: "peer",
      links: this.#links(),
      ports: node.ports,
      wireguardKey: Buffer.from(keys.wireguard.publicKey, "base64"),
      version,
      store: undefined,
      encryption: node.encryption,
      subnet: overlayBlock(node.subnet),
    };
  }

  async #begin(): Promise<void> {
    const { node, keys } = this.#options;
    this.#gossip = await Gossip.start({
      name: this.#name,
      bind: { ip: "0.0.0.0", port: node.ports.gossip },
      advertise: this.#endpoint(),
      keys: keys.gossipKeys,
      label: keys.label,
      meta: encodeMetadata(this.#metadata),
      incarnation: this.#met.incarnation,
      delegate: this.#delegate(),
    });
    this.#dials = new DialLoop({
      dialer: this.#dialer,
      gossip: this.#gossip,
      ownAddresses: () => ownAddresses(networkInterfaces()),
      ownPort: node.ports.gossip,
      changed: (contacted) => {
        if (contacted) this.#dialled.add(contacted.ip);
        this.#settleIfAlone();
        this.#options.changed();
      },
    });
    this.#refresh();
    this.#dials.kick();
    this.#settleIfAlone();
    this.#timers.push(setTimeout(() => this.#settle(), SETTLED_AFTER_MS));
    this.#timers.push(setInterval(() => this.#keepHouse(), HOUSEKEEPING_MS));
    this.#timers.push(setInterval(() => this.#followAddresses(), ADDRESSES_MS));
  }

  get name(): string {
    return this.#name;
  }

  get endpoint(): Endpoint {
    return this.#endpoint();
  }

  get rows(): ReadonlyMap<string, ConnectionRow> {
    return this.#board.rows;
  }

  /** Everybody's names. */
  get names(): Pick<NameRegistry, "entriesOf" | "revision"> {
    return this.#names;
  }

  roster(): Roster {
    this.#roster ??= rosterOf(this.#gossip.members(), this.#name, this.#met.departures);
    return this.#roster;
  }

  /** True for a key that left or was taken over. */
  hasDeparted(name: string): boolean {
    return this.#met.departures.get(name) !== undefined;
  }

  /** Nodes met in this or a former life of the daemon and not heard to have left. */
  get remembered(): readonly RememberedNode[] {
    return this.#met.nodes;
  }

  targets(): readonly TargetView[] {
    return this.#dialer.targets();
  }

  /** Peers met once, with when each that is not alive is dialled again. */
  knownPeers(): readonly PeerView[] {
    return this.#dialer.peers();
  }

  rejections(): readonly Rejection[] {
    return this.#rejections.rows(performance.now());
  }

  /** True when our dial made the contact to the host with that address. */
  hasDialled(ip: string): boolean {
    return this.#dialled.has(ip);
  }

  /** Whether a member can be heard now; "gone" when nothing is expected of it any more. */
  stateOf(name: string): HolderState {
    const member = this.#gossip.member(name);
    if (member) return isLive(member) ? "heard" : member.state === "left" ? "gone" : "silent";
    const isMet = this.#met.nodes.some((node) => formatMemberName(node) === name);
    return isMet || !this.isCertain ? "silent" : "gone";
  }

  /** Where another host runs with our very key, and whether it keeps the name. */
  get rival(): { readonly at: Endpoint; readonly hasYielded: boolean } | undefined {
    return this.#gossip.rival;
  }

  /** Whether we met others in this life, and so would know of a twin. */
  get isCertain(): boolean {
    return this.#certainty === "yes";
  }

  /** Why what is known of other nodes cannot be written down, while it cannot. */
  get problem(): string | undefined {
    return this.#met.problem;
  }

  counters(): Record<string, number> {
    return this.#gossip.counters();
  }

  /** Adds targets, or makes them the whole set, and dials at once; the caller writes them down. */
  connect(targets: readonly string[], replace: boolean): void {
    if (replace) this.#dialer.replace(targets, performance.now());
    else this.#dialer.connect(targets, performance.now());
    this.#dials.kick();
  }

  forget(targets: readonly string[]): void {
    this.#dialer.forget(targets);
    this.#save();
  }

  /** A reliable message to the node with that id. Rejects when it is not heard or does not take it. */
  async send(to: NodeId, kind: EnvelopeKind, body: Uint8Array): Promise<void> {
    const peer = this.roster().peers.find((node) => node.metadata.id === to && isHeard(node));
    if (!peer) throw new Error(`node ${to} is out of reach`);
    const at = this.#options.roundabout(to) ?? peer.member.endpoint;
    await this.#gossip.sendStream(at, this.#wrap(kind, body));
  }

  /** A reliable message to an address, heard of or not. Rejects with the reason when nobody took it within `totalMs`. */
  async sendTo(to: Endpoint, kind: EnvelopeKind, body: Uint8Array, totalMs: number): Promise<void> {
    await this.#gossip.sendStream(to, this.#wrap(kind, body), { connectMs: totalMs, totalMs });
  }

  /** One packet to an address, best effort; returns the length of its UDP payload in bytes. */
  sendPacket(to: Endpoint, kind: EnvelopeKind, body: Uint8Array): number {
    return this.#gossip.sendPacket(to, this.#wrap(kind, body));
  }

  /** Another node's envelope as it is, in one packet. */
  passOn(to: Endpoint, envelope: Envelope): void {
    this.#gossip.sendPacket(to, encodeEnvelope(envelope));
  }

  broadcast(key: string, kind: EnvelopeKind, body: Uint8Array): void {
    this.#gossip.broadcast(key, this.#wrap(kind, body));
  }

  /** Our Docker's id became known or changed. */
  setEngineId(engineId: string): void {
    if (engineId !== this.#metadata.engineId) this.#announce({ ...this.#metadata, engineId });
  }

  /** Our connections as they are now; told to others when they differ from what was told. */
  setConnections(connections: readonly RowConnection[]): void {
    const row = this.#board.setOwn(connections);
    if (row) this.broadcast(`row:${this.#name}`, "row", row);
  }

  /** The containers that run here now, with their names; told to others where they differ from what was told. */
  setNames(entries: readonly NameEntry[]): void {
    this.#tellNames(this.#names.setOwn(entries));
  }

  /** Exchanges whole states with each of `peers` now; those that did not answer. Ends within 10 s for 16 peers. */
  async exchange(peers: readonly RosterNode[]): Promise<RosterNode[]> {
    const silent: RosterNode[] = [];
    const waiting = [...peers];
    const worker = async (): Promise<void> => {
      for (let peer = waiting.shift(); peer; peer = waiting.shift()) {
        const answer = await this.#gossip.join(peer.member.endpoint);
        if (!answer.ok) silent.push(peer);
      }
    };
    await Promise.all(Array.from({ length: EXCHANGES_AT_ONCE }, worker));
    return silent;
  }

  /** A node that vanished is gone for good: on disk when it returns, told to others by `exchange`. */
  takeOver({ id, keyFingerprint }: Pick<Departure, "id" | "keyFingerprint">): void {
    this.#depart([{ id, keyFingerprint, cause: "taken-over", atSeconds: nowSeconds() }]);
  }

  /** Leaves the cluster for good: tells everybody by gossip for `withinMs` at most, and `peers` by exchanges. Nobody is dialled from now on. */
  async leave(peers: readonly RosterNode[], withinMs: number): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#dials.close();
    const { id, keyFingerprint } = this.#metadata;
    // Our own word for it first: after a crash from here on this key stays out.
    this.#depart([{ id, keyFingerprint, cause: "left", atSeconds: nowSeconds() }]);
    await this.#gossip.leave(withinMs);
    // Packets may be lost; an exchange is confirmed.
    await this.exchange(peers);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#dials.close();
    await this.#gossip.close();
  }

  #delegate(): GossipDelegate {
    return {
      localState: () =>
        encodeSharedState({
          rings: this.#options.rings(),
          rows: this.#board.encoded(),
          names: this.#names.encoded(),
          departures: encodeDepartures(this.#met.departures.list()),
        }),
      mergeRemoteState: (state) => {
        const shared = decodeSharedState(state);
        if (!shared) return;
        for (const row of shared.rows) this.#board.take(row);
        for (const names of shared.names) this.#tellNames(this.#names.take(names));
        // Rings before departures: whoever follows a departed node in its id must know whose its space is now.
        this.#options.takeRings(shared.rings);
        this.#depart(decodeDepartures(shared.departures) ?? []);
      },
      userMessage: (payload, from, via) => this.#take(payload, from, via),
      memberEvent: (event) => this.#memberEvent(event),
      persistIncarnation: (value) => {
        this.#met.setIncarnation(value);
        this.#save();
      },
      synced: (from, members) => {
        this.#rejections.clear(from.ip);
        const nodes = members.flatMap(({ meta }) => decodeMetadata(meta) ?? []);
        if (nodes.some(({ keyFingerprint }) => keyFingerprint !== this.#metadata.keyFingerprint)) {
          this.#becomeCertain();
          if (!this.#isSettled) this.#takeBinding(nodes);
          this.#settle();
        }
      },
      rejected: (from) => this.#rejections.note(from.ip, from.port, performance.now()),
    };
  }

  /** A newcomer that finds its id taken steps behind the one who has it. */
  #takeBinding(nodes: readonly NodeMetadata[]): void {
    const binding = bindingAfter(this.#metadata, nodes);
    if (binding === this.#metadata.binding) return;
    this.#options.rebound(binding);
    this.#announce({ ...this.#metadata, binding });
  }

  #take(payload: Uint8Array, from: Endpoint, via: "packet" | "stream"): void {
    const envelope = decodeEnvelope(payload);
    if (!envelope) return;
    if (envelope.kind === "row") {
      if (this.#board.take(envelope.body)) this.#options.changed();
    } else if (envelope.kind === "names") {
      this.#tellNames(this.#names.take(envelope.body));
    } else if (envelope.kind === "ring") {
      this.#options.takeRings(envelope.body);
    } else {
      this.#options.receive(envelope, from, via);
    }
  }

  #memberEvent(event: MemberEvent): void {
    const { kind, member } = event;
    const level = kind === "conflict" ? "warn" : "info";
    this.#options.logger[level]("member", { kind, name: member.name, ip: member.endpoint.ip });
    const named = parseMemberName(member.name);
    if (kind === "left" && named) {
      this.#depart([{ ...named, cause: "left", atSeconds: nowSeconds() }]);
    } else if (kind === "dead" && this.hasDeparted(member.name)) {
      // Nothing is expected of it any more, so it need not be looked for.
      this.#gossip.remove(member.name);
    }
    this.#refresh();
    this.#dials?.kick();
  }

  /** Takes in who is gone for good, and lets go of all that was kept for them. */
  #depart(departures: readonly Departure[]): void {
    const news = this.#met.depart(departures);
    if (news.length === 0) return;
    for (const departure of news) {
      const name = formatMemberName(departure);
      this.#options.logger.info("gone for good", { name, cause: departure.cause });
      this.#board.drop(name);
      this.#names.drop(name);
      this.#dialer.dropPeer(name);
      if (this.#gossip.member(name)?.state === "dead") this.#gossip.remove(name);
    }
    this.#refresh();
  }

  /** After any change of members: roster, dialer, what is remembered, and whoever looks at them. */
  #refresh(): void {
    if (!this.#gossip) return;
    this.#roster = undefined;
    this.#dialer.setMembers(this.#others(), performance.now(), Date.now());
    const roster = this.roster();
    this.#met.take(roster);
    this.#names.reach(new Set(roster.peers.filter(isHeard).map(({ member }) => member.name)));
    this.#save();
    this.#options.changed();
  }

  /** All other members, each at every address that it announces. */
  #others(): DialerMember[] {
    return this.#gossip
      .members()
      .filter(({ name }) => name !== this.#name)
      .map((member) => ({
        ...member,
        links: decodeMetadata(member.meta)?.links ?? [],
        departed: this.hasDeparted(member.name),
      }));
  }

  #save(): void {
    this.#met.save(this.#dialer.state().peers);
  }

  #becomeCertain(): void {
    if (this.#certainty !== "none") return;
    this.#certainty = "soon";
    const timer = setTimeout(() => {
      this.#certainty = "yes";
      this.#options.changed();
    }, CERTAIN_AFTER_MS);
    this.#timers.push(timer);
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#options.settled();
  }

  /** With nobody to ask there is nothing to wait for. */
  #settleIfAlone(): void {
    const waits = this.#dialer.targets().some(({ state }) => state !== "failed");
    if (!waits && this.#dialer.peers().length === 0) this.#settle();
  }

  #keepHouse(): void {
    // Also when nothing happened for days: the 72 h of a known peer count from when it was last alive.
    this.#dialer.setMembers(this.#others(), performance.now(), Date.now());
    this.#dialer.expire(Date.now());
    this.#save();
    this.#forgetStrangers();
    // A twin with our key may be gone, which no event tells.
    this.#options.changed();
  }

  #followAddresses(): void {
    const links = this.#links();
    // An interface that is down for a while has no address; announcing none would put loopback in its place.
    if (links.length === 0) return;
    if (links.join() !== this.#metadata.links.join()) this.#announce({ ...this.#metadata, links });
  }

  /** Drops what is kept of who is no member: rows, and contacts of hosts long gone. */
  #forgetStrangers(): void {
    this.#board.dropStrangers();
    this.#names.dropStrangers();
    const places = new Set(this.#gossip.members().map(({ endpoint }) => endpoint.ip));
    for (const ip of this.#dialled) if (!places.has(ip)) this.#dialled.delete(ip);
  }

  #tellNames(news: readonly NameNews[]): void {
    for (const { key, bytes } of news) {
      if (bytes.length <= MAX_BROADCAST_NAMES) this.broadcast(key, "names", bytes);
    }
    if (news.length > 0) this.#options.changed();
  }

  #announce(metadata: NodeMetadata): void {
    this.#metadata = metadata;
    this.#gossip.announce(encodeMetadata(metadata), this.#endpoint());
    this.#refresh();
  }

  #links(): readonly string[] {
    const { links, targets, subnet } = this.#options.node;
    if (links.length > 0) return links;
    const near = targets.filter((target) => parseIpv4(target) !== undefined);
    const found = announcedAddress(networkInterfaces(), near, overlayBlock(subnet));
    return found === undefined ? [] : [found];
  }

  #endpoint(): Endpoint {
    const [ip = "127.0.0.1"] = this.#metadata.links;
    return { ip, port: this.#options.node.ports.gossip };
  }

  #wrap(kind: EnvelopeKind, body: Uint8Array): Uint8Array {
    const { id, keyFingerprint } = this.#metadata;
    return encodeEnvelope({ kind, sender: id, fingerprint: keyFingerprint, body });
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
