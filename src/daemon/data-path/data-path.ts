/**
 * The way that containers' traffic takes to other hosts: the host's network, the tunnels with their proofs, and the relays where no
 * tunnel works. Builds these loops and ties them together.
 *
 * Invariant: all of them see one `OverlayInput`, made anew from the facts of the moment.
 */
import { join } from "node:path";
import type { EngineInfo } from "../../docker/engine.ts";
import { systemClock } from "../../host/clock.ts";
import { systemCommand } from "../../host/command.ts";
import type { Logger } from "../../host/logger.ts";
import { type Identity, identityKeys } from "../../identity/identity.ts";
import { type AddressPlan, nodeAddress } from "../../ipam/address-plan.ts";
import type { AddressesView } from "../../ipam/addresses.ts";
import type { RowConnection } from "../../membership/connection-rows.ts";
import { LinuxOverlay } from "../../overlay/linux-overlay.ts";
import type { OverlayObservation } from "../../overlay/overlay.ts";
import type { DockerFacts, OverlayInput } from "../../overlay/overlay-config.ts";
import { backendOf, type NodeFile } from "../../processes/node-file.ts";
import { DIRECT, type Path } from "../../relay/relay-paths.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import { formatIpv4, type Ipv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import { listenAddress } from "../../values/node-link.ts";
import { dockerMemory, factsOf } from "../host-facts/docker-memory.ts";
import { LinkMtu } from "../host-facts/link-mtu.ts";
import type { Remembered } from "../host-facts/remembered.ts";
import { isInSubnet, overlayBlock } from "../host-facts/underlay.ts";
import type { Envelope } from "../membership/envelope.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { heardPeers, isHeard } from "../membership/roster.ts";
import type { Beat } from "../timing/beat.ts";
import { DelayedCalls } from "../timing/delayed-calls.ts";
import { ChecksumTrial } from "./checksum-trial.ts";
import { BRIDGE, overlayInput } from "./overlay-input.ts";
import { OverlayLoop } from "./overlay-loop.ts";
import { ownConnections } from "./own-connections.ts";
import { RelayLoop } from "./relay-loop.ts";
import { TunnelLoop } from "./tunnel-loop.ts";
import type { TunnelView } from "./tunnel-proof.ts";

/** Both ends notice a dead link within this of each other. */
const STEER_AGAIN_MS = 400;

export interface DataPathOptions {
  readonly node: NodeFile;
  readonly identity: Identity;
  readonly plan: AddressPlan;
  readonly stateDir: string;
  readonly logger: Logger;
  /** There when the first message of another node comes, and at `begin`. */
  readonly membership: () => MembershipLoop;
  readonly segments: () => AddressesView["segments"];
  /** Docker as last seen; undefined until it was reached once. */
  readonly engine: () => EngineInfo | undefined;
  /** Struck by the round of tunnel probes. */
  readonly beat: Pick<Beat, "strike" | "join">;
  /** A tunnel was proved or lost, or takes another way. */
  readonly changed: () => void;
}

