/**
 * This node's own part of the store: which member it is, its process, and the connection of the daemon to it.
 *
 * Invariants: the record is written before the process is started, so that a daemon that dies in between knows what it has begun; data of another member than
 * the one that is to run is gone before it starts. The process outlives this object.
 */
import { HansaError } from "../../errors.ts";
import { type StoreLogPlace, storeLogEnd, storeLogSince } from "../../processes/store-log.ts";
import {
  endStoreProcess,
  requireFreeStorePorts,
  restartStoreProcess,
  startStoreProcess,
  storeRuns,
} from "../../processes/store-service.ts";
import { peerUrl } from "../../store/etcd/etcd-config.ts";
import type { NamedStore, StoreCopy } from "../../store/store-copy.ts";
import { revisionBase } from "../../store/store-mark.ts";
import { type EtcdTiming, isSameTiming, LEAST_TIMING } from "../../store/store-times.ts";
import { FIRST_DATA, type VoterRecord } from "../../store/voter-record.ts";
import { writeCopy } from "../../store/write-copy.ts";
import { EtcdConnections, type VoterLink } from "./etcd-connections.ts";
import type { TunnelEnd } from "./store-tunnel.ts";
import { untilLed } from "./until-led.ts";
import { type Beginning, dataName, VoterFiles, type VoterFilesOptions } from "./voter-files.ts";

export interface VoterPlaceOptions extends VoterFilesOptions {
  /** Where programs are looked for. */
  readonly folders: readonly string[];
  /** What its process gets beside the small environment that all get. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Refounding {
  /** Where the former data goes. */
  readonly keep: string | undefined;
  /** Throws where what the decision came from is old by now. Asked when the record is the new one: who comes later than that fences it. */
  readonly refuse: () => void;
}

export class VoterPlace {
  readonly #options: VoterPlaceOptions;
  readonly #files: VoterFiles;
  #record: VoterRecord | undefined;
  #isFenced = false;
  readonly #connections: EtcdConnections;

  /** Throws STATE_DAMAGED. */
  static async load(options: VoterPlaceOptions): Promise<VoterPlace> {
    const place = new VoterPlace(options);
    place.#record = await place.#files.record();
    place.isFenced = place.#record?.outlived === true;
    return place;
  }

