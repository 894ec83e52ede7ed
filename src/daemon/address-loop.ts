/**
 * Carries out what the address machine decides: rings to disk, messages to nodes, space to the plugin.
 *
 * Outputs are carried out strictly in order, one at a time, so nothing about a new ring leaves before the ring is on disk.
 */
import { setTimeout } from "node:timers/promises";
import { HansaError } from "../errors.ts";
import { atomicWrite, readJson } from "../host/files.ts";
import type { Logger } from "../host/logger.ts";
import { type AddressPlan, nodeAddress } from "../ipam/address-plan.ts";
import { Addresses, type AddressesView, type PersistedRings } from "../ipam/addresses.ts";
import { entriesOf, parsePersistedRings } from "../ipam/ring-codec.ts";
import type { Cession, IpamInput, IpamMessage, IpamOutput, RingEntry } from "../ipam/step.ts";
import type { ClaimResult } from "../plugin/address-desk.ts";
import { ControlClient } from "../plugin/control-client.ts";
import type { Range } from "../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../values/ipv4.ts";
import type { NodeId } from "../values/node-id.ts";
import { SerialQueue } from "./serial-queue.ts";

export interface AddressLoopOptions {
  readonly self: NodeId;
  readonly plan: AddressPlan;
  readonly ringPath: string;
  readonly controlPath: string;
  readonly logger: Logger;
  readonly send: (to: NodeId, message: IpamMessage) => Promise<void>;
  readonly broadcast: (entries: readonly RingEntry[]) => void;
  /** Rings, readiness or counts changed. */
  readonly changed: () => void;
  /** The plugin is there and knows its space: Docker may ask it. */
  readonly pluginReady: () => void;
}

/** Between two tries to write the rings, when the disk is full or refuses. */
const PERSIST_AGAIN_MS = 1000;

interface WaitingClaim {
  readonly address: Ipv4 | undefined;
  readonly settle: (result: ClaimResult) => void;
}

export class AddressLoop {
  readonly #options: AddressLoopOptions;
  readonly #machine: Addresses;
  readonly #queue: SerialQueue;
  readonly #control: ControlClient;
  readonly #claims = new Map<number, WaitingClaim>();
  #nextClaim = 1;
  /** As last decided and on disk: what a plugin that says hello is given. */
  #space: { ready: boolean; ranges: readonly Range[] } = { ready: false, ranges: [] };
  /** As on disk: what others may hear of. */
  #written: PersistedRings;
  #problem: string | undefined;
  /** Closed with rings unwritten: what follows from them must not happen. */
  #halted = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Loads the rings from disk and connects to the plugin. Throws STATE_DAMAGED. */
  static async start(options: AddressLoopOptions): Promise<AddressLoop> {
    const persisted = await readJson(options.ringPath, {
      parse: (value) => {
        const rings = parsePersistedRings(options.plan, value);
        if (!rings) throw new RangeError("not the rings of this subnet");
        return rings;
      },
    });
    return new AddressLoop(options, persisted);
  }

