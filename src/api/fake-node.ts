/** A NodePort with state in memory, for tests of the API, the client and the command line. */

import { HansaError } from "../errors.ts";
import type { AddressCheck, Left, TakenOver } from "./address-schemas.ts";
import type { ContainerEvent, Containers } from "./container-schema.ts";
import type {
  Certificates,
  Issued,
  IssueRequest,
  KnownCertificate,
  Revoked,
  RevokeRequest,
} from "./context-schemas.ts";
import type { DoctorReport } from "./doctor-schema.ts";
import {
  exampleCheck,
  exampleContainers,
  exampleReport,
  exampleStatus,
} from "./example-answers.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { FakeStore } from "./fake-store.ts";
import { inspectionOf } from "./inspection.ts";
import type { Inspection } from "./inspection-schema.ts";
import type { Joined, JoinRequest, PlaceGiven, PlaceRequest } from "./join-schemas.ts";
import type { NodePort } from "./node-port.ts";
import type { HostReport } from "./report-schema.ts";
import type { Status } from "./status-schema.ts";
import { VERSION, type Version } from "./version.ts";

export class FakeNode implements NodePort {
  readonly store = new FakeStore();
  readonly cluster = new FakeCluster();
  /** Served as it is; tests change it. */
  current: Status = exampleStatus();
  /** How many requests wait in prime. */
  waiting = 0;
  /** Of certificates that were asked for. */
  known: KnownCertificate[] = [];
  /** How many watch. */
  watching = 0;
  /** How many of them went away before the node was ready. */
  aborted = 0;
  /** When set, every call rejects with it. */
  failure: Error | undefined;
  check: AddressCheck = exampleCheck();
  shown: Containers = exampleContainers();
  readonly #wake = new Set<() => void>();

  async containers(): Promise<Containers> {
    this.#mayFail();
    return this.shown;
  }

  /** All again after each change. */
  async *watchContainers(signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    let last: Containers | undefined;
    while (!signal.aborted) {
      this.#mayFail();
      if (this.shown !== last) yield { type: "all", ...this.shown };
      last = this.shown;
      await this.#changed(signal).catch(() => undefined);
    }
  }

  watchOwnContainers(signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    return this.watchContainers(signal);
  }

