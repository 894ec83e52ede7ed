/**
 * The doctor inside of a running node: answers other nodes' questions, and examines host, node and peers when it is asked.
 *
 * It reads what the loops know and changes nothing.
 */
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import type { DoctorReport } from "../../api/doctor-schema.ts";
import type { Status } from "../../api/status-schema.ts";
import { collectHost } from "../../doctor/collect-host.ts";
import { examine } from "../../doctor/examine.ts";
import type { Growth, NodeFacts } from "../../doctor/facts.ts";
import { brokenPackets, routeMtu } from "../../doctor/kernel-text.ts";
import { codedSentence } from "../../errors.ts";
import { systemCommand } from "../../host/command.ts";
import type { Logger } from "../../host/logger.ts";
import { planDockerUser } from "../../overlay/firewall-plan.ts";
import { HostFirewall } from "../../overlay/host-firewall.ts";
import type { NodeFile } from "../../processes/node-file.ts";
import { thisHost } from "../../processes/this-host.ts";
import type { Endpoint } from "../../values/endpoint.ts";
import { formatIpv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { DataPath } from "../data-path/data-path.ts";
import type { DockerLoop } from "../docker/docker-loop.ts";
import { interfaceOf } from "../host-facts/underlay.ts";
import type { Envelope } from "../membership/envelope.ts";
import type { MembershipLoop } from "../membership/membership-loop.ts";
import { isHeard, type RosterNode } from "../membership/roster.ts";
import { tryConnect } from "../membership/try-connect.ts";
import { DoctorExchange, type DoctorPeer } from "./doctor-exchange.ts";
import { decodeDoctorMessage } from "./doctor-message.ts";
import { unreachedTargets } from "./unreached-targets.ts";

const TCP_MS = 3_000;
const COMMAND_MS = 2_000;

export interface NodeDoctorOptions {
  readonly node: NodeFile;
  readonly logger: Logger;
  readonly dataPath: DataPath;
  readonly membership: () => MembershipLoop;
  readonly docker: () => DockerLoop;
  readonly status: () => Promise<Status>;
  /** For tests of the built executable: added to the clock that peers are told, in ms. */
  readonly clockOffsetMs: number;
}

export class NodeDoctor {
  readonly #options: NodeDoctorOptions;
  readonly #exchange: DoctorExchange;

  constructor(options: NodeDoctorOptions) {
    this.#options = options;
    const { membership, dataPath } = options;
    this.#exchange = new DoctorExchange({
      peers: () => this.#peers(),
      linkMtu: () => dataPath.linkMtu,
      tunnelMtu: () => dataPath.mtu,
      sendPacket: (to, body) => membership().post.sendPacket(to, "doctor", body),
      sendStream: (to, body) => membership().post.sendTo(to, "doctor", body, TCP_MS),
      tryRelay: (peer) =>
        options.node.encryption === "none"
          ? undefined
          : tryConnect({ ip: peer.endpoint.ip, port: peer.ports.overlay }, TCP_MS),
      tryApi: ({ endpoint, ports }) => tryConnect({ ip: endpoint.ip, port: ports.api }, TCP_MS),
      traffic: () => this.#traffic(),
      broken: async () => brokenPackets(await readFile("/proc/net/snmp", "latin1")),
      kernelMtu: (ip) => this.#kernelMtu(ip),
      wallMs: () => Date.now() + options.clockOffsetMs,
    });
  }

  /** Takes an envelope of the doctor's kind, or passes it on when it is for another node, once: whom it is for does not do so again. */
  receive(envelope: Envelope, from: Endpoint, via: "packet" | "stream"): void {
    const { sender, fingerprint } = envelope;
    const message = decodeDoctorMessage(envelope.body);
    if (message === undefined) return;
    const { peers } = this.#options.membership().roster();
    const peerOf = (wanted: NodeId) => peers.find(({ metadata }) => metadata.id === wanted);
    // A twin that lost its id speaks for nobody.
    if (peerOf(sender)?.metadata.keyFingerprint !== fingerprint) return;
    if (message.to !== this.#options.node.id) {
      const addressee = peerOf(message.to);
      const asker = peerOf(sender);
      const places = asker?.metadata.links.map(({ address }) => address) ?? [];
      const isDirect = [asker?.member.endpoint.ip, ...places].includes(from.ip);
      if (addressee && isDirect && via === "packet") {
        this.#options.membership().post.passOn(this.#reached(addressee), envelope);
      }
      return;
    }
    const isInside = from.ip === this.#options.dataPath.inside(sender)?.ip;
    this.#exchange.receive(
      message,
      sender,
      via === "stream" ? "stream" : isInside ? "tunnel" : "outside",
    );
  }

  /** The whole report. Takes some seconds. */
  async examine(): Promise<DoctorReport> {
    const [host, node] = await Promise.all([collectHost(thisHost(), true), this.#nodeFacts()]);
    return examine({ host, node });
  }

  close(): void {
    this.#exchange.close();
  }

  #peers(): DoctorPeer[] {
    const { membership, dataPath } = this.#options;
    return membership()
      .roster()
      .peers.filter(({ member }) => member.state !== "left")
      .map((peer) => {
        const { id, name, ports, version } = peer.metadata;
        return {
          ...{
            id,
            name,
            ports,
            version,
            endpoint: this.#reached(peer),
            inside: dataPath.inside(id),
          },
          isHeard: isHeard(peer),
          tunnelProved: dataPath.tunnel(id).proved,
        };
      });
  }

  /** The address that is in use now, of those that a peer has. */
  #reached({ member, metadata }: RosterNode): Endpoint {
    const ip = this.#options.membership().links.addressOf(metadata.id) ?? member.endpoint.ip;
    return { ip, port: member.endpoint.port };
  }

  async #nodeFacts(): Promise<NodeFacts> {
    const { node, membership, dataPath, status } = this.#options;
    const [examined, dockerUser, unheldLeases] = await Promise.all([
      this.#exchange.examine(),
      this.#dockerUser(),
      this.#unheldLeases(),
    ]);
    const { warnings, ipam, connections, links } = await status();
    const relayed = connections.filter(({ backend }) => backend === "relay");
    const peers = examined.map((facts) => ({
      ...facts,
      isRelayed: relayed.some(({ peer }) => peer?.id === facts.id),
    }));
    const { ip } = membership().endpoint;
    return {
      ...{ id: node.id, name: node.name, ip, ports: node.ports },
      warnings,
      isDeparted: membership().roster().expelled !== undefined,
      linkMtu: dataPath.linkMtu,
      linkName: interfaceOf(networkInterfaces(), ip),
      tunnelMtu: dataPath.mtu,
      dockerUser,
      unheldLeases,
      owners: ipam.entries,
      peers,
      targets: unreachedTargets(membership().search.targets(), membership().roster()),
      links,
    };
  }

  async #dockerUser(): Promise<NodeFacts["dockerUser"]> {
    const input = this.#options.dataPath.overlayInput();
    const wanted = input === undefined ? 0 : planDockerUser(input).length;
    if (wanted === 0) return undefined;
    return { wanted, found: await new HostFirewall(systemCommand).countDockerUser() };
  }

  async #unheldLeases(): Promise<NodeFacts["unheldLeases"]> {
    try {
      const leases = await this.#options.docker().unheldLeases();
      return leases.map(({ address, ageMs }) => ({ address: formatIpv4(address), ageMs }));
    } catch (error) {
      // Plugin or Docker away: the node warns of both by itself.
      this.#options.logger.debug("leases not examined", { error: codedSentence(error) });
      return [];
    }
  }

  async #traffic(): Promise<ReadonlyMap<NodeId, Growth>> {
    const { membership, dataPath, logger } = this.#options;
    const ids = new Map(membership().remembered.map(({ id, wireguardKey }) => [wireguardKey, id]));
    try {
      const { peers } = await dataPath.observe();
      return new Map(
        peers.flatMap(({ publicKey, rxBytes, txBytes }) => {
          const id = ids.get(publicKey);
          return id === undefined ? [] : [[id, { rx: rxBytes, tx: txBytes }] as const];
        }),
      );
    } catch (error) {
      // No tunnel: the node warns of it by itself.
      logger.debug("tunnel not observed", { error: codedSentence(error) });
      return new Map();
    }
  }

  async #kernelMtu(ip: string): Promise<number | undefined> {
    try {
      const argv = ["ip", "route", "get", ip];
      return routeMtu((await systemCommand.run(argv, { timeoutMs: COMMAND_MS })).stdout);
    } catch (error) {
      this.#options.logger.debug("route not examined", { ip, error: codedSentence(error) });
      return undefined;
    }
  }
}