export class DataPath {
  readonly #options: DataPathOptions;
  readonly #dockerSeen: Remembered<DockerFacts>;
  readonly #link: LinkMtu;
  readonly #tunnels: TunnelLoop;
  readonly #checksums = new ChecksumTrial();
  /** Peers to steer once more: what one sent before it moved as well has led WireGuard back meanwhile. */
  readonly #steered = new Set<NodeId>();
  readonly #steerAgain = new DelayedCalls(systemClock, STEER_AGAIN_MS, () => {
    this.#overlay.steer([...this.#steered]);
    this.#steered.clear();
  });
  #overlay!: OverlayLoop;
  /** None in a cluster without encryption: who stands between would read what it passes on. */
  #relay: RelayLoop | undefined;

  /** Knows what Docker and the link were, and answers probes; sets nothing on the host before `begin`. */
  static async load(options: DataPathOptions): Promise<DataPath> {
    const { stateDir, logger } = options;
    return new DataPath(
      options,
      await dockerMemory(join(stateDir, "docker.json"), logger.child({ part: "docker" })),
      await LinkMtu.load(join(stateDir, "link.json"), logger.child({ part: "overlay" })),
    );
  }

  private constructor(
    options: DataPathOptions,
    dockerSeen: Remembered<DockerFacts>,
    link: LinkMtu,
  ) {
    const { node, membership, changed } = options;
    this.#options = options;
    this.#dockerSeen = dockerSeen;
    this.#link = link;
    this.#tunnels = new TunnelLoop({
      self: node.id,
      nodeAddress: (id) => this.#addressOf(id),
      mtu: () => this.#overlay.mtu,
      send: (kind, body, to) => membership().post.sendPacket(this.#gossipAt(to), kind, body),
      changed,
      looked: (lost) => this.#lookedAtTunnels(lost),
      overdue: (peers) => this.#relay?.prepare(peers),
      beat: () => options.beat.strike(),
    });
  }

  /** Sets the host's network from now on. Call once, when all that the options ask for is there. */
  begin(): void {
    const { node, identity, logger } = this.#options;
    const keys = identityKeys(identity);
    this.#overlay = new OverlayLoop({
      overlay: new LinuxOverlay({ command: systemCommand, clock: systemClock, bridge: BRIDGE }),
      input: () => this.overlayInput(),
      secrets: (publicKeys) => ({
        privateKey: keys.wireguard.privateKey,
        pairKeys: Object.fromEntries(publicKeys.map((key) => [key, keys.pairKey(key)])),
      }),
      logger: logger.child({ part: "overlay" }),
      applied: (peers) => this.#tunnels.configured(peers),
    });
    if (node.encryption === "wireguard") this.#relay = this.#makeRelay();
  }

  #makeRelay(): RelayLoop {
    const { node, identity, logger, membership, changed } = this.#options;
    return new RelayLoop({
      self: node.id,
      at: { ip: listenAddress(node.links), port: node.ports.overlay },
      keys: identityKeys(identity),
      roots: identity.roots.map(({ root }) => root),
      logger: logger.child({ part: "relay" }),
      peers: () =>
        // Another host runs with our very key: our streams would take the place of its own.
        membership().rival?.hasYielded ? [] : membership().roster().peers.filter(isHeard),
      rows: () => membership().knowledge.rows,
      tunnel: (peer) => this.#tunnels.view(peer),
      nodeAddress: (id) => this.inside(id)?.ip,
      isInside: (ip) => isInSubnet(ip, overlayBlock(node.subnet)),
      moved: (peer) => {
        this.#tunnels.configured([peer]);
        changed();
      },
      returned: () => this.#overlay.repair(),
      beat: this.#options.beat,
    });
  }

  /** The tunnels' MTU as last set, in bytes. */
  get mtu(): number {
    return this.#overlay.mtu;
  }

  /** That of the link that carries the tunnels, in bytes. */
  get linkMtu(): number {
    const { endpoint, links } = this.#options.membership();
    return this.#link.of(endpoint.ip, ...links.own.map(({ address }) => address));
  }

  /** What keeps traffic from going as wanted, one sentence each. */
  get problems(): readonly (string | undefined)[] {
    return [...this.#overlay.problems, this.#relay?.problem];
  }

  tunnel(id: NodeId): TunnelView {
    return this.#tunnels.view(id);
  }

  /** The way that the tunnel to that node takes. */
  path(id: NodeId): Path {
    return this.#relay?.path(id) ?? DIRECT;
  }

  /** Our connections as they are now. */
  connections(): RowConnection[] {
    return ownConnections(this.#options.membership().roster(), {
      encryption: this.#options.node.encryption,
      mtu: this.mtu,
      tunnel: (id) => this.tunnel(id),
      path: (id) => this.path(id),
    });
  }

  /** Gossip's place at the node address of `id`, inside of the tunnel; undefined for one that has none in the subnet. */
  inside(id: NodeId): Endpoint | undefined {
    const address = this.#addressOf(id);
    return address === undefined ? undefined : this.#gossipAt(address);
  }

  /** Where a node is reached whose host is not: through its tunnel, which a relay carries. Undefined while none is needed. */
  roundabout(id: NodeId, by: "packet" | "stream"): Endpoint | undefined {
    const { kind } = this.path(id);
    // A direct stream carries the tunnel where UDP does not pass: streams of others pass there as well, packets do not.
    const isNeeded = kind === "via" || (kind === "tcp" && by === "packet");
    return isNeeded ? this.inside(id) : undefined;
  }

  /** What the overlay is told at this moment; undefined while Docker was never seen. */
  overlayInput(): OverlayInput | undefined {
    const { node, plan, membership, segments, engine } = this.#options;
    const docker = this.#dockerSeen.value(factsOf(engine()));
    if (!docker) return undefined;
    return overlayInput({
      ...{ node, plan, docker, underlay: membership().endpoint.ip, linkMtu: this.linkMtu },
      segments: segments(),
      remembered: membership().remembered,
      hasSeveralLinks: membership().links.own.length > 1,
      linksOf: (id) =>
        membership()
          .links.view(id)
          .map(({ theirs }) => theirs),
      hasYielded: membership().rival?.hasYielded === true,
      softwareChecksums: this.#checksums.isSoftware,
      isLost: (id) => this.#tunnels.view(id).isLost,
      relay: (id, wireguardKey) => this.#relay?.overlayRelay(id, wireguardKey),
    });
  }

  /** The tunnels' counters. Throws OVERLAY_TUNNEL_MISSING. */
  observe(): Promise<OverlayObservation> {
    return this.#overlay.observe();
  }

  /** Takes a probe or an answer that arrived from `ip`. */
  receive(envelope: Envelope, ip: string): void {
    this.#tunnels.receive(envelope, ip);
  }

  /** Whose tunnels to prove: the peers that gossip holds alive. */
  setPeers(peers: readonly NodeId[]): void {
    this.#tunnels.setPeers(peers);
  }

  /** Something that the overlay or the relays look at may have changed. */
  changed(): void {
    this.#overlay.changed();
    this.#relay?.changed();
  }

  /** Other links are used to these peers: their tunnels follow before anything else is looked at. Nothing before `begin`. */
  steer(peers: readonly NodeId[]): void {
    if (!this.#overlay) return;
    this.#overlay.steer(peers);
    for (const peer of peers) this.#steered.add(peer);
    this.#steerAgain.request();
  }

  /** The host's network may have lost something: it is looked at soon. Nothing before `begin`. */
  repair(): void {
    this.#overlay?.repair();
  }

  async close(): Promise<void> {
    this.#steerAgain.close();
    this.#tunnels.close();
    await this.#relay?.close();
    await this.#overlay.close();
  }

  #lookedAtTunnels(lost: readonly NodeId[]): void {
    const { node, logger, membership } = this.#options;
    // Waiting for the next look at the host would leave a deleted device away for seconds.
    if (lost.length > 0) this.#overlay.repair();
    if (backendOf(node.encryption) !== "vxlan") return;
    const heard = heardPeers(membership().roster());
    const tunnels = heard.map((id) => ({ id, ...this.#tunnels.view(id) }));
    if (!this.#checksums.look(tunnels, performance.now())) return;
    const isSoftware = this.#checksums.isSoftware;
    logger.warn("inner checksums of VXLAN", { computedHere: isSoftware });
    this.#overlay.changed();
  }

  #addressOf(id: NodeId): Ipv4 | undefined {
    const { plan } = this.#options;
    return id >= 1 && id <= plan.maxNodeId ? nodeAddress(plan, id) : undefined;
  }

  #gossipAt(address: Ipv4): Endpoint {
    return { ip: formatIpv4(address), port: this.#options.node.ports.gossip };
  }
}
