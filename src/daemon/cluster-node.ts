/**
 * One running node: builds the loops, and ties each one's news to the others. `answers` is what the API asks.
 *
 * Wiring only. What is decided is decided in the cores; what is done is done in the loops.
 */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { NodePort } from "../api/node-port.ts";
import { BUILD } from "../api/version.ts";
import { HttpEngine } from "../docker/engine-http.ts";
import { systemClock } from "../host/clock.ts";
import { systemCommand } from "../host/command.ts";
import type { Logger } from "../host/logger.ts";
import { type Identity, identityKeys } from "../identity/identity.ts";
import { saveIdentity } from "../identity/identity-file.ts";
import { type AddressPlan, addressPlan, nodeAddress } from "../ipam/address-plan.ts";
import { encodeIpamMessage } from "../ipam/message-codec.ts";
import type { RingEntry } from "../ipam/step.ts";
import { dockerNetwork } from "../overlay/docker-network.ts";
import type { NodeFile } from "../processes/node-file.ts";
import type { Paths } from "../processes/paths.ts";
import { searchPath } from "../processes/start-process.ts";
import { storePorts } from "../processes/store-process.ts";
import { storeTls } from "../store/store-tls.ts";
import { formatIpv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { AddressLoop } from "./addresses/address-loop.ts";
import { RingRecords } from "./addresses/ring-records.ts";
import { StrayLoop } from "./addresses/stray-loop.ts";
import { ClusterAnswers } from "./cluster-answers.ts";
import { ClusterContainers } from "./containers/cluster-containers.ts";
import { ContainerStreams } from "./containers/container-streams.ts";
import { ContainerWatch } from "./containers/container-watch.ts";
import { DataPath } from "./data-path/data-path.ts";
import { DockerLoop } from "./docker/docker-loop.ts";
import { AuditLog } from "./doors/audit-log.ts";
import { ControlPlane } from "./doors/control-plane.ts";
import { NodeForwarding } from "./doors/node-forwarding.ts";
import { PeerRequests } from "./doors/peer-requests.ts";
import { IncomingPost } from "./incoming-post.ts";
import { JoinDesk } from "./joining/join-desk.ts";
import { JoinerCheck } from "./joining/joiner-check.ts";
import { CertificateBook } from "./membership/certificate-book.ts";
import { MembershipLoop } from "./membership/membership-loop.ts";
import { heardPeers } from "./membership/roster.ts";
import { NameLoop } from "./names/name-loop.ts";
import { NodeAnswers } from "./node-answers.ts";
import { NodeDoctor } from "./status/node-doctor.ts";
import { StorePart } from "./store/store-part.ts";
import { Beat, beatClock } from "./timing/beat.ts";
import { SerialQueue } from "./timing/serial-queue.ts";

export interface ClusterNodeOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly paths: Paths;
  readonly logger: Logger;
}

export class ClusterNode {
  readonly #options: ClusterNodeOptions;
  readonly #plan: AddressPlan;
  readonly #records: RingRecords;
  readonly #writes: SerialQueue;
  #dataPath!: DataPath;
  #membership!: MembershipLoop;
  #addresses!: AddressLoop;
  #docker!: DockerLoop;
  #names!: NameLoop;
  #doctor!: NodeDoctor;
  #strays!: StrayLoop;
  #controlPlane!: ControlPlane;
  #peers!: PeerRequests;
  #watch!: ContainerWatch;
  #containers!: ClusterContainers;
  #forwarding!: NodeForwarding;
  #joins!: JoinDesk;
  #book!: CertificateBook;
  #streams!: ContainerStreams;
  #store!: StorePart;
  /** What comes round goes with it. */
  readonly beat = new Beat(beatClock);
  /** Of all changes that anybody asks for. */
  readonly audit: AuditLog;
  /** Set when all parts are there. */
  #answers: NodeAnswers | undefined;

  static async start(options: ClusterNodeOptions): Promise<ClusterNode> {
    const node = new ClusterNode(options);
    await node.#start();
    return node;
  }

