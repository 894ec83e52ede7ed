/**
 * The node's part in gossip: who is there, and who is gone for good. It ties gossip to whom this node looks for
 * (`MemberSearch`), what it says of itself (`Announcement`), what all nodes know (`SharedKnowledge`), and what they say to one another (`Post`).
 *
 * Invariant: after any change of members, search, remembered nodes and whoever looks at them are told at once.
 */
import { randomInt } from "node:crypto";
import { Gossip } from "../../gossip/gossip.ts";
import type { GossipDelegate, MemberEvent } from "../../gossip/gossip-delegate.ts";
import { systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { Identity, IdentityKeys } from "../../identity/identity.ts";
import type { HolderState } from "../../ipam/strays.ts";
import type { Departure } from "../../membership/departures.ts";
import { formatMemberName, parseMemberName } from "../../membership/member-name.ts";
import { decodeMetadata, type NodeMetadata } from "../../membership/metadata.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import { listenAddress } from "../../values/node-link.ts";
import { AddressWatch } from "../host-facts/address-watch.ts";
import type { Beat } from "../timing/beat.ts";
import { DelayedCalls } from "../timing/delayed-calls.ts";
import { Announcement } from "./announcement.ts";
import { Arrival } from "./arrival.ts";
import { decodeEnvelope, type Envelope } from "./envelope.ts";
import { LinkLoop } from "./link-loop.ts";
import { MemberSearch } from "./member-search.ts";
import { loadMembershipFile, type MembershipFile, type RememberedNode } from "./membership-file.ts";
import { MetNodes } from "./met-nodes.ts";
import { Post, type PostOptions } from "./post.ts";
import { type Rejection, Rejections } from "./rejections.ts";
import { heardTwins, isHeard, isLive, type Roster, type RosterNode, rosterOf } from "./roster.ts";
import { SharedKnowledge } from "./shared-knowledge.ts";

/** How often old known peers are dropped, and what else grows is looked at. */
const HOUSEKEEPING_MS = 10_000;
/** How often the host's addresses are looked at: others send into the void until they hear of a new one. */
const ADDRESSES_MS = 2_000;

/** A daemon that starts anew goes on with the links of before. */
const LINKS_SAVED_MS = 1_000;

export interface MembershipLoopOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly keys: IdentityKeys;
  readonly version: string;
  /** See `Announcement`. */
  readonly store: NodeMetadata["store"];
  readonly path: string;
  readonly beat: Pick<Beat, "join" | "every">;
  readonly logger: Logger;
  /** Our encoded rings, for each push/pull. */
  readonly rings: () => Uint8Array;
  readonly takeRings: (bytes: Uint8Array) => void;
  /** See `SharedKnowledge`. */
  readonly certificates: () => Uint8Array;
  readonly takeCertificates: (bytes: Uint8Array) => void;
  /** An envelope of a kind that is not ours to handle. The body is only good during the call. */
  readonly receive: (envelope: Envelope, from: Endpoint, via: "packet" | "stream") => void;
  /** Members, targets or rows changed. */
  readonly changed: () => void;
  /** Other links are used: tunnels are to follow at once. */
  readonly moved: (peers: readonly NodeId[]) => void;
  /** Peers came to the link that we use: see `LinkStep`. */
  readonly followed: (peers: readonly NodeId[]) => void;
  /** First contact made, or given up waiting for it. Called once. */
  readonly settled: () => void;
  /** See `Post`. */
  readonly roundabout: PostOptions["roundabout"];
  /** We took a higher binding: to be written down. */
  readonly rebound: (binding: number) => void;
}

export class MembershipLoop {
  readonly #options: MembershipLoopOptions;
  readonly #name: string;
  readonly #search: MemberSearch;
  readonly #announcement: Announcement;
  readonly #arrival: Arrival;
  readonly #knowledge: SharedKnowledge;
  readonly #rejections = new Rejections();
  readonly #met: MetNodes;
  readonly #links: LinkLoop;
  /** A network that goes takes the links to all peers, one after another. */
  readonly #saveSoon = new DelayedCalls(systemClock, LINKS_SAVED_MS, () => this.#save());
  #gossip!: Gossip;
  #post!: Post;
  #roster: Roster | undefined;
  readonly #interfaces = new AddressWatch();
  #ends: (() => void)[] = [];

  static async start(options: MembershipLoopOptions): Promise<MembershipLoop> {
    const loop = new MembershipLoop(options, await loadMembershipFile(options.path));
    await loop.#begin();
    return loop;
  }

