/**
 * Keeps traffic going between hosts that do not reach each other by UDP: the core decides which way each peer's tunnel takes, and here
 * the datagrams are carried, our own tunnel's and, as the member between, those of others.
 *
 * Invariants: a datagram passes at most one member between, which takes it only from the stream of the node that it comes from, and hands it only to
 * the node that it is for; a stream inside the overlay never carries the tunnel that it runs through.
 */
import { isErrno } from "../../errors.ts";
import { systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { IdentityKeys } from "../../identity/identity.ts";
import { type ConnectionRow, type MeshEdge, mesh } from "../../membership/connection-rows.ts";
import type { PeerRelay } from "../../overlay/overlay-config.ts";
import { DirectProbes } from "../../relay/direct-probes.ts";
import { x25519PublicKey } from "../../relay/handshake-initiation.ts";
import { LATE_MS, LocalPorts } from "../../relay/local-ports.ts";
import type { RelayFrame } from "../../relay/relay-frame.ts";
import { type Path, type RelayAction, RelayPaths } from "../../relay/relay-paths.ts";
import { RelayStreams } from "../../relay/relay-streams.ts";
import { relayTls } from "../../relay/relay-tls.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { RosterNode } from "../membership/roster.ts";
import type { Beat } from "../timing/beat.ts";
import { DelayedCalls } from "../timing/delayed-calls.ts";
import type { TunnelView } from "./tunnel-proof.ts";

/** How long the member between keeps looking for a stream to a node that another sends to. */
const FORWARD_MS = 10_000;
/** How long a stream is held ready for a tunnel that missed an answer. */
const PREPARED_MS = 5_000;
/** After the last late datagram was handed over. */
const MARGIN_MS = 100;
/** "No route" is said at most so often for one node. */
const NO_ROUTE_EVERY_MS = 200;

export interface RelayLoopOptions {
  readonly self: NodeId;
  /** Of our tunnel (UDP) and of the streams (TCP). */
  readonly at: Endpoint;
  readonly keys: IdentityKeys;
  readonly roots: readonly Uint8Array[];
  readonly logger: Logger;
  /** The peers that gossip hears, ascending. */
  readonly peers: () => readonly RosterNode[];
  readonly rows: () => ReadonlyMap<string, ConnectionRow>;
  readonly tunnel: (peer: NodeId) => TunnelView;
  /** A node's address inside the overlay, as text; undefined for an id that has none. */
  readonly nodeAddress: (peer: NodeId) => string | undefined;
  /** True for an address inside the overlay. */
  readonly isInside: (ip: string) => boolean;
  /** The way to `peer`, or the port that stands for it, is another now. */
  readonly moved: (peer: NodeId) => void;
  readonly beat: Pick<Beat, "join">;
  /** A return to the direct path is over: where late datagrams led the tunnel astray it is to be told again. */
  readonly returned: () => void;
}

export class RelayLoop {
  readonly #options: RelayLoopOptions;
  readonly #paths: RelayPaths;
  readonly #streams: RelayStreams;
  readonly #ports: LocalPorts;
  readonly #probes: DirectProbes;
  /** The node whose stream last carried a peer's datagrams: also for those still under way after a return. */
  readonly #ways = new Map<NodeId, NodeId>();
  /** Nodes to which a stream is wanted beside those that the core wants, until when. */
  readonly #alsoWanted = new Map<NodeId, number>();
  readonly #refusedMs = new Map<NodeId, number>();
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  readonly #returns: DelayedCalls;
  readonly #rest: () => void;
  #closed = false;

  constructor(options: RelayLoopOptions) {
    const { self, at, keys } = options;
    this.#options = options;
    this.#paths = new RelayPaths(self);
    this.#returns = new DelayedCalls(systemClock, LATE_MS + MARGIN_MS, options.returned);
    this.#ports = new LocalPorts({
      tunnelPort: at.port,
      nowMs: () => performance.now(),
      sent: (peer, datagram) => this.#send(peer, datagram),
      bound: (peer) => options.moved(peer),
    });
    this.#probes = new DirectProbes({
      privateKey: keys.askingKey(keys.wireguard.publicKey),
      wallMs: Date.now,
      answered: (peer) => this.#paths.answered(peer, performance.now()),
    });
    this.#streams = new RelayStreams({
      id: self,
      fingerprint: keys.fingerprint,
      at,
      tls: () => relayTls(options.roots),
      isMember: (id, mark) => this.#peer(id)?.metadata.keyFingerprint === mark,
      addresses: (id) => this.#addressesOf(id),
      isInside: options.isInside,
      frame: (frame, from) => this.#take(frame, from),
      changed: () => this.changed(),
      problem: (error) => this.#setProblem(error),
    });
    this.#rest = options.beat.join(() => this.#streams.beat());
  }

  /** Proofs, members or rows may have changed. */
  changed(): void {
    if (this.#closed) return;
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.#step();
    });
  }

  /** These tunnels may be about to be lost: streams to the hosts are made, so that there is a way when they are. */
  prepare(peers: readonly NodeId[]): void {
    const until = performance.now() + PREPARED_MS;
    for (const peer of peers) this.#alsoWanted.set(peer, until);
    this.changed();
  }

  path(peer: NodeId): Path {
    return this.#paths.path(peer);
  }

  /** What the tunnel is told of a peer that is relayed; undefined for one that is not, or whose port is being made. */
  overlayRelay(peer: NodeId, wireguardKey: string): PeerRelay | undefined {
    if (this.#paths.path(peer).kind === "direct") return undefined;
    const port = this.#ports.portOf(peer);
    if (port === undefined) return undefined;
    const asker = x25519PublicKey(this.#options.keys.askingKey(wireguardKey));
    return { port, askerKey: Buffer.from(asker).toString("base64") };
  }

  /** Why there is no relay, while there is none. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rest();
    clearTimeout(this.#timer);
    this.#returns.close();
    clearImmediate(this.#soon);
    this.#ports.close();
    this.#probes.rest();
    await this.#streams.close();
  }

  #step(): void {
    const nowMs = performance.now();
    const { peers, rows, tunnel } = this.#options;
    const heard = peers();
    let edges: ReadonlyMap<string, MeshEdge> | undefined;
    const actions = this.#paths.step(
      {
        peers: heard.map(({ metadata: { id } }) => {
          const { proved, smallOnly } = tunnel(id);
          return { id, proved, smallOnly };
        }),
        streams: this.#streams.outside,
        anyStreams: this.#streams.open,
        between: (peer) => {
          edges ??= new Map(mesh(rows().values()).map((edge) => [`${edge.from} ${edge.to}`, edge]));
          return this.#between(peer, heard, edges);
        },
      },
      nowMs,
    );
    this.#carryOut(actions);
    for (const [id, until] of this.#alsoWanted) if (until <= nowMs) this.#alsoWanted.delete(id);
    this.#streams.want(new Set([...this.#paths.wanted, ...this.#alsoWanted.keys()]));
    if (this.#paths.relayed().length === 0) this.#probes.rest();
    this.#arm(nowMs);
  }

  #arm(nowMs: number): void {
    clearTimeout(this.#timer);
    const until = Math.min(...this.#alsoWanted.values());
    const pauseMs = Math.min(until - nowMs, this.#paths.pauseMs(nowMs));
    if (this.#closed || pauseMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#step(), pauseMs);
  }

  /** Members whose tunnels to us and to `peer` work, with no third member between, ascending. */
  #between(
    peer: NodeId,
    heard: readonly RosterNode[],
    edges: ReadonlyMap<string, MeshEdge>,
  ): NodeId[] {
    const target = this.#peer(peer)?.member.name;
    if (target === undefined) return [];
    return heard
      .filter(({ member, metadata: { id } }) => {
        if (id === peer || !this.#options.tunnel(id).proved) return false;
        if (this.#paths.path(id).kind === "via") return false;
        const edge = edges.get([member.name, target].sort().join(" "));
        return edge?.state === "established" && edge.via === undefined;
      })
      .map(({ metadata }) => metadata.id);
  }

  #carryOut(actions: readonly RelayAction[]): void {
    const { self, logger, moved } = this.#options;
    for (const action of actions) {
      const { peer } = action;
      if (action.type === "say") {
        this.#streams.send(action.stream, { type: "say", from: self, to: peer, ...action.say });
      } else if (action.type === "probe") {
        this.#probe(peer);
      } else {
        const path = this.#paths.path(peer);
        logger.info("path of a tunnel", { peer, ...path });
        if (path.kind === "direct") {
          this.#ports.letGo(peer);
          this.#returns.request();
        } else {
          this.#ways.set(peer, path.kind === "tcp" ? peer : path.id);
          this.#ports.hold(peer);
          this.#streams.closeInside(peer);
        }
        moved(peer);
      }
    }
  }

  #probe(peer: NodeId): void {
    const node = this.#peer(peer);
    if (!node) return;
    const { ports, wireguardKey } = node.metadata;
    this.#probes.ask(peer, wireguardKey, { ip: node.member.endpoint.ip, port: ports.overlay });
  }

  /** Our tunnel's datagram for `peer`. */
  #send(peer: NodeId, datagram: Buffer): void {
    const way = this.#ways.get(peer);
    if (way === undefined) return;
    const frame = { type: "data", from: this.#options.self, to: peer, datagram } as const;
    this.#streams.send(way, frame, way === peer ? "outside" : "any");
  }

  #take(frame: RelayFrame, from: NodeId): void {
    // Streams bring frames until they are closed, which takes its time.
    if (this.#closed) return;
    const { self } = this.#options;
    const nowMs = performance.now();
    if (frame.type === "no-route") {
      this.#paths.noRoute(frame.to, from, nowMs);
      this.changed();
    } else if (frame.type === "data" || frame.type === "say") {
      if (frame.to !== self) this.#forward(frame, from, nowMs);
      else if (this.#peer(frame.from) === undefined) return;
      else if (frame.type === "data") this.#ports.deliver(frame.from, frame.datagram);
      else {
        this.#carryOut(this.#paths.heard(frame.from, frame, from, nowMs));
        this.changed();
      }
    }
  }

  /** As the member between. */
  #forward(frame: RelayFrame & { type: "data" | "say" }, from: NodeId, nowMs: number): void {
    const { to } = frame;
    if (frame.from !== from) return;
    const isKnown = this.#peer(to) !== undefined;
    if (isKnown) {
      if (!this.#alsoWanted.has(to)) this.changed();
      this.#alsoWanted.set(to, nowMs + FORWARD_MS);
      if (this.#streams.send(to, frame)) return;
    }
    if (nowMs - (this.#refusedMs.get(to) ?? 0) < NO_ROUTE_EVERY_MS) return;
    // Of nodes that are none, too, but not of each for ever.
    if (this.#refusedMs.size > 1_024) this.#refusedMs.clear();
    this.#refusedMs.set(to, nowMs);
    this.#streams.send(from, { type: "no-route", to });
  }

  #peer(id: NodeId): RosterNode | undefined {
    return this.#options.peers().find(({ metadata }) => metadata.id === id);
  }

  /** The host's own addresses, and through the tunnel when that takes the direct path: there TCP needs no open port. */
  #addressesOf(id: NodeId): Endpoint[] {
    const peer = this.#peer(id);
    if (!peer) return [];
    const { links, ports } = peer.metadata;
    const isDirect = this.path(id).kind === "direct" && this.#options.tunnel(id).proved;
    const inside = isDirect ? this.#options.nodeAddress(id) : undefined;
    const addresses = links.map(({ address }) => address);
    const places = [
      peer.member.endpoint.ip,
      ...addresses,
      ...(inside === undefined ? [] : [inside]),
    ];
    return [...new Set(places)].map((ip) => ({ ip, port: ports.overlay }));
  }

  #setProblem(error: unknown): void {
    if (error === undefined) {
      this.#problem = undefined;
      return;
    }
    const text = error instanceof Error ? error.message : String(error);
    const code = isErrno(error, "EADDRINUSE") ? "PORT_TAKEN: " : "";
    this.#problem = `${code}nodes that UDP does not reach cannot open a relay stream to this one: ${text}`;
    this.#options.logger.warn("no relay", { error: text });
  }
}