  private constructor(options: ClusterNodeOptions) {
    this.#options = options;
    this.#plan = addressPlan(options.node.subnet);
    this.#records = new RingRecords(this.#plan, options.node.encryption);
    this.#writes = new SerialQueue((error) =>
      options.logger.error("writing node state failed", { error: `${error}` }),
    );
    this.audit = new AuditLog(join(options.paths.logDir, "audit.log"), options.logger);
  }

  async #start(): Promise<void> {
    const { node, identity, paths, logger } = this.#options;
    const keys = identityKeys(identity);
    const roots = identity.roots.map(({ root }) => root);
    this.#dataPath = await DataPath.load({
      ...{ node, identity, plan: this.#plan, stateDir: paths.stateDir, logger },
      membership: () => this.#membership,
      segments: () => this.#addresses.view().segments,
      engine: () => this.#docker?.info,
      beat: this.beat,
      changed: () => this.#changed(),
    });
    this.#doctor = new NodeDoctor({
      ...{ node, logger: logger.child({ part: "doctor" }), dataPath: this.#dataPath },
      membership: () => this.#membership,
      docker: () => this.#docker,
      status: () => this.answers.status(),
      clockOffsetMs: Number(process.env["HANSA_TEST_CLOCK_OFFSET_MS"] ?? 0) || 0,
    });
    this.#addresses = await AddressLoop.start({
      self: node.id,
      plan: this.#plan,
      ringPath: join(paths.stateDir, "ring.json"),
      controlPath: paths.controlSocket,
      logger: logger.child({ part: "addresses" }),
      send: (to, message) =>
        this.#membership.post.send(to, "ipam", encodeIpamMessage(this.#plan, message)),
      broadcast: (entries) => this.#broadcastRing(entries),
      changed: () => this.#changed(),
      pluginReady: () => this.#docker?.wake(),
    });
    this.#strays = await StrayLoop.start({
      name: keys.memberName(node.id),
      path: join(paths.stateDir, "strays.json"),
      logger: logger.child({ part: "addresses" }),
      owned: () => (this.#isFenced ? [] : this.#addresses.owned()),
      tell: (body) => this.#membership.post.sendToEach("stray", body),
      stateOf: (holder) => this.#membership.stateOf(holder),
      avoid: (ranges) => this.#addresses.input({ type: "avoid", ranges }),
      changed: () => this.#changed(),
      look: () => this.#docker?.wake(),
      beat: this.beat,
    });
    this.#book = await CertificateBook.load({
      ...{ self: node.id, path: join(paths.stateDir, "certificates.json"), clock: systemClock },
      logger: logger.child({ part: "api" }),
      tell: (key, body) => this.#membership?.post.broadcast(key, "certificates", body),
      revoked: () => this.#controlPlane?.revoked(),
    });
    this.#store = await StorePart.load({
      ...{ self: node, logger: logger.child({ part: "store" }), changed: () => this.#changed() },
      roots,
      place: {
        ...{ paths, name: keys.memberName(node.id), ports: storePorts(node.ports) },
        ...{ folders: searchPath(process.env), ip: this.#insideOf(node.id) },
        tls: () => storeTls(roots, [this.#insideOf(node.id)]),
      },
    });
    const incoming = new IncomingPost({
      ...{ plan: this.#plan, records: this.#records, logger },
      membership: () => this.#membership,
      addresses: () => this.#addresses,
      strays: () => this.#strays,
      doctor: () => this.#doctor,
      dataPath: () => this.#dataPath,
      heard: (entries) => this.#answers?.heard(entries),
    });
    this.#membership = await MembershipLoop.start({
      node,
      identity,
      keys,
      version: BUILD,
      store: this.#store.place.settled,
      path: join(paths.stateDir, "membership.json"),
      beat: this.beat,
      logger: logger.child({ part: "membership" }),
      rings: () => this.#records.encode(this.#addresses.entries()),
      takeRings: (bytes) => incoming.takeRings(bytes),
      certificates: () => this.#book.encoded(),
      takeCertificates: (bytes) => this.#book.take(bytes),
      receive: (envelope, from, via) => incoming.receive(envelope, from, via),
      changed: () => this.#changed(),
      settled: () => this.#addresses.input({ type: "settled" }),
      moved: (peers) => {
        this.#dataPath.steer(peers);
        this.#peers?.moved(peers);
        this.#changed();
      },
      followed: (peers) => this.#dataPath.steer(peers),
      roundabout: (id, by) => this.#dataPath.roundabout(id, by),
      rebound: (binding) =>
        this.#writes.add(() => saveIdentity(paths.stateDir, { ...identity, binding })),
    });
    this.#addresses.begin();
    const engine = new HttpEngine();
    this.#names = new NameLoop({
      self: node.id,
      plan: this.#plan,
      roster: () => this.#membership.roster(),
      registry: this.#membership.knowledge.names,
      tell: (entries) => this.#membership.knowledge.setNames(entries),
      changed: () => this.#changed(),
    });
    this.#watch = new ContainerWatch({
      engine,
      logger: logger.child({ part: "docker" }),
      told: (change) => {
        if (change.type !== "lost") this.#names.setContainers(this.#watch.containers.values());
        this.#containers.seen(change);
      },
    });
    this.#docker = new DockerLoop({
      engine,
      logger: logger.child({ part: "docker" }),
      network: () => {
        const input = this.#dataPath.overlayInput();
        return input && dockerNetwork(input);
      },
      pluginConnected: () => this.#addresses.pluginConnected,
      leases: () => this.#addresses.leases(),
      free: (addresses) => this.#addresses.free(addresses),
      seen: (containers) => this.#strays.setContainers(containers),
      event: (event) => this.#watch.seen(event),
      changed: () => {
        // Docker's start takes rules and the bridge's settings away.
        this.#dataPath.repair();
        this.#changed();
      },
    });
    this.#dataPath.begin();
    this.#peers = new PeerRequests({
      self: node.id,
      roster: () => this.#membership.roster(),
      remembered: () => this.#membership.remembered,
      inside: (id) => this.#dataPath.inside(id)?.ip,
      reachedAt: (id) => this.#membership.links.addressOf(id),
      links: (id) => this.#membership.links.view(id),
      roundabout: (id) => this.#dataPath.roundabout(id, "stream")?.ip,
      secureContext: () => this.#controlPlane.secureContext(),
      nowMs: () => performance.now(),
    });
    this.#forwarding = new NodeForwarding({ self: node, peers: this.#peers });
    this.#streams = new ContainerStreams({
      ...{ self: node, engine, names: this.#names, peers: this.#peers, logger },
      ...{ forwarding: this.#forwarding, audit: this.audit },
      containers: () => this.answers.containers(),
    });
    this.#containers = new ClusterContainers({
      self: { id: node.id, name: node.name },
      watch: () => this.#watch,
      peers: this.#peers,
    });
    this.#controlPlane = new ControlPlane({
      routing: (callerOf) => this.#forwarding.routing(callerOf),
      streams: (callerOf, admit) => this.#streams.server(callerOf, admit),
      tunnels: (callerOf) => this.#store.tunnels(callerOf),
      ...{ node, identity, audit: this.audit, book: this.#book, clock: systemClock },
      logger: logger.child({ part: "api" }),
      answers: () => this.answers,
      addresses: () => {
        const inside = this.#dataPath.inside(node.id);
        const links = node.links.map(({ address }) => address);
        return [this.#membership.endpoint.ip, ...links, ...(inside ? [inside.ip] : [])];
      },
    });
    this.#joins = new JoinDesk({
      ...{ node, identity, keys, clock: systemClock, maxId: this.#plan.maxNodeId },
      membership: this.#membership,
      peers: this.#peers,
      logger: logger.child({ part: "joins" }),
      owners: () => this.#addresses.view().entries.filter(({ born }) => born),
    });
    this.#store.connect({
      ...{ membership: this.#membership, peers: this.#peers },
      inside: (id) => this.#insideOf(id),
    });
    this.#answers = this.#makeAnswers();
    await this.#controlPlane.begin();
    this.#store.begin();
    this.#changed();
  }

  /** A node's address inside of the overlay. */
  #insideOf(id: NodeId): string {
    return formatIpv4(nodeAddress(this.#plan, id));
  }

  /** What the API asks of the node. */
  get answers(): NodePort {
    if (!this.#answers) throw new Error("the node is not started yet");
    return this.#answers;
  }

  /** What passes requests for other nodes on. */
  get forwarding(): NodeForwarding {
    return this.#forwarding;
  }

  get streams(): ContainerStreams {
    return this.#streams;
  }

  #makeAnswers(): NodeAnswers {
    const { node, paths, logger } = this.#options;
    return new NodeAnswers({
      parts: {
        membership: this.#membership,
        addresses: this.#addresses,
        dataPath: this.#dataPath,
        docker: this.#docker,
        names: this.#names,
        strays: this.#strays,
        doctor: this.#doctor,
        controlPlane: this.#controlPlane,
        joins: this.#joins,
        book: this.#book,
        containers: this.#containers,
        store: this.#store.answers,
        cluster: new ClusterAnswers({
          ...{ node, store: this.#store.answers, membership: this.#membership, nowMs: Date.now },
          ...{ controlPlane: this.#controlPlane, peers: this.#peers },
          joiners: this.#joinersOf(),
          registered: () => this.#store.registered,
          containers: () => this.answers.containers(),
          takeOver: (wanted, confirmed) => this.answers.takeOver(wanted, confirmed),
        }),
        storePart: this.#store,
      },
      ...{ plan: this.#plan, node, nodePath: paths.nodeFile, writes: this.#writes, logger },
    });
  }

  #joinersOf(): JoinerCheck {
    const { node, paths, logger } = this.#options;
    const mark = join(paths.runDir, "join-check");
    const joiners = new JoinerCheck(systemCommand, node.ports, mark);
    // They match nothing any more; nothing waits for this.
    joiners
      .clear()
      .catch((error: unknown) =>
        logger.warn("tables of former checks of ports may be left", { error: `${error}` }),
      );
    return joiners;
  }

  async close(): Promise<void> {
    this.beat.close();
    this.#doctor.close();
    await this.#store.close();
    this.#containers.close();
    await this.#controlPlane.close();
    this.#peers.close();
    await this.#dataPath.close();
    await this.#strays.close();
    await Promise.all([this.#docker.close(), this.#watch.close()]);
    this.#names.close();
    await this.#membership.close();
    await this.#addresses.close();
    await this.#writes.drained();
  }

  /** Resolves when Docker has the network, at the latest after `withinMs`: Docker may be down. */
  async networkMade(withinMs: number): Promise<void> {
    await Promise.race([this.#docker.networkMade, setTimeout(withinMs, undefined, { ref: false })]);
  }

  /** Anything changed that others of our parts look at. Cheap: each part asks itself whether it matters. */
  #changed(): void {
    if (!this.#answers) return;
    const heard = heardPeers(this.#membership.roster());
    const fenced = this.#isFenced;
    // Only who met others knows that nobody else has the id: until then a fence from before stands.
    if (fenced || this.#membership.isCertain) this.#addresses.input({ type: "fenced", fenced });
    this.#strays.update();
    this.#addresses.input({ type: "reachable", nodes: heard });
    this.#dataPath.setPeers(heard);
    this.#membership.setEngineId(this.#docker.info?.id ?? "");
    this.#membership.knowledge.setConnections(this.#dataPath.connections());
    this.#dataPath.changed();
    this.#controlPlane.changed();
    this.#peers.changed();
    this.#containers.changed();
    this.#store.changed();
    this.#answers.changed();
  }

  /** Whether another host has our id, or even our key, and keeps it, or the others hold us gone for good. */
  get #isFenced(): boolean {
    const { usurper, expelled } = this.#membership.roster();
    const isOut = usurper !== undefined || expelled !== undefined;
    return isOut || this.#membership.rival?.hasYielded === true;
  }

  #broadcastRing(entries: readonly RingEntry[]): void {
    for (const { key, bytes } of this.#records.messages(entries)) {
      this.#membership.post.broadcast(key, "ring", bytes);
    }
  }
}