  /** Shows others and tells who waits for it. */
  show(containers: Containers): void {
    this.shown = containers;
    for (const wake of this.#wake) wake();
  }

  async status(): Promise<Status> {
    this.#mayFail();
    return this.current;
  }

  /** Ends with an error when `failure` is set, or with the signal. */
  async *watchStatus(signal: AbortSignal): AsyncGenerator<Status> {
    this.watching += 1;
    try {
      let last: Status | undefined;
      while (!signal.aborted) {
        this.#mayFail();
        if (this.current !== last) yield this.current;
        last = this.current;
        await this.#changed(signal).catch(() => undefined);
      }
    } finally {
      this.watching -= 1;
    }
  }

  async connect(targets: readonly string[], replace: boolean): Promise<{ targets: string[] }> {
    this.#mayFail();
    const kept = replace ? [] : this.current.targets;
    return this.#setTargets([...kept, ...targets]);
  }

  async forget(targets: readonly string[]): Promise<{ targets: string[] }> {
    this.#mayFail();
    return this.#setTargets(this.current.targets.filter((target) => !targets.includes(target)));
  }

  async prime(signal: AbortSignal): Promise<{ id: number }> {
    this.#mayFail();
    this.waiting += 1;
    try {
      while (!this.current.ipam.ready) await this.#changed(signal);
    } catch (error) {
      this.aborted += 1;
      throw error;
    } finally {
      this.waiting -= 1;
    }
    return { id: this.current.node.id };
  }

  async leave(): Promise<Left> {
    this.#mayFail();
    const heir = { id: 2, name: "host2" };
    return { id: 1, heir, handedOver: 131072, lost: 0, problem: null, hadPeers: true };
  }

  async issueCertificate({ name, role }: IssueRequest, by: string): Promise<Issued> {
    this.known.push({
      ...{ serial: `10${this.known.length}`.padEnd(32, "0"), name, role, madeBy: by, node: 1 },
      ...{ madeAt: "2026-01-02T03:04:05.000Z", expiresAt: "2036-01-02T03:04:05.000Z" },
      revoked: null,
    });
    const pem = (label: string, text: string): string =>
      `-----BEGIN ${label}-----\n${Buffer.from(text).toString("base64")}\n-----END ${label}-----\n`;
    return {
      ca: pem("CERTIFICATE", "authority"),
      certificate: pem("CERTIFICATE", `${name} ${role}`),
      privateKey: pem("PRIVATE KEY", name),
      api: ["192.168.48.11:1443", "192.168.48.12:1443"],
    };
  }

  async admit({ name }: JoinRequest): Promise<Joined> {
    this.#mayFail();
    const { cluster } = this.current;
    return {
      ...{ id: 3, name, cluster: cluster.name, subnet: cluster.subnet, encryption: "wireguard" },
      ...{ gossipPort: 6783, targets: ["192.168.48.11:6783"], sealed: { publicKey: "", box: "" } },
    };
  }

  certificates(): Certificates {
    return { certificates: this.known, holdersRevoked: [] };
  }

  async revokeCertificates({ name, serial }: RevokeRequest): Promise<Revoked> {
    const isMeant = (each: KnownCertificate): boolean =>
      each.name === name || each.serial === serial;
    const revoked = { at: "2026-01-03T00:00:00.000Z", by: "local" };
    this.known = this.known.map((each) => (isMeant(each) ? { ...each, revoked } : each));
    return { revoked: this.known.filter(isMeant), theirs: [], unreached: [] };
  }

  choosePlace({ name }: PlaceRequest): PlaceGiven {
    return { id: 3, name };
  }

  async takeOver(node: string, confirmed: boolean): Promise<TakenOver> {
    this.#mayFail();
    if (!confirmed) throw new HansaError("TAKE_OVER_UNCONFIRMED", `node ${node} is not heard`);
    return { id: Number(node), name: null, addresses: 131072, fixedAddresses: 114688 };
  }

  async checkAddresses(repair: boolean): Promise<AddressCheck> {
    this.#mayFail();
    return { ...this.check, freed: repair ? ["10.40.0.2"] : [] };
  }

  async inspect(): Promise<Inspection> {
    this.#mayFail();
    const start = 0x0a280000;
    const ring = [1, 2, 3, 12].map((owner, index) => ({
      start: start + index * 131072,
      owner,
      version: 0,
    }));
    return inspectionOf(this.current, { port: 6783, interface: "hansa-wg", ring });
  }

  async doctor(): Promise<DoctorReport> {
    this.#mayFail();
    return exampleReport();
  }

  async report(): Promise<HostReport> {
    this.#mayFail();
    return { files: [{ path: "status.json", text: "{}\n" }], missing: [] };
  }

  counters(): Readonly<Record<string, number>> {
    return { packetsIn: 7, packetsOut: 9 };
  }

  version(): Version {
    return VERSION;
  }

  setReady(ready: boolean): void {
    this.set({ ...this.current, ipam: { ...this.current.ipam, ready } });
  }

  /** Changes the status and tells who waits for it. */
  set(status: Status): void {
    this.current = status;
    for (const wake of this.#wake) wake();
  }

  #setTargets(targets: readonly string[]): { targets: string[] } {
    const sorted = [...new Set(targets)].sort();
    this.set({ ...this.current, targets: sorted });
    return { targets: sorted };
  }

  #mayFail(): void {
    if (this.failure) throw this.failure;
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#wake.delete(done);
        signal.removeEventListener("abort", gone);
        resolve();
      };
      const gone = (): void => {
        this.#wake.delete(done);
        reject(signal.reason);
      };
      if (signal.aborted) gone();
      this.#wake.add(done);
      signal.addEventListener("abort", gone, { once: true });
    });
  }
}