  private constructor(options: MembershipLoopOptions, file: MembershipFile) {
    const { node, identity, keys, version, store, settled, changed } = options;
    const boot = randomInt(1, 2 ** 32);
    this.#options = options;
    this.#name = keys.memberName(node.id);
    this.#met = new MetNodes(options.path, options.logger, file);
    this.#announcement = new Announcement({ node, identity, keys, version, boot, store });
    this.#arrival = new Arrival({ settled, certain: changed });
    this.#knowledge = new SharedKnowledge({
      name: this.#name,
      boot,
      member: (name) => this.#gossip.member(name),
      rings: options.rings,
      takeRings: options.takeRings,
      certificates: options.certificates,
      takeCertificates: options.takeCertificates,
      departures: () => this.#met.departures.list(),
      depart: (departures) => this.#depart(departures),
      broadcast: (key, kind, body) => this.#post.broadcast(key, kind, body),
      changed,
    });
    this.#links = new LinkLoop({
      send: (to, body) => this.#post?.sendPacket(to, "link-probe", body),
      moved: (peers) => this.#moved(peers),
      followed: options.followed,
    });
    this.#search = new MemberSearch({
      node,
      name: this.#name,
      peers: file.peers,
      hasDeparted: (name) => this.hasDeparted(name),
      changed: () => {
        this.#settleIfAlone();
        changed();
      },
    });
  }

  async #begin(): Promise<void> {
    const { node, keys } = this.#options;
    this.#gossip = await Gossip.start({
      name: this.#name,
      bind: { ip: listenAddress(node.links), port: node.ports.gossip },
      advertise: this.#announcement.endpoint,
      keys: keys.gossipKeys,
      label: keys.label,
      meta: this.#announcement.encoded(),
      incarnation: this.#met.incarnation,
      delegate: this.#delegate(),
    });
    this.#post = new Post({
      gossip: this.#gossip,
      self: node.id,
      fingerprint: keys.fingerprint,
      peers: () => this.roster().peers,
      twins: () => heardTwins(this.roster()),
      roundabout: this.#options.roundabout,
    });
    this.#search.begin(this.#gossip);
    this.#refresh();
    this.#search.dial();
    this.#settleIfAlone();
    this.#arrival.begin();
    const { beat } = this.#options;
    this.#ends.push(
      beat.join(() => this.#gossip.beat()),
      beat.every(HOUSEKEEPING_MS, () => this.#keepHouse()),
      beat.every(ADDRESSES_MS, () => {
        if (this.#interfaces.haveChanged()) this.#followAddresses();
      }),
    );
  }

  get name(): string {
    return this.#name;
  }

  get endpoint(): Endpoint {
    return this.#announcement.endpoint;
  }

  /** What gossip counted since the start, by name. */
  counters(): Readonly<Record<string, number>> {
    return this.#gossip.counters();
  }

  /** What all nodes know: everybody's rows and names, ours to be told among them. */
  get knowledge(): Pick<SharedKnowledge, "rows" | "names" | "setConnections" | "setNames"> {
    return this.#knowledge;
  }

  /** Whom we look for. Targets that are added are the caller's to write down. */
  get search(): Pick<MemberSearch, "targets" | "knownPeers" | "hasDialled" | "connect"> {
    return this.#search;
  }

  /** Which of its addresses each peer is reached at. */
  get links(): Pick<LinkLoop, "own" | "addressOf" | "used" | "view"> {
    return this.#links;
  }

  /** What parts of the daemon say to other nodes goes through here; what nodes say to them is handed on. */
  get post(): Post {
    return this.#post;
  }

  roster(): Roster {
    this.#roster ??= rosterOf(this.#gossip.members(), this.#name, this.#met.departures);
    return this.#roster;
  }

  /** True for a key that left or was taken over. */
  hasDeparted(name: string): boolean {
    return this.#met.departures.get(name) !== undefined;
  }

  /** Who is gone for good. */
  get departures(): readonly Departure[] {
    return this.#met.departures.list();
  }

  /** Nodes met in this or a former life of the daemon and not heard to have left. */
  get remembered(): readonly RememberedNode[] {
    return this.#met.nodes;
  }

  rejections(): readonly Rejection[] {
    return this.#rejections.rows(performance.now());
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
    return this.#arrival.isCertain;
  }

  /** Why what is known of other nodes cannot be written down, while it cannot. */
  get problem(): string | undefined {
    return this.#met.problem;
  }

  /** Takes targets away; the caller writes down what is left. */
  forget(targets: readonly string[]): void {
    this.#search.forget(targets);
    this.#save();
  }

  /** Our Docker's id became known or changed. */
  setEngineId(engineId: string): void {
    if (this.#announcement.setEngineId(engineId)) this.#announce();
  }

  /** The store in which this node has a vote, from now on. */
  setStore(store: NodeMetadata["store"]): void {
    if (this.#announcement.setStore(store)) this.#announce();
  }

  /** Exchanges whole states with each of `peers` now; those that did not answer. Ends within 10 s for 16 peers. */
  async exchange(peers: readonly RosterNode[]): Promise<RosterNode[]> {
    return await this.#post.exchange(peers);
  }

  /** A node that vanished is gone for good: on disk when it returns, told to others by `exchange`. */
  takeOver({ id, keyFingerprint }: Pick<Departure, "id" | "keyFingerprint">): void {
    this.#depart([{ id, keyFingerprint, cause: "taken-over", atSeconds: nowSeconds() }]);
  }

  /** Leaves the cluster for good: tells everybody by gossip for `withinMs` at most, and `peers` by exchanges. Nobody is dialled from now on. */
  async leave(peers: readonly RosterNode[], withinMs: number): Promise<void> {
    this.#stop();
    const { node, keys } = this.#options;
    const [id, keyFingerprint] = [node.id, keys.fingerprint];
    // Our own word for it first: after a crash from here on this key stays out.
    this.#depart([{ id, keyFingerprint, cause: "left", atSeconds: nowSeconds() }]);
    await this.#gossip.leave(withinMs);
    // Packets may be lost; an exchange is confirmed.
    await this.exchange(peers);
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#gossip.close();
  }

  #stop(): void {
    this.#saveSoon.close();
    for (const end of this.#ends) end();
    this.#arrival.close();
    this.#links.close();
    this.#search.close();
  }

  #delegate(): GossipDelegate {
    return {
      localState: () => this.#knowledge.encoded(),
      mergeRemoteState: (state) => this.#knowledge.merge(state),
      userMessage: (payload, from, via) => this.#take(payload, from, via),
      memberEvent: (event) => this.#memberEvent(event),
      persistIncarnation: (value) => {
        this.#met.setIncarnation(value);
        this.#save();
      },
      synced: (from, members) => {
        this.#rejections.clear(from.ip);
        const nodes = members.flatMap(({ meta }) => decodeMetadata(meta) ?? []);
        if (nodes.some(({ keyFingerprint }) => keyFingerprint !== this.#options.keys.fingerprint)) {
          if (!this.#arrival.isSettled && this.#announcement.stepBehind(nodes)) {
            this.#options.rebound(this.#announcement.binding);
            this.#announce();
          }
          this.#arrival.met();
        }
      },
      rejected: (from) => this.#rejections.note(from.ip, from.port, performance.now()),
    };
  }

  #take(payload: Uint8Array, from: Endpoint, via: "packet" | "stream"): void {
    const envelope = decodeEnvelope(payload);
    if (!envelope || this.#knowledge.take(envelope)) return;
    if (envelope.kind === "link-probe") {
      this.#links.receive(envelope);
      return;
    }
    this.#options.receive(envelope, from, via);
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
    this.#search.dial();
  }

  /** Takes in who is gone for good, and lets go of all that was kept for them. */
  #depart(departures: readonly Departure[]): void {
    const news = this.#met.depart(departures);
    if (news.length === 0) return;
    for (const departure of news) {
      const name = formatMemberName(departure);
      this.#options.logger.info("gone for good", { name, cause: departure.cause });
      this.#knowledge.drop(name);
      this.#search.drop(name);
      if (this.#gossip.member(name)?.state === "dead") this.#gossip.remove(name);
    }
    this.#refresh();
  }

  /** After any change of members: roster, dialer, what is remembered, and whoever looks at them. */
  #refresh(): void {
    if (!this.#gossip) return;
    this.#roster = undefined;
    const roster = this.roster();
    this.#links.setPeers(this.#announcement.links, roster.peers, (id) => this.#met.linkTo(id));
    this.#gossip.setRoutes(this.#links.routes());
    this.#met.take(roster, this.#links);
    this.#search.setMembers(this.#gossip.members(), (id) => this.#links.addressOf(id));
    this.#knowledge.reach(new Set(roster.peers.filter(isHeard).map(({ member }) => member.name)));
    this.#save();
    this.#options.changed();
  }

  /** Gossip goes another way at once. */
  #moved(peers: readonly NodeId[]): void {
    const to = peers.map((id) => `${id} by link ${this.#links.used(id)?.number}`);
    this.#options.logger.info("links", { to });
    this.#gossip.setRoutes(this.#links.routes());
    this.#met.take(this.roster(), this.#links);
    this.#saveSoon.request();
    this.#options.moved(peers);
  }

  #save(): void {
    this.#met.save(this.#search.remembered);
  }

  /** With nobody to ask there is nothing to wait for. */
  #settleIfAlone(): void {
    if (this.#search.isOver) this.#arrival.settle();
  }

  #keepHouse(): void {
    this.#search.keepHouse(this.#gossip.members(), (id) => this.#links.addressOf(id));
    this.#save();
    this.#knowledge.dropStrangers();
    this.#followAddresses();
    // A twin with our key may be gone, which no event tells.
    this.#options.changed();
  }

  #followAddresses(): void {
    if (this.#announcement.followAddresses()) this.#announce();
  }

  #announce(): void {
    const { endpoint } = this.#announcement;
    this.#gossip.announce(this.#announcement.encoded(), endpoint);
    this.#refresh();
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
