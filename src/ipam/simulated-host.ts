/**
 * One host of a simulated cluster: the daemon's address machine, the plugin's lease book, the control channel between them, and what
 * is on disk. For tests. Pure.
 *
 * Hosts are told apart by a key. It is the node's id but for twins, which have the same id and another key (`twinOf`).
 */
import type { NodeId } from "../values/node-id.ts";
import { type AddressPlan, nodeAddress } from "./address-plan.ts";
import type { Addresses, PersistedRings } from "./addresses.ts";
import { applyRecord, LeaseBook } from "./lease-book.ts";
import type { LeaseRecord } from "./lease-record.ts";
import type { IpamInput, IpamOutput } from "./step.ts";
import { StrayBoard } from "./strays.ts";

/** The question to the plugin, or its answer, on the control channel. */
type ToPlugin = Extract<IpamOutput, { type: "space" | "cede" }>;

/** Keys of twins are this far apart. */
const TWIN = 100_000;

/** The key of the `n`th other host with the id. */
export function twinOf(id: NodeId, n = 1): number {
  return id + n * TWIN;
}

/** The id of the node on the host with that key. */
export function idOf(key: number): NodeId {
  return key % TWIN;
}

/** What a disk image holds. */
export interface DiskImage {
  readonly disk: PersistedRings | undefined;
  readonly journal: readonly LeaseRecord[];
}

export class SimulatedHost {
  readonly key: number;
  readonly id: NodeId;
  addresses: Addresses;
  disk: PersistedRings | undefined;
  book = new LeaseBook();
  readonly journal: LeaseRecord[] = [];
  toPlugin: ToPlugin[] = [];
  toDaemon: IpamInput[] = [];
  lastSpace: ToPlugin | undefined;
  openCede: number | undefined;
  settled = false;
  alive = true;
  /** Claims answered, by request. */
  readonly claims = new Map<number, Extract<IpamOutput, { type: "claim-done" }>["result"]>();

  /** Its id is a twin's. */
  fenced = false;
  readonly board = new StrayBoard();

  constructor(key: number, addresses: Addresses) {
    this.key = key;
    this.id = idOf(key);
    this.addresses = addresses;
  }

  /** As its member's name. */
  get name(): string {
    return `${this.id}-${this.key.toString(16).padStart(8, "0")}`;
  }

  /** The plugin does the next thing that it was asked; false when there is none. */
  workPlugin(plan: AddressPlan, nowMs: number): boolean {
    const asked = this.toPlugin.shift();
    if (!asked) return false;
    if (asked.type === "space") {
      const { base, prefix } = plan.subnet;
      const subnet = `${[24, 16, 8, 0].map((bits) => (base >>> bits) & 255).join(".")}/${prefix}`;
      const gateway = nodeAddress(plan, this.id);
      const { ready, ranges, avoid } = asked;
      const { record } = this.book.setSpace({ ready, subnet, gateway, ranges, avoid });
      if (record) this.journal.push(record);
    } else {
      const { ranges, record } = this.book.cede(asked.want, nowMs);
      if (record) this.journal.push(record);
      this.toDaemon.push({ type: "ceded", request: asked.request, ranges });
    }
    this.reportUsage(nowMs);
    return true;
  }

  /** The plugin tells its counts; the newest take the place of those not read yet. */
  reportUsage(nowMs: number): void {
    this.toDaemon = this.toDaemon.filter((input) => input.type !== "usage");
    this.toDaemon.push({ type: "usage", ...this.book.counts(nowMs) });
  }

  /** A new plugin reads its journal; what was on the control channel is lost. */
  restartPlugin(): void {
    this.book = new LeaseBook();
    for (const record of this.journal) applyRecord(this.book, record);
    this.toPlugin = [];
    this.toDaemon = [];
  }
}
