/**
 * The node's part in gossip: who is there, whom to dial, whose id is whose, and everybody's row of connections.
 *
 * What other parts of the daemon say to other nodes goes through here, in envelopes; what nodes say to them is handed on.
 */
import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { Gossip } from "../gossip/gossip.ts";
import type { GossipDelegate, MemberEvent } from "../gossip/gossip-delegate.ts";
import type { Logger } from "../host/logger.ts";
import type { Identity, IdentityKeys } from "../identity/identity.ts";
import {
  type ConnectionRow,
  decodeRow,
  encodeRow,
  mergeRow,
  type RowConnection,
} from "../membership/connection-rows.ts";
import { Dialer, type DialerMember, type TargetView } from "../membership/dialer.ts";
import { decodeMetadata, encodeMetadata, type NodeMetadata } from "../membership/metadata.ts";
import { bindingAfter } from "../membership/twins.ts";
import type { NodeFile } from "../processes/node-file.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { parseIpv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { DialLoop } from "./dial-loop.ts";
import { decodeEnvelope, type Envelope, type EnvelopeKind, encodeEnvelope } from "./envelope.ts";
import {
  loadMembershipFile,
  type MembershipFile,
  type RememberedNode,
  saveMembershipFile,
} from "./membership-file.ts";
import { type Rejection, Rejections } from "./rejections.ts";
import { isHeard, type Roster, type RosterNode, rosterOf } from "./roster.ts";
import { decodeSharedState, encodeSharedState } from "./shared-state.ts";
import { announcedAddress, overlayBlock, ownAddresses } from "./underlay.ts";

/** A node whose targets all stay silent is settled after this long and uses what it owns from birth. */
const SETTLED_AFTER_MS = 10_000;
/** How often addresses of the host are looked at and old known peers dropped. */
const HOUSEKEEPING_MS = 10_000;
/** Bytes of a row that still fits a gossip packet with label, encryption and headers: about 100 connections. */
const MAX_BROADCAST_ROW = 1_100;
/** Rows kept at most while their owners are not known as members. */
const MAX_ROWS = 4_096;
/** How exactly it is written down when a known peer was last alive. */
const ALIVE_WITHIN_MS = 3_600_000;

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
  readonly receive: (envelope: Envelope, from: Endpoint) => void;
  /** Members, targets or rows changed. */
  readonly changed: () => void;
  /** First contact made, or given up waiting for it. Called once. */
  readonly settled: () => void;
  /** We took a higher binding: to be written down. */
  readonly rebound: (binding: number) => void;
}