  private constructor(options: AddressLoopOptions, persisted: PersistedRings | undefined) {
    this.#options = options;
    this.#queue = new SerialQueue((error) =>
      options.logger.error("carrying out an address decision failed", { error: `${error}` }),
    );
    const { self, plan } = options;
    this.#machine = new Addresses({ self, plan, random: Math.random }, persisted);
    this.#written = this.#machine.persisted();
    this.#control = ControlClient.connect(options.controlPath, {
      hello: () =>
        this.#queue.add(async () => {
          await this.#setSpace();
          options.pluginReady();
        }),
      usage: ({ free, active }) => this.input({ type: "usage", free, active }),
      claim: (address, deadlineMs) => this.#claim(address, deadlineMs),
      disconnected: () => options.changed(),
    });
    this.input({ type: "tick" });
  }

  get pluginConnected(): boolean {
    return this.#control.connected;
  }

  view(): AddressesView {
    return this.#machine.view();
  }

  /** The records to tell others of in a push/pull: only what is on disk, so that no crash makes us forget a grant that others heard of. */
  entries(): readonly RingEntry[] {
    return entriesOf(this.#written);
  }

  /** Why the rings cannot be written down, while they cannot. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Feeds the machine and carries out what follows. */
  input(input: IpamInput): void {
    if (this.#closed) return;
    const outputs = this.#machine.handle(input, performance.now());
    for (const output of outputs) this.#queue.add(() => this.#carryOut(output));
    if (outputs.length > 0 || input.type === "usage") this.#options.changed();
    this.#arm();
  }

  /** The plugin's leases, for the reconciler. Rejects when the plugin is not there. */
  leases(): ReturnType<ControlClient["leases"]> {
    return this.#control.leases();
  }

  /** Ends leases that no container holds; resolves to how many there were. */
  free(addresses: readonly Ipv4[]): Promise<number> {
    return this.#control.free(addresses);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#queue.drained();
    this.#control.close();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#machine.nextTickMs();
    if (next === Number.POSITIVE_INFINITY || this.#closed) return;
    const waitMs = Math.max(1, Math.ceil(next - performance.now()));
    this.#timer = globalThis.setTimeout(() => this.input({ type: "tick" }), waitMs);
  }

  async #carryOut(output: IpamOutput): Promise<void> {
    if (this.#halted) return;
    switch (output.type) {
      case "persist":
        await this.#persist();
        return;
      case "send":
        // Not awaited: an unreachable node must not hold up our own disk and plugin; the machine asks again.
        void this.#options.send(output.to, output.message).catch((error: unknown) => {
          this.#options.logger.debug("an address message was not delivered", {
            to: output.to,
            error: `${error}`,
          });
        });
        return;
      case "broadcast":
        this.#options.broadcast(output.entries);
        return;
      case "space":
        this.#space = { ready: output.ready, ranges: output.ranges };
        await this.#setSpace();
        return;
      case "cede":
        await this.#cede(output.request, output.want);
        return;
      case "claim-done":
        this.#claims.get(output.request)?.settle(this.#claimResult(output));
        this.#claims.delete(output.request);
        return;
      case "conflict":
        this.#options.logger.error("an address range is claimed by two nodes", {
          code: "IPAM_ADDRESS_TWICE",
          from: formatIpv4(output.range.start),
          to: formatIpv4(output.range.end - 1),
          other: output.other,
        });
        return;
    }
  }

  /** Writes the rings down, for as long as it takes: nothing that follows may happen before. */
  async #persist(): Promise<void> {
    while (!this.#closed) {
      const rings = this.#machine.persisted();
      try {
        await atomicWrite(this.#options.ringPath, JSON.stringify(rings), 0o600);
        this.#written = rings;
        this.#problem = undefined;
        return;
      } catch (error) {
        this.#problem = `STATE_UNWRITABLE: ${this.#options.ringPath} cannot be written, so no address space is given or taken`;
        this.#options.logger.error("the rings cannot be written", { error: `${error}` });
        this.#options.changed();
        await setTimeout(PERSIST_AGAIN_MS);
      }
    }
    this.#halted = true;
  }

  async #setSpace(): Promise<void> {
    // Without the plugin there is nobody to tell; it says hello when it is back and gets the space then.
    if (!this.#control.connected) return;
    const { plan, self } = this.#options;
    const { kept } = await this.#control.setSpace({
      ready: this.#space.ready,
      subnet: `${formatIpv4(plan.subnet.base)}/${plan.subnet.prefix}`,
      gateway: nodeAddress(plan, self),
      ranges: this.#space.ranges,
    });
    if (kept.length > 0) {
      this.#options.logger.warn("containers hold addresses that are no longer this node's", {
        ranges: kept.map(({ start, end }) => `${formatIpv4(start)}-${formatIpv4(end - 1)}`),
      });
    }
    this.#options.changed();
  }

  async #cede(request: number, want: Cession): Promise<void> {
    let ranges: readonly Range[] = [];
    try {
      if (this.#control.connected) ranges = await this.#control.cede(want);
    } catch (error) {
      this.#options.logger.warn("the plugin did not give up space", { error: `${error}` });
    }
    this.input({ type: "ceded", request, ranges });
  }

  #claim(address: Ipv4 | undefined, deadlineMs: number): Promise<ClaimResult> {
    const request = this.#nextClaim;
    this.#nextClaim += 1;
    const { promise, resolve } = Promise.withResolvers<ClaimResult>();
    this.#claims.set(request, { address, settle: resolve });
    this.input({ type: "claim", request, address, deadlineMs: performance.now() + deadlineMs });
    return promise;
  }

  #claimResult(done: Extract<IpamOutput, { type: "claim-done" }>): ClaimResult {
    if (done.result === "granted") return { ok: true };
    const wanted = this.#claims.get(done.request)?.address;
    const error = claimError(this.#options.self, done.result, wanted, done.owner);
    return { ok: false, code: error.code, message: error.message };
  }
}

function claimError(
  self: NodeId,
  result: Exclude<Extract<IpamOutput, { type: "claim-done" }>["result"], "granted">,
  wanted: Ipv4 | undefined,
  owner: NodeId | undefined,
): HansaError {
  const address = wanted === undefined ? "an address" : formatIpv4(wanted);
  switch (result) {
    case "in-use":
      return new HansaError("IPAM_ADDRESS_IN_USE", `${address} is in use on node ${owner}`);
    case "owner-unreachable":
      return new HansaError(
        "IPAM_OWNER_UNREACHABLE",
        `${address} belongs to node ${owner}, which is out of reach`,
      );
    case "no-space":
      return new HansaError(
        "IPAM_EXHAUSTED",
        `node ${self} has no free address and no node in reach could give it any`,
      );
    case "not-ready":
      return new HansaError(
        "IPAM_NOT_READY",
        `node ${self} has no addresses yet and no node that has some is in reach`,
      );
  }
}