  private constructor(options: VoterPlaceOptions) {
    this.#options = options;
    this.#files = new VoterFiles(options);
    this.#connections = new EtcdConnections({
      port: options.ports.store,
      tls: () => this.#files.certificates(),
      revisionBase: () => (this.#record ? revisionBase(this.#record.store) : 0n),
    });
  }

  /** The store was made anew elsewhere: this part of it serves nobody any more, and is about to be put away. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  set isFenced(isFenced: boolean) {
    // A write that is under way gets no answer: what was acknowledged is in the file that is made next.
    if (isFenced && !this.#isFenced) this.#connections.sever();
    this.#isFenced = isFenced;
  }

  get record(): VoterRecord | undefined {
    return this.#record;
  }

  /** The store that others may know of; undefined on a node without, and while one is being made anew. */
  get settled(): NamedStore | undefined {
    return this.#record?.filling === true ? undefined : this.#record?.store;
  }

  get peerUrl(): string {
    return peerUrl({ ip: this.#options.ip, port: this.#options.ports.raft });
  }

  /** Makes this node's etcd run as `record` says. Throws TOOL_MISSING, PORT_TAKEN, STATE_UNWRITABLE and SYSTEMD_FAILED; then it is as if it had never been asked. */
  async begin(record: VoterRecord, beginning: Beginning): Promise<void> {
    const { paths, folders, ports, ip } = this.#options;
    await this.#forget();
    await requireFreeStorePorts(ports, ip);
    try {
      await this.#files.begin();
      await this.#files.keepRecord(record);
      await this.#files.writeCertificates();
      await this.#files.configure(record, beginning);
      this.#record = record;
      await startStoreProcess(paths, folders, this.#options.env);
    } catch (error) {
      await this.#forget();
      throw error;
    }
  }

  /** Makes a certificate anew, as each start of the daemon does: etcd takes it up at the next handshake. Nothing on a node without a vote. */
  async renew(): Promise<void> {
    if (this.#record !== undefined) await this.#files.writeCertificates();
  }

  /**
   * Its etcd serves: from now on it cannot begin without its data. One that did, as the member that it was, would break promises that it gave, and the first
   * voter would make a store anew under the same id. Written once.
   */
  async settle(): Promise<void> {
    if (this.#record === undefined || this.#record.settled === true || this.#record.filling) return;
    const settled = { ...this.#record, settled: true };
    await this.#files.configureSettled(settled);
    await this.#keepRecord(settled);
  }

  /** What its etcd is told of times. */
  get timing(): EtcdTiming {
    return this.#record?.timing ?? LEAST_TIMING;
  }

  /** Starts its etcd anew with other times; one that leads hands over first. Only once it has served. Throws STATE_UNWRITABLE, SYSTEMD_FAILED and TOOL_MISSING. */
  async retime(timing: EtcdTiming): Promise<void> {
    const record = this.#record;
    if (record?.settled !== true || record.filling || this.isFenced) return;
    if (isSameTiming(this.timing, timing)) return;
    const next = { ...record, timing };
    await this.#files.configureSettled(next);
    await this.close();
    const { paths, folders, env } = this.#options;
    await restartStoreProcess(paths, folders, env);
    // Last: who dies before does it again.
    await this.#keepRecord(next);
  }

  /** What its etcd tells of itself, as Prometheus reads it. Throws the system's or TLS's error. */
  metrics(): Promise<string> {
    return this.#connections.metrics();
  }

  /** Its etcd had begun, and its log is gone. */
  get isLost(): boolean {
    return this.#record?.settled === true && !this.#files.hasLog(this.#record);
  }

  /** Its etcd was never told how to run: the daemon died just before. */
  get isUnbegun(): boolean {
    return this.#record !== undefined && !this.#files.isConfigured;
  }

  /** Where the daemon died while it took its etcd from one store to another, the one that the record names goes on. */
  async mend(): Promise<void> {
    const record = this.#record;
    if (record === undefined || record.filling === true) return;
    if (record.settled === true && this.isUnbegun) await this.#files.configureSettled(record);
    await this.#files.tidy(this.#record);
  }

  /**
   * Makes the store of `copy` anew, with this node's vote alone, as the next generation that `store` is. Its own former data is there until all is done, and
   * then moved to `keep`, if that is given. Throws as `begin` does, and as a store, what `refuse` throws, and STORE_REFUSED where it is fenced meanwhile: then
   * the former part is what it was, and whether that is outlived is to be looked at.
   */
  async refound(store: NamedStore, copy: StoreCopy, { keep, refuse }: Refounding): Promise<void> {
    const former = this.#record;
    const wasFenced = this.isFenced;
    await this.#files.begin();
    await this.#files.keepCopy(copy);
    await this.close();
    await endStoreProcess(this.#options.paths, { wipe: false });
    // From here on it is the new one, whatever happens.
    const kept = former && keep && { data: former.data ?? FIRST_DATA, to: keep };
    const timing = former?.timing && { timing: former.timing };
    const next = { version: 1, store, data: dataName(store), filling: true, ...timing } as const;
    await this.#keepRecord({ ...next, ...(kept && { kept }) });
    // What outlived the former one does not outlive this; what does, and came since it was looked at, would be forgotten here.
    this.isFenced = false;
    try {
      refuse();
      await this.fill();
    } catch (error) {
      await this.#goBack(former, wasFenced);
      throw error;
    }
  }

  /** Takes up the making of the store anew, from its beginning. Nothing where there is none to take up. Throws STORE_REFUSED where it is fenced meanwhile. */
  async fill(): Promise<void> {
    const record = this.#record;
    if (record?.filling !== true) return;
    const { paths, folders, ports, ip } = this.#options;
    const copy = await this.#files.copy();
    await this.close();
    await endStoreProcess(paths, { wipe: false });
    await this.#files.removeData(record);
    await requireFreeStorePorts(ports, ip);
    await this.#files.writeCertificates();
    const alone = { name: this.#options.name, peerUrl: this.peerUrl };
    await this.#files.configure(record, { begins: "new", members: [alone] });
    await startStoreProcess(paths, folders, this.#options.env);
    await this.#write(copy);
    const { filling: _, kept, ...whole } = record;
    const settled = { ...whole, settled: true };
    await this.#files.configureSettled(settled);
    if (kept) await this.#files.moveData(kept, kept.to);
    await this.#keepRecord(settled);
    await this.#files.tidy(this.#record);
  }

  /** Into the etcd that was just started. */
  async #write(copy: StoreCopy): Promise<void> {
    const refuse = (): void => {
      if (!this.isFenced) return;
      throw new HansaError("STORE_REFUSED", "another node made the store anew meanwhile", {
        hint: "look at it first: hansa store",
      });
    };
    const { store } = await this.#connections.connected();
    await untilLed(store, refuse);
    try {
      await writeCopy(store, copy);
    } catch (error) {
      // Then the connection was ended by us.
      refuse();
      throw error;
    }
    refuse();
  }

  /** What this node's etcd has, without asking others. Throws as a store does; undefined on a node without. */
  async copy(nowMs: number): Promise<StoreCopy | undefined> {
    const record = this.#record;
    if (record === undefined || record.filling) return undefined;
    const { store } = await this.#connections.connected();
    const { entries, revision } = await store.list("", { consistency: "local" });
    return { store: record.store, revision, takenAtMs: nowMs, entries };
  }

  /** Where its etcd's log ends at this moment. */
  logEnd(nowMs: number): StoreLogPlace {
    return storeLogEnd(this.#options.paths, nowMs);
  }

  /** What its etcd said since. Throws as `storeLogSince`. */
  logSince(place: StoreLogPlace): Promise<string> {
    return storeLogSince(this.#options.paths, place);
  }

  /** What can still be written where its data lies; no bound where its folder was taken away. */
  freeBytes(): Promise<number> {
    return this.#files.freeBytes();
  }

  /** Moves its data, which cannot be read any more, out of the way: to `path`. */
  async moveData(path: string): Promise<void> {
    await this.close();
    await endStoreProcess(this.#options.paths, { wipe: false });
    await this.#files.moveData(this.#record ?? {}, path);
  }

  async #goBack(former: VoterRecord | undefined, wasFenced: boolean): Promise<void> {
    if (former === undefined) return this.#forget();
    await this.close();
    await endStoreProcess(this.#options.paths, { wipe: false });
    await this.#keepRecord(former);
    await this.mend();
    await this.#files.tidy(this.#record);
    await this.keep();
    // Last: what fenced the new one may outlive the former one too, and whoever called can look at that before it serves.
    this.isFenced = wasFenced || former.outlived === true;
  }

  async #keepRecord(record: VoterRecord): Promise<void> {
    await this.#files.keepRecord(record);
    this.#record = record;
  }

  /** Starts the process where it was found dead. */
  async keep(): Promise<void> {
    const { paths, folders } = this.#options;
    if (this.#record !== undefined && storeRuns(paths) === false) {
      await startStoreProcess(paths, folders, this.#options.env);
    }
  }

  /** Takes this node's part of the store away, data and all; what was to be kept of a former one, which never came to its place, goes there. */
  async end(): Promise<void> {
    const kept = this.#record?.filling === true ? this.#record.kept : undefined;
    if (kept) {
      await this.close();
      await endStoreProcess(this.#options.paths, { wipe: false });
      await this.#files.moveData(kept, kept.to);
    }
    await this.#forget();
  }

  /** Connects at the first call; undefined on a node without a vote, or one that is fenced. */
  async link(): Promise<VoterLink | undefined> {
    if (this.#record === undefined || this.#record.filling || this.isFenced) return undefined;
    return await this.#connections.connected();
  }

  /** A connection to its etcd for another node, which closes it. Throws STORE_UNREACHABLE. */
  async dial(): Promise<TunnelEnd> {
    const socket = await this.#connections.dial();
    const record = this.#record;
    const serves = record !== undefined && !record.filling && !this.isFenced;
    if (serves) return { mark: record.store, socket };
    socket.destroy();
    throw new HansaError("STORE_UNREACHABLE", "this node has no vote");
  }

  /** From now on it serves nobody, also after another start of the daemon. Throws STATE_UNWRITABLE. */
  async fence(): Promise<void> {
    this.isFenced = true;
    if (this.#record !== undefined) await this.#keepRecord({ ...this.#record, outlived: true });
  }

  /** The daemon ends; the process goes on. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  async #forget(): Promise<void> {
    await this.close();
    this.isFenced = false;
    if (this.#record === undefined) return;
    this.#record = undefined;
    await endStoreProcess(this.#options.paths, { wipe: true });
    await this.#files.remove();
  }
}