export class MembershipLoop {
  readonly #options: MembershipLoopOptions;
  readonly #name: string;
  readonly #boot = randomInt(1, 2 ** 32);
  readonly #dialer: Dialer;
  readonly #rows = new Map<string, ConnectionRow>();
  readonly #rejections = new Rejections();
  readonly #dialled = new Set<string>();
  #remembered: readonly RememberedNode[];
  #incarnation: number;
  #saved = "";
  #problem: string | undefined;
  #gossip!: Gossip;
  #dials!: DialLoop;
  #metadata: NodeMetadata;
  #roster: Roster | undefined;
  #isSettled = false;
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
    this.#incarnation = file.incarnation;
    this.#remembered = file.nodes;
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
      incarnation: this.#incarnation,
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
  }

  get name(): string {
    return this.#name;
  }

  get endpoint(): Endpoint {
    return this.#endpoint();
  }

  get rows(): ReadonlyMap<string, ConnectionRow> {
    return this.#rows;
  }

  roster(): Roster {
    this.#roster ??= rosterOf(this.#gossip.members(), this.#name);
    return this.#roster;
  }

  /** Nodes met in this or a former life of the daemon and not heard to have left. */
  get remembered(): readonly RememberedNode[] {
    return this.#remembered;
  }

  targets(): readonly TargetView[] {
    return this.#dialer.targets();
  }

  rejections(): readonly Rejection[] {
    return this.#rejections.rows(performance.now());
  }

  /** True when our dial made the contact to the host with that address. */
  hasDialled(ip: string): boolean {
    return this.#dialled.has(ip);
  }

  /** Why what is known of other nodes cannot be written down, while it cannot. */
  get problem(): string | undefined {
    return this.#problem;
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
    await this.#gossip.sendStream(peer.member.endpoint, this.#wrap(kind, body));
  }

  /** One packet to an address, best effort. */
  sendPacket(to: Endpoint, kind: EnvelopeKind, body: Uint8Array): void {
    this.#gossip.sendPacket(to, this.#wrap(kind, body));
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
    const current = this.#rows.get(this.#name);
    if (current && sameConnections(current.connections, connections)) return;
    const version = (current?.version ?? 0) + 1;
    const row = { owner: this.#name, boot: this.#boot, version, connections };
    this.#rows.set(this.#name, row);
    const bytes = encodeRow(row);
    // A larger one would not fit a packet; it goes with each push/pull.
    if (bytes.length <= MAX_BROADCAST_ROW) this.broadcast(`row:${this.#name}`, "row", bytes);
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
          rows: [...this.#rows.values()]
            .filter(({ owner }) => this.#gossip.member(owner))
            .map((row) => encodeRow(row)),
        }),
      mergeRemoteState: (state) => {
        const shared = decodeSharedState(state);
        if (!shared) return;
        for (const row of shared.rows) this.#takeRow(row);
        this.#options.takeRings(shared.rings);
      },
      userMessage: (payload, from) => this.#take(payload, from),
      memberEvent: (event) => this.#memberEvent(event),
      persistIncarnation: (value) => {
        this.#incarnation = value;
        this.#save();
      },
      synced: (from, members) => {
        this.#rejections.clear(from.ip);
        const nodes = members.flatMap(({ meta }) => decodeMetadata(meta) ?? []);
        if (nodes.some(({ keyFingerprint }) => keyFingerprint !== this.#metadata.keyFingerprint)) {
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

  #take(payload: Uint8Array, from: Endpoint): void {
    const envelope = decodeEnvelope(payload);
    if (!envelope) return;
    if (envelope.kind === "row") {
      if (this.#takeRow(envelope.body)) this.#options.changed();
    } else if (envelope.kind === "ring") {
      this.#options.takeRings(envelope.body);
    } else {
      this.#options.receive(envelope, from);
    }
  }

  #takeRow(bytes: Uint8Array): boolean {
    const row = decodeRow(bytes);
    if (!row || row.owner === this.#name) return false;
    const owner = this.#gossip.member(row.owner);
    if (owner?.state === "left") return false;
    if (!owner && !this.#rows.has(row.owner) && this.#rows.size >= MAX_ROWS) return false;
    return mergeRow(this.#rows, row, owner && decodeMetadata(owner.meta)?.boot);
  }

  #memberEvent(event: MemberEvent): void {
    const { kind, member } = event;
    const level = kind === "conflict" ? "warn" : "info";
    this.#options.logger[level]("member", { kind, name: member.name, ip: member.endpoint.ip });
    if (kind === "left") this.#rows.delete(member.name);
    this.#refresh();
    this.#dials?.kick();
  }

  /** After any change of members: roster, dialer, what is remembered, and whoever looks at them. */
  #refresh(): void {
    if (!this.#gossip) return;
    this.#roster = undefined;
    this.#dialer.setMembers(this.#others(), performance.now(), Date.now());
    this.#remember();
    this.#options.changed();
  }

  /** All other members, each at every address that it announces. */
  #others(): DialerMember[] {
    return this.#gossip
      .members()
      .filter(({ name }) => name !== this.#name)
      .map((member) => ({ ...member, links: decodeMetadata(member.meta)?.links ?? [] }));
  }

  #remember(): void {
    const { peers } = this.roster();
    const gone = new Set(
      peers.filter(({ member }) => member.state === "left").map(({ metadata }) => metadata.id),
    );
    const met = peers.filter(({ member }) => member.state !== "left").map(rememberedNode);
    const others = this.#remembered.filter(
      ({ id }) => !gone.has(id) && !met.some((node) => node.id === id),
    );
    this.#remembered = [...met, ...others].sort((a, b) => a.id - b.id);
    this.#save();
  }

  #save(): void {
    const { peers } = this.#dialer.state();
    // A known peer is written down when it is met and once an hour, not each time it is heard.
    const text = JSON.stringify([
      this.#incarnation,
      peers.map(({ name, endpoint, lastAliveMs }) => [
        name,
        endpoint,
        Math.floor(lastAliveMs / ALIVE_WITHIN_MS),
      ]),
      this.#remembered,
    ]);
    if (text === this.#saved) return;
    try {
      saveMembershipFile(this.#options.path, {
        version: 1,
        incarnation: this.#incarnation,
        peers,
        nodes: this.#remembered,
      });
      this.#saved = text;
      this.#problem = undefined;
    } catch (error) {
      // A full disk must not end the daemon: others raise our incarnation by refutation, and housekeeping writes again.
      this.#problem = `STATE_UNWRITABLE: ${this.#options.path} cannot be written, so nodes met now are forgotten by a restart`;
      this.#options.logger.error("membership cannot be written", { error: `${error}` });
    }
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
    const links = this.#links();
    // An interface that is down for a while has no address; announcing none would put loopback in its place.
    if (links.length === 0) return;
    if (links.join() !== this.#metadata.links.join()) this.#announce({ ...this.#metadata, links });
  }

  /** Drops what is kept of who is no member: rows that came before, or instead of, their owner, and contacts of hosts long gone. */
  #forgetStrangers(): void {
    for (const owner of this.#rows.keys()) {
      if (!this.#gossip.member(owner)) this.#rows.delete(owner);
    }
    const places = new Set(this.#gossip.members().map(({ endpoint }) => endpoint.ip));
    for (const ip of this.#dialled) if (!places.has(ip)) this.#dialled.delete(ip);
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

function rememberedNode({ member, metadata }: RosterNode): RememberedNode {
  const { id, name, keyFingerprint, wireguardKey, ports } = metadata;
  return {
    id,
    name,
    keyFingerprint,
    wireguardKey: Buffer.from(wireguardKey).toString("base64"),
    endpoint: { ip: member.endpoint.ip, port: ports.overlay },
  };
}

/** Round-trip times wander; they are told again only when they changed by 5 ms and half. */
function sameConnections(a: readonly RowConnection[], b: readonly RowConnection[]): boolean {
  return (
    a.length === b.length &&
    a.every((old, index) => {
      const now = b[index];
      if (!now || old.peer !== now.peer || old.keyFingerprint !== now.keyFingerprint) return false;
      if (old.state !== now.state || old.mtu !== now.mtu || old.backend !== now.backend)
        return false;
      const [before, after] = [old.rttMs ?? 0, now.rttMs ?? 0];
      return Math.abs(before - after) <= 5 + before / 2;
    })
  );
}
