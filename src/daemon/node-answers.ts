/**
 * What the API asks of a running node, answered out of its parts.
 *
 * Its own are the targets as they are written down, those who wait to be told something, and the node's leaving.
 */

import type { AddressCheck, Left, TakenOver } from "../api/address-schemas.ts";
import type { Caller } from "../api/caller.ts";
import type { ContainerEvent, Containers } from "../api/container-schema.ts";
import type {
  Certificates,
  Issued,
  IssueRequest,
  Revoked,
  RevokeRequest,
} from "../api/context-schemas.ts";
import type { DoctorReport } from "../api/doctor-schema.ts";
import { inspectionOf } from "../api/inspection.ts";
import type { Inspection } from "../api/inspection-schema.ts";
import type { Joined, JoinRequest, PlaceGiven, PlaceRequest } from "../api/join-schemas.ts";
import type { NodePort } from "../api/node-port.ts";
import type { HostReport } from "../api/report-schema.ts";
import type { Status } from "../api/status-schema.ts";
import { BUILD, VERSION, type Version } from "../api/version.ts";
import { HansaError, isHansaError } from "../errors.ts";
import { systemClock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { AddressPlan } from "../ipam/address-plan.ts";
import type { RingEntry } from "../ipam/step.ts";
import { TUNNEL_DEVICES } from "../overlay/overlay-config.ts";
import { backendOf, type NodeFile, saveNodeFile } from "../processes/node-file.ts";
import { formatEndpoint } from "../values/endpoint.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import { addressCheck } from "./addresses/address-check.ts";
import type { AddressLoop } from "./addresses/address-loop.ts";
import type { StrayLoop } from "./addresses/stray-loop.ts";
import { straySentences } from "./addresses/stray-warnings.ts";
import { takeOver } from "./addresses/take-over.ts";
import type { ClusterAnswers } from "./cluster-answers.ts";
import type { ClusterContainers } from "./containers/cluster-containers.ts";
import type { DataPath } from "./data-path/data-path.ts";
import type { DockerLoop } from "./docker/docker-loop.ts";
import type { ControlPlane } from "./doors/control-plane.ts";
import { Farewell } from "./farewell.ts";
import type { JoinDesk } from "./joining/join-desk.ts";
import type { CertificateBook } from "./membership/certificate-book.ts";
import type { MembershipLoop } from "./membership/membership-loop.ts";
import { heardPeers, isHeard } from "./membership/roster.ts";
import type { NameLoop } from "./names/name-loop.ts";
import type { NodeDoctor } from "./status/node-doctor.ts";
import { expelledSentence, nodeWarnings } from "./status/node-warnings.ts";
import { StatusFeed } from "./status/status-feed.ts";
import { statusOf } from "./status/status-view.ts";
import type { StoreAnswers } from "./store/store-answers.ts";
import type { StorePart } from "./store/store-part.ts";
import type { SerialQueue } from "./timing/serial-queue.ts";
import { sharedRun } from "./timing/shared-run.ts";

/** Of the nodes in reach, told to who gets a certificate. */
const MAX_PLACES = 64;

/** The loops of a node that runs. */
export interface NodeParts {
  readonly membership: MembershipLoop;
  readonly addresses: AddressLoop;
  readonly dataPath: DataPath;
  readonly docker: DockerLoop;
  readonly names: NameLoop;
  readonly strays: StrayLoop;
  readonly doctor: NodeDoctor;
  readonly controlPlane: ControlPlane;
  readonly joins: JoinDesk;
  readonly book: CertificateBook;
  readonly containers: ClusterContainers;
  readonly store: StoreAnswers;
  readonly cluster: ClusterAnswers;
  readonly storePart: Pick<StorePart, "loop" | "mirror" | "problems" | "registered">;
}

export interface NodeAnswersOptions {
  readonly parts: NodeParts;
  readonly plan: AddressPlan;
  readonly node: NodeFile;
  readonly nodePath: string;
  /** Where all that is written down of the node goes through, in order. */
  readonly writes: SerialQueue;
  readonly logger: Logger;
}

export class NodeAnswers implements NodePort {
  readonly #options: NodeAnswersOptions;
  readonly #parts: NodeParts;
  readonly #feed = new StatusFeed(() => this.status());
  readonly #waiting = new Set<() => void>();
  #node: NodeFile;
  /** These run programs and ask Docker for each container: a hundred who ask at once must not cost a hundred times that. */
  readonly #sharedReport = sharedRun(() => this.#makeReport());
  readonly #sharedDoctor = sharedRun(() => this.#parts.doctor.examine());
  readonly #sharedCheck = sharedRun(() => this.#check([]));
  /** Set once this node leaves for good. */
  #farewell: Farewell | undefined;

  constructor(options: NodeAnswersOptions) {
    this.#options = options;
    this.#parts = options.parts;
    this.#node = options.node;
  }

  get store(): StoreAnswers {
    return this.#parts.store;
  }

  get cluster(): ClusterAnswers {
    return this.#parts.cluster;
  }

  /** Something that an answer is made of may have changed: whoever waits is told. */
  changed(): void {
    this.#feed.changed();
    for (const wake of [...this.#waiting]) wake();
  }

  /** A peer told these records, which it has on disk. */
  heard(entries: readonly RingEntry[]): void {
    this.#farewell?.heard(entries);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#parts.membership.counters();
  }

  version(): Version {
    return VERSION;
  }

  async status(): Promise<Status> {
    const { membership, addresses, dataPath, docker, names, strays, controlPlane } = this.#parts;
    const roster = membership.roster();
    const { remembered } = membership;
    const view = addresses.view();
    const drift = Date.now() - performance.now();
    return statusOf({
      node: this.#node,
      version: BUILD,
      endpoint: membership.endpoint,
      engineId: docker.info?.id,
      roster,
      remembered,
      targets: membership.search.targets(),
      knownPeers: membership.search.knownPeers(),
      rejections: membership.rejections(),
      rows: membership.knowledge.rows,
      addresses: view,
      links: (id) => membership.links.view(id),
      mtu: dataPath.mtu,
      dns: names.view(),
      tunnel: (id) => dataPath.tunnel(id),
      path: (id) => dataPath.path(id),
      hasDialled: (ip) => membership.search.hasDialled(ip),
      wallTime: (monotonicMs) => new Date(monotonicMs + drift),
      warnings: nodeWarnings({
        id: this.#node.id,
        roster,
        rival: membership.rival,
        conflicts: view.conflicts,
        pluginConnected: addresses.pluginConnected,
        problems: [
          membership.problem,
          addresses.problem,
          ...straySentences({
            strays: strays.list(),
            roster,
            remembered,
            segments: view.segments,
          }),
          ...dataPath.problems,
          controlPlane.problem,
          docker.problem,
          names.problem,
          ...this.#parts.storePart.problems,
        ],
      }),
    });
  }

  watchStatus(signal: AbortSignal, who: string): AsyncIterable<Status> {
    return this.#feed.watch(signal, who);
  }

  async connect(
    targets: readonly string[],
    replace: boolean,
  ): Promise<{ readonly targets: string[] }> {
    this.#parts.membership.search.connect(targets, replace);
    return await this.#saveTargets();
  }

  async forget(targets: readonly string[]): Promise<{ readonly targets: string[] }> {
    this.#parts.membership.forget(targets);
    return await this.#saveTargets();
  }

  /** Asked again it gives the same answer: a node leaves once. */
  async leave(force: boolean): Promise<Left> {
    const { docker, addresses, membership, storePart } = this.#parts;
    const unvoted = this.#farewell ? undefined : await storePart.loop.leave(force);
    // Docker's network is about to be removed, and must not be made again.
    await docker.close();
    this.#farewell ??= new Farewell({
      self: this.#node.id,
      addresses,
      membership,
      held: () => this.#heldAddresses(),
      logger: this.#options.logger.child({ part: "farewell" }),
    });
    const { heir = null, problem = unvoted ?? null, ...counts } = await this.#farewell.done;
    return { id: this.#node.id, heir, problem, ...counts };
  }

  /** What containers hold; nothing where Docker is not there to hold it. */
  async #heldAddresses(): Promise<Ipv4[]> {
    try {
      const containers = await this.#parts.docker.containers();
      return containers.flatMap(({ address }) => address ?? []);
    } catch (error) {
      if (!isHansaError(error, "DOCKER_UNREACHABLE")) throw error;
      return [];
    }
  }

  takeOver(node: string, confirmed: boolean): Promise<TakenOver> {
    const { addresses, membership, storePart } = this.#parts;
    const registered = () => storePart.registered;
    return takeOver({ self: this.#node.id, addresses, membership, registered }, node, confirmed);
  }

  async checkAddresses(repair: boolean): Promise<AddressCheck> {
    return repair ? this.#check(await this.#parts.docker.freeUnheld()) : this.#sharedCheck();
  }

  async #check(freed: readonly Ipv4[]): Promise<AddressCheck> {
    const { docker, addresses, membership } = this.#parts;
    const { leases } = await addresses.leases();
    const { remembered } = membership;
    return addressCheck({
      self: this.#node.id,
      name: this.#node.name,
      plan: this.#options.plan,
      leases,
      containers: await docker.containers(),
      hasNetwork: docker.hasNetwork,
      view: addresses.view(),
      freed,
      wallMs: systemClock.wallMs(),
      heard: heardPeers(membership.roster()),
      nameOf: (id) => remembered.find((node) => node.id === id)?.name,
    });
  }

  async prime(signal: AbortSignal): Promise<{ readonly id: number }> {
    while (!this.#canGiveAddress()) {
      signal.throwIfAborted();
      const { expelled } = this.#parts.membership.roster();
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

  certificates(): Certificates {
    return this.#parts.book.list();
  }

  /** Others hear of it by gossip at once; whoever is in reach is waited for, so that the answer can say who did not confirm. */
  async revokeCertificates(request: RevokeRequest, caller: Caller): Promise<Revoked> {
    const { book, membership } = this.#parts;
    const revoked = book.revoke(request, caller.name);
    const heard = membership.roster().peers.filter(isHeard);
    // Who revoked its own certificate is about to be put out.
    const isOut = book.revocationOf(caller) !== undefined;
    const silent = isOut ? [] : await membership.exchange(heard);
    const confirmed = heard.filter((peer) => !silent.includes(peer));
    const unreached = membership.remembered
      .filter(({ keyFingerprint }) =>
        confirmed.every(({ metadata }) => metadata.keyFingerprint !== keyFingerprint),
      )
      .map(({ id, name }) => ({ id, name }));
    return { ...revoked, unreached };
  }

  async issueCertificate(request: IssueRequest, by: string): Promise<Issued> {
    const { membership, controlPlane } = this.#parts;
    const own = { ip: membership.endpoint.ip, port: this.#node.ports.api };
    const others = membership.roster().peers.filter(isHeard);
    const places = others.map(({ member, metadata }) => ({
      ip: member.endpoint.ip,
      port: metadata.ports.api,
    }));
    const api = [own, ...places].slice(0, MAX_PLACES).map(formatEndpoint);
    return { ...(await controlPlane.issue(request, by)), api };
  }

  admit(request: JoinRequest): Promise<Joined> {
    return this.#parts.joins.admit(request);
  }

  choosePlace(request: PlaceRequest): PlaceGiven {
    return this.#parts.joins.choosePlace(request);
  }

  async inspect(): Promise<Inspection> {
    const { addresses } = this.#parts;
    const { segments } = addresses.view();
    const versions = new Map(addresses.entries().map(({ start, version }) => [start, version]));
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

  containers(): Promise<Containers> {
    return this.#parts.containers.containers();
  }

  watchContainers(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent> {
    return this.#parts.containers.watch(signal, who);
  }

  watchOwnContainers(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent> {
    return this.#parts.containers.watchOwn(signal, who);
  }

  doctor(): Promise<DoctorReport> {
    return this.#sharedDoctor();
  }

  report(): Promise<HostReport> {
    return this.#sharedReport();
  }

  async #makeReport(): Promise<HostReport> {
    const [{ collectReport }, { thisHost }] = await Promise.all([
      import("../report/collect-report.ts"),
      import("../processes/this-host.ts"),
    ]);
    const json = async (answer: Promise<unknown>): Promise<string> =>
      `${JSON.stringify(await answer, null, 2)}\n`;
    return await collectReport(thisHost(), {
      "status.json": () => json(this.status()),
      "inspect.json": () => json(this.inspect()),
      "doctor.json": () => json(this.doctor()),
      "counters.json": () => json(Promise.resolve(this.counters())),
    });
  }

  /** Ready to start containers: Docker has the network, and an address is there or can be had from a node in reach. */
  #canGiveAddress(): boolean {
    const { docker, addresses, membership } = this.#parts;
    if (this.#farewell || !docker.hasNetwork || !addresses.pluginHasSpace) return false;
    const { ready, fenced, free, entries } = addresses.view();
    if (fenced) return false;
    if (ready && free > 0) return true;
    const heard = heardPeers(membership.roster());
    return entries.some((entry) => entry.born && entry.free > 0 && heard.includes(entry.id));
  }

  async #saveTargets(): Promise<{ readonly targets: string[] }> {
    const targets = this.#parts.membership.search.targets().map(({ target }) => target);
    this.#node = { ...this.#node, targets };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // In order, so that of two calls at once the later one's list is what stays.
    this.#options.writes.add(() =>
      saveNodeFile(this.#options.nodePath, this.#node).then(resolve, reject),
    );
    await promise;
    return { targets };
  }
}
