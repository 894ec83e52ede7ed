/** What the API asks of a node. The daemon implements it; tests use the FakeNode. */

import type { AddressCheck, Left, TakenOver } from "./address-schemas.ts";
import type { Caller } from "./caller.ts";
import type { ClusterPort } from "./cluster-port.ts";
import type { ContainerEvent, Containers } from "./container-schema.ts";
import type {
  Certificates,
  Issued,
  IssueRequest,
  Revoked,
  RevokeRequest,
} from "./context-schemas.ts";
import type { DoctorReport } from "./doctor-schema.ts";
import type { Inspection } from "./inspection-schema.ts";
import type { Joined, JoinRequest, PlaceGiven, PlaceRequest } from "./join-schemas.ts";
import type { HostReport } from "./report-schema.ts";
import type { Status } from "./status-schema.ts";
import type { StorePort } from "./store-port.ts";
import type { Version } from "./version.ts";

export interface NodePort {
  /** The configuration under quorum. */
  readonly store: StorePort;
  /** The cluster as a whole. */
  readonly cluster: ClusterPort;
  status(): Promise<Status>;
  /** The status now and after each change, until `signal` aborts; counted for `who` (see holderOf). Throws API_WATCHERS_MANY at once. */
  watchStatus(signal: AbortSignal, who: string): AsyncIterable<Status>;
  /**
   * Adds to the targets, or with `replace` sets them, writes them down and dials at once. Resolves to all targets. Names need not resolve.
   */
  connect(targets: readonly string[], replace: boolean): Promise<{ readonly targets: string[] }>;
  /** Takes targets away, by the text they were given with; unknown ones are no error. Resolves to what is left. */
  forget(targets: readonly string[]): Promise<{ readonly targets: string[] }>;
  /** Resolves when this node can give out an address; waits without limit, rejects when `signal` aborts. */
  prime(signal: AbortSignal): Promise<{ readonly id: number }>;
  /** Gives this node's addresses to a peer and leaves the cluster for good; may take half a minute where others do not answer. */
  leave(force: boolean): Promise<Left>;
  /** Makes the addresses of a node that vanished this node's. See TAKE_OVER_REFUSED and TAKE_OVER_UNCONFIRMED. */
  takeOver(node: string, confirmed: boolean): Promise<TakenOver>;
  /** Compares leases with containers and looks for gaps in the rings; with `repair` it frees leaks, which takes up to 12 s. */
  checkAddresses(repair: boolean): Promise<AddressCheck>;
  /** A fresh key and certificate, of which the node keeps who holds it, and that `by` asked for it. */
  issueCertificate(request: IssueRequest, by: string): Promise<Issued>;
  /** Who holds certificates, and which are called back, as far as the nodes remember. */
  certificates(): Certificates;
  /** Calls certificates back: in force here and on disk when it resolves, which may take 10 s where others do not answer. See REVOCATIONS_MANY. */
  revokeCertificates(request: RevokeRequest, caller: Caller): Promise<Revoked>;
  /** Gives a host a place in the cluster and the cluster's keys. Throws USAGE and as `choosePlace`. */
  admit(request: JoinRequest): Promise<Joined>;
  /** Chooses a joiner's place for another node. Throws NODE_NAME_TAKEN, NODE_DEPARTED, IPAM_ID_OUTSIDE_SUBNET, NODE_TWIN and JOINS_MANY. */
  choosePlace(request: PlaceRequest): PlaceGiven;
  inspect(): Promise<Inspection>;
  /** Examines host and peers; takes up to 10 s. */
  doctor(): Promise<DoctorReport>;
  /** State, logs and network of the host, without secrets; takes up to 15 s. */
  report(): Promise<HostReport>;
  version(): Version;
  /** Containers of all nodes; waits up to 2.5 s for nodes that were not asked lately. */
  containers(): Promise<Containers>;
  /** All of them at first, then each change, until `signal` aborts; counted for `who`. Throws API_WATCHERS_MANY at once. */
  watchContainers(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent>;
  /** Those of this node only. */
  watchOwnContainers(signal: AbortSignal, who: string): AsyncIterable<ContainerEvent>;
  /** What gossip counted since the daemon's start, by name in camel case. */
  counters(): Readonly<Record<string, number>>;
}
