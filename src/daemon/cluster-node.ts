/**
 * One running node: builds the loops, ties each one's news to the others, and answers the API.
 *
 * Wiring only. What is decided is decided in the cores; what is done is done in the loops.
 */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { AddressCheck, Left, TakenOver } from "../api/address-schemas.ts";
import type { DoctorReport } from "../api/doctor-schema.ts";
import { inspectionOf } from "../api/inspection.ts";
import type { Inspection } from "../api/inspection-schema.ts";
import type { NodePort } from "../api/node-port.ts";
import type { Status } from "../api/status-schema.ts";
import { BUILD, VERSION, type Version } from "../api/version.ts";
import { HttpEngine } from "../docker/engine-http.ts";
import { HansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import { systemCommand } from "../host/command.ts";
import type { Logger } from "../host/logger.ts";
import { type Identity, identityKeys } from "../identity/identity.ts";
import { saveIdentity } from "../identity/identity-file.ts";
import { type AddressPlan, addressPlan, nodeAddress } from "../ipam/address-plan.ts";
import { decodeIpamMessage, encodeIpamMessage } from "../ipam/message-codec.ts";
import type { RingEntry } from "../ipam/step.ts";
import { formatMemberName } from "../membership/member-name.ts";
import { dockerNetwork } from "../overlay/docker-network.ts";
import { LinuxOverlay } from "../overlay/linux-overlay.ts";
import { type OverlayInput, TUNNEL_DEVICES } from "../overlay/overlay-config.ts";
import { backendOf, type NodeFile, saveNodeFile } from "../processes/node-file.ts";
import type { Paths } from "../processes/paths.ts";
import { DIRECT, type Path } from "../relay/relay-paths.ts";
import type { Endpoint } from "../values/endpoint.ts";
import { formatIpv4, type Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { addressCheck } from "./address-check.ts";
import { AddressLoop } from "./address-loop.ts";
import { ChecksumTrial } from "./checksum-trial.ts";
import { DockerLoop } from "./docker-loop.ts";
import { DockerMemory, factsOf } from "./docker-memory.ts";
import type { Envelope } from "./envelope.ts";
import { Farewell } from "./farewell.ts";
import { linkMtu } from "./link-mtu.ts";
import { MembershipLoop } from "./membership-loop.ts";
import { NameLoop } from "./name-loop.ts";
import { NodeDoctor } from "./node-doctor.ts";
import { expelledSentence, nodeWarnings } from "./node-warnings.ts";
import { OverlayLoop } from "./overlay-loop.ts";
import { ownConnections } from "./own-connections.ts";
import { RelayLoop } from "./relay-loop.ts";
import { RingRecords } from "./ring-records.ts";
import { heardPeers, isHeard, type Roster } from "./roster.ts";
import { SerialQueue } from "./serial-queue.ts";
import { StatusFeed } from "./status-feed.ts";
import { statusOf } from "./status-view.ts";
import { StrayLoop } from "./stray-loop.ts";
import { straySentences } from "./stray-warnings.ts";
import { takeOver } from "./take-over.ts";
import { TunnelLoop } from "./tunnel-loop.ts";
import { isInSubnet, overlayBlock } from "./underlay.ts";

const BRIDGE = "hansa0";

export interface ClusterNodeOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly paths: Paths;
  readonly logger: Logger;
}

export class ClusterNode implements NodePort {
  readonly #options: ClusterNodeOptions;
  readonly #plan: AddressPlan;
  readonly #records: RingRecords;
  readonly #writes: SerialQueue;
  #node: NodeFile;
  #membership!: MembershipLoop;
  #addresses!: AddressLoop;
  #overlay!: OverlayLoop;
  #docker!: DockerLoop;
  #names!: NameLoop;
  #tunnels!: TunnelLoop;
  #doctor!: NodeDoctor;
  #strays!: StrayLoop;
  #dockerMemory!: DockerMemory;
  readonly #checksums = new ChecksumTrial();
  readonly #feed = new StatusFeed(() => this.status());
  /** None in a cluster without encryption: who stands between would read what it passes on. */
  #relay: RelayLoop | undefined;
  #isStarted = false;
  readonly #waiting = new Set<() => void>();
  /** Set once this node leaves for good. */
  #farewell: Farewell | undefined;

  static async start(options: ClusterNodeOptions): Promise<ClusterNode> {
    const node = new ClusterNode(options);
    await node.#start();
    return node;
  }

  private constructor(options: ClusterNodeOptions) {
    this.#options = options;
    this.#node = options.node;
    this.#plan = addressPlan(options.node.subnet);
    this.#records = new RingRecords(this.#plan, options.node.encryption);
    this.#writes = new SerialQueue((error) =>
      options.logger.error("writing node state failed", { error: `${error}` }),
    );
  }

  async #start(): Promise<void> {
    const { node, identity, paths, logger } = this.#options;
    const keys = identityKeys(identity);
    this.#tunnels = new TunnelLoop({
      self: node.id,
      nodeAddress: (id) =>
        id >= 1 && id <= this.#plan.maxNodeId ? nodeAddress(this.#plan, id) : undefined,
      mtu: () => this.#overlay.mtu,
      send: (kind, body, to) => this.#membership.sendPacket(this.#inside(to), kind, body),
      changed: () => this.#changed(),
      looked: (lost) => this.#lookedAtTunnels(lost),
      overdue: (peers) => this.#relay?.prepare(peers),
    });
    this.#doctor = new NodeDoctor({
      ...{ node, logger: logger.child({ part: "doctor" }), tunnels: this.#tunnels },
      membership: () => this.#membership,
      overlay: () => this.#overlay,
      docker: () => this.#docker,
      overlayInput: () => this.#overlayInput(),
      linkMtu: () => linkMtu(this.#membership.endpoint.ip, logger),
      inside: (id) =>
        id <= this.#plan.maxNodeId ? this.#inside(nodeAddress(this.#plan, id)) : undefined,
      status: () => this.status(),
      clockOffsetMs: Number(process.env["HANSA_TEST_CLOCK_OFFSET_MS"] ?? 0) || 0,
    });
    this.#dockerMemory = await DockerMemory.load(
      join(paths.stateDir, "docker.json"),
      logger.child({ part: "docker" }),
    );
    this.#addresses = await AddressLoop.start({
      self: node.id,
      plan: this.#plan,
      ringPath: join(paths.stateDir, "ring.json"),
      controlPath: paths.controlSocket,
      logger: logger.child({ part: "addresses" }),
      send: (to, message) =>
        this.#membership.send(to, "ipam", encodeIpamMessage(this.#plan, message)),
      broadcast: (entries) => this.#broadcastRing(entries),
      changed: () => this.#changed(),
      pluginReady: () => this.#docker?.wake(),
    });
    this.#strays = await StrayLoop.start({
      name: keys.memberName(node.id),
      path: join(paths.stateDir, "strays.json"),
      logger: logger.child({ part: "addresses" }),
      owned: () => (this.#isFenced ? [] : this.#addresses.owned()),
      broadcast: (key, body) => this.#membership.broadcast(key, "stray", body),
      stateOf: (holder) => this.#membership.stateOf(holder),
      avoid: (ranges) => this.#addresses.input({ type: "avoid", ranges }),
      changed: () => this.#changed(),
      look: () => this.#docker?.wake(),
    });
    this.#membership = await MembershipLoop.start({
      node,
      identity,
      keys,
      version: BUILD,
      path: join(paths.stateDir, "membership.json"),
      logger: logger.child({ part: "membership" }),
      rings: () => this.#records.encode(this.#addresses.entries()),
      takeRings: (bytes) => this.#takeRings(bytes),
      receive: (envelope, from, via) => this.#receive(envelope, from, via),
      changed: () => this.#changed(),
      settled: () => this.#addresses.input({ type: "settled" }),
      roundabout: (id) =>
        this.#path(id).kind === "via" ? this.#inside(nodeAddress(this.#plan, id)) : undefined,
      rebound: (binding) =>
        this.#writes.add(() => saveIdentity(paths.stateDir, { ...identity, binding })),
    });
    this.#addresses.begin();
    const engine = new HttpEngine();
    this.#names = new NameLoop({
      self: node.id,
      plan: this.#plan,
      engine,
      logger: logger.child({ part: "names" }),
      roster: () => this.#membership.roster(),
      registry: this.#membership.names,
      tell: (entries) => this.#membership.setNames(entries),
      changed: () => this.#changed(),
    });
    this.#docker = new DockerLoop({
      engine,
      logger: logger.child({ part: "docker" }),
      network: () => {
        const input = this.#overlayInput();
        return input && dockerNetwork(input);
      },
      pluginConnected: () => this.#addresses.pluginConnected,
      leases: () => this.#addresses.leases(),
      free: (addresses) => this.#addresses.free(addresses),
      seen: (containers) => this.#strays.setContainers(containers),
      event: (event) => this.#names.seen(event),
      changed: () => {
        // Docker's start takes rules and the bridge's settings away.
        this.#overlay?.repair();
        this.#changed();
      },
    });
    this.#overlay = new OverlayLoop({
      overlay: new LinuxOverlay({
        command: systemCommand,
        clock: systemClock,
        bridge: BRIDGE,
      }),
      input: () => this.#overlayInput(),
      secrets: (publicKeys) => ({
        privateKey: keys.wireguard.privateKey,
        pairKeys: Object.fromEntries(publicKeys.map((key) => [key, keys.pairKey(key)])),
      }),
      logger: logger.child({ part: "overlay" }),
      applied: (peers) => this.#tunnels.configured(peers),
    });
    if (node.encryption === "wireguard") this.#relay = this.#makeRelay();
    this.#isStarted = true;
    this.#changed();
  }

  #makeRelay(): RelayLoop {
    const { node, identity, logger } = this.#options;
    return new RelayLoop({
      self: node.id,
      port: node.ports.overlay,
      keys: identityKeys(identity),
      roots: identity.roots.map(({ root }) => root),
      logger: logger.child({ part: "relay" }),
      peers: () =>
        // Another host runs with our very key: our streams would take the place of its own.
        this.#membership.rival?.hasYielded ? [] : this.#membership.roster().peers.filter(isHeard),
      rows: () => this.#membership.rows,
      tunnel: (peer) => this.#tunnels.view(peer),
      nodeAddress: (id) => formatIpv4(nodeAddress(this.#plan, id)),
      isInside: (ip) => isInSubnet(ip, overlayBlock(node.subnet)),
      moved: (peer) => {
        this.#tunnels.configured([peer]);
        this.#changed();
      },
    });
  }

  async close(): Promise<void> {
    this.#tunnels.close();
    this.#doctor.close();
    await this.#strays.close();
    await this.#relay?.close();
    await Promise.all([this.#overlay.close(), this.#docker.close(), this.#names.close()]);
    await this.#membership.close();
    await this.#addresses.close();
    await this.#writes.drained();
  }

  /** Resolves when Docker has the network, at the latest after `withinMs`: Docker may be down. */
  async networkMade(withinMs: number): Promise<void> {
    await Promise.race([this.#docker.networkMade, setTimeout(withinMs, undefined, { ref: false })]);
  }

  version(): Version {
    return VERSION;
  }

  async status(): Promise<Status> {
    const drift = Date.now() - performance.now();
    return statusOf({
      node: this.#node,
      version: BUILD,
      endpoint: this.#membership.endpoint,
      engineId: this.#docker.info?.id,
      roster: this.#membership.roster(),
      remembered: this.#membership.remembered,
      targets: this.#membership.targets(),
      knownPeers: this.#membership.knownPeers(),
      rejections: this.#membership.rejections(),
      rows: this.#membership.rows,
      addresses: this.#addresses.view(),
      mtu: this.#overlay.mtu,
      dns: this.#names.view(),
      tunnel: (id) => this.#tunnels.view(id),
      path: (id) => this.#path(id),
      hasDialled: (ip) => this.#membership.hasDialled(ip),
      wallTime: (monotonicMs) => new Date(monotonicMs + drift),
      warnings: nodeWarnings({
        id: this.#node.id,
        roster: this.#membership.roster(),
        rival: this.#membership.rival,
        conflicts: this.#addresses.view().conflicts,
        pluginConnected: this.#addresses.pluginConnected,
        problems: [
          this.#membership.problem,
          this.#addresses.problem,
          ...straySentences({
            strays: this.#strays.list(),
            roster: this.#membership.roster(),
            remembered: this.#membership.remembered,
            segments: this.#addresses.view().segments,
          }),
          ...this.#overlay.problems,
          this.#relay?.problem,
          this.#docker.problem,
          this.#names.problem,
        ],
      }),
    });
  }

  watchStatus(signal: AbortSignal): AsyncIterable<Status> {
    return this.#feed.watch(signal);
  }

  async connect(
    targets: readonly string[],
    replace: boolean,
  ): Promise<{ readonly targets: string[] }> {
    this.#membership.connect(targets, replace);
    return await this.#saveTargets();
  }

  async forget(targets: readonly string[]): Promise<{ readonly targets: string[] }> {
    this.#membership.forget(targets);
    return await this.#saveTargets();
  }

  /** Asked again it gives the same answer: a node leaves once. */
  async leave(): Promise<Left> {
    // Docker's network is about to be removed, and must not be made again.
    await this.#docker.close();
    this.#farewell ??= new Farewell({
      self: this.#node.id,
      addresses: this.#addresses,
      membership: this.#membership,
      logger: this.#options.logger.child({ part: "farewell" }),
    });
    const { heir = null, problem = null, ...counts } = await this.#farewell.done;
    return { id: this.#node.id, heir, problem, ...counts };
  }

  takeOver(node: string, confirmed: boolean): Promise<TakenOver> {
    const [addresses, membership] = [this.#addresses, this.#membership];
    return takeOver({ self: this.#node.id, addresses, membership }, node, confirmed);
  }

  async checkAddresses(repair: boolean): Promise<AddressCheck> {
    const freed = repair ? await this.#docker.freeUnheld() : [];
    const { leases } = await this.#addresses.leases();
    const { remembered } = this.#membership;
    return addressCheck({
      self: this.#node.id,
      name: this.#node.name,
      plan: this.#plan,
      leases,
      containers: await this.#docker.containers(),
      hasNetwork: this.#docker.hasNetwork,
      view: this.#addresses.view(),
      freed,
      wallMs: systemClock.wallMs(),
      heard: heardPeers(this.#membership.roster()),
      nameOf: (id) => remembered.find((node) => node.id === id)?.name,
    });
  }

  async prime(signal: AbortSignal): Promise<{ readonly id: number }> {
    while (!this.#canGiveAddress()) {
      signal.throwIfAborted();
      const { expelled } = this.#membership.roster();
      if (expelled) throw new HansaError("NODE_DEPARTED", expelledSentence(expelled));
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener("abort", wake);
      });
    }
    return { id: this.#node.id };
  }

  async inspect(): Promise<Inspection> {
    const { segments } = this.#addresses.view();
    const versions = new Map(
      this.#addresses.entries().map(({ start, version }) => [start, version]),
    );
    return inspectionOf(await this.status(), {
      port: this.#node.ports.gossip,
      interface: TUNNEL_DEVICES[backendOf(this.#node.encryption)],
      ring: segments.dynamic.map(({ start, owner }) => ({
        start,
        owner,
        version: versions.get(start) ?? 0,
      })),
    });
  }

  async doctor(): Promise<DoctorReport> {
    return await this.#doctor.examine();
  }

  /** Ready to start containers: Docker has the network, and an address is there or can be had from a node in reach. */
  #canGiveAddress(): boolean {
    if (this.#farewell || !this.#docker.hasNetwork || !this.#addresses.pluginHasSpace) return false;
    const { ready, fenced, free, entries } = this.#addresses.view();
    if (fenced) return false;
    if (ready && free > 0) return true;
    const heard = heardPeers(this.#membership.roster());
    return entries.some((entry) => entry.born && entry.free > 0 && heard.includes(entry.id));
  }

  async #saveTargets(): Promise<{ readonly targets: string[] }> {
    const targets = this.#membership.targets().map(({ target }) => target);
    this.#node = { ...this.#node, targets };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // In order, so that of two calls at once the later one's list is what stays.
    this.#writes.add(() =>
      saveNodeFile(this.#options.paths.nodeFile, this.#node).then(resolve, reject),
    );
    await promise;
    return { targets };
  }

  /** Anything changed that others of our parts look at. Cheap: each part asks itself whether it matters. */
  #changed(): void {
    if (!this.#isStarted) return;
    const roster = this.#membership.roster();
    const heard = heardPeers(roster);
    const fenced = this.#isFenced;
    // Only who met others knows that nobody else has the id: until then a fence from before stands.
    if (fenced || this.#membership.isCertain) this.#addresses.input({ type: "fenced", fenced });
    this.#strays.update();
    this.#addresses.input({ type: "reachable", nodes: heard });
    this.#tunnels.setPeers(heard);
    this.#membership.setEngineId(this.#docker.info?.id ?? "");
    this.#tellConnections(roster);
    this.#overlay.changed();
    this.#feed.changed();
    this.#relay?.changed();
    for (const wake of [...this.#waiting]) wake();
  }

  #lookedAtTunnels(lost: readonly NodeId[]): void {
    // Waiting for the next look at the host would leave a deleted device away for seconds.
    if (lost.length > 0) this.#overlay.repair();
    if (backendOf(this.#node.encryption) !== "vxlan") return;
    const heard = heardPeers(this.#membership.roster());
    const tunnels = heard.map((id) => ({ id, ...this.#tunnels.view(id) }));
    if (!this.#checksums.look(tunnels, performance.now())) return;
    const isSoftware = this.#checksums.isSoftware;
    this.#options.logger.warn("inner checksums of VXLAN", { computedHere: isSoftware });
    this.#overlay.changed();
  }

  #tellConnections(roster: Roster): void {
    this.#membership.setConnections(
      ownConnections(roster, {
        encryption: this.#node.encryption,
        mtu: this.#overlay.mtu,
        tunnel: (id) => this.#tunnels.view(id),
        path: (id) => this.#path(id),
      }),
    );
  }

  /** Whether another host has our id, or even our key, and keeps it, or the others hold us gone for good. */
  get #isFenced(): boolean {
    const { usurper, expelled } = this.#membership.roster();
    const isOut = usurper !== undefined || expelled !== undefined;
    return isOut || this.#membership.rival?.hasYielded === true;
  }

  /** The way that the tunnel to that node takes. */
  #path(id: NodeId): Path {
    return this.#relay?.path(id) ?? DIRECT;
  }

  #takeRings(bytes: Uint8Array): void {
    const decoded = this.#records.decode(bytes);
    if (decoded.ok) {
      this.#addresses.input({ type: "entries", entries: decoded.entries });
      this.#farewell?.heard(decoded.entries);
    } else {
      this.#options.logger.warn("address records of another kind were not taken", {
        reason: decoded.reason,
      });
    }
  }

  #broadcastRing(entries: readonly RingEntry[]): void {
    for (const { key, bytes } of this.#records.messages(entries)) {
      this.#membership.broadcast(key, "ring", bytes);
    }
  }

  #receive(envelope: Envelope, from: Endpoint, via: "packet" | "stream"): void {
    if (envelope.kind === "stray") {
      this.#strays.receive(envelope.body);
    } else if (envelope.kind === "ipam") {
      const { peers, foreign } = this.#membership.roster();
      const name = formatMemberName({ id: envelope.sender, keyFingerprint: envelope.fingerprint });
      if (foreign.some((member) => member.name === name)) return;
      if (this.#membership.hasDeparted(name)) return;
      const sender = peers.find(({ metadata }) => metadata.id === envelope.sender);
      // A twin that lost its id speaks for nobody.
      if (sender && sender.metadata.keyFingerprint !== envelope.fingerprint) return;
      const message = decodeIpamMessage(this.#plan, envelope.body);
      if (message) this.#addresses.input({ type: "message", from: envelope.sender, message });
    } else if (envelope.kind === "doctor") {
      this.#doctor.receive(envelope, from, via);
    } else {
      this.#tunnels.receive(envelope, from.ip);
    }
  }

  #overlayInput(): OverlayInput | undefined {
    const docker = this.#dockerMemory.facts(factsOf(this.#docker?.info));
    if (!docker) return undefined;
    const { node } = this.#options;
    const { segments } = this.#addresses.view();
    return {
      self: {
        id: node.id,
        address: nodeAddress(this.#plan, node.id),
        listenPort: node.ports.overlay,
        underlay: this.#membership.endpoint.ip,
      },
      backend: backendOf(node.encryption),
      subnet: overlayBlock(node.subnet),
      bridge: BRIDGE,
      linkMtu: linkMtu(this.#membership.endpoint.ip, this.#options.logger),
      // Another host runs with our very key: our tunnel would take its sessions from it.
      peers: (this.#membership.rival?.hasYielded ? [] : this.#membership.remembered).map(
        ({ id, wireguardKey, endpoint }) => ({
          id,
          address: nodeAddress(this.#plan, id),
          publicKey: wireguardKey,
          endpoint,
          isLost: this.#tunnels.view(id).isLost,
          relay: this.#relay?.overlayRelay(id, wireguardKey),
        }),
      ),
      segments: [...segments.fixed, ...segments.dynamic],
      softwareChecksums: this.#checksums.isSoftware,
      docker,
    };
  }

  #inside(address: Ipv4): Endpoint {
    return { ip: formatIpv4(address), port: this.#node.ports.gossip };
  }
}
