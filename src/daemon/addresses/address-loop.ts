/**
 * Carries out what the address machine decides: rings to disk, messages to nodes, space to the plugin.
 *
 * Outputs are carried out strictly in order, one at a time, so nothing about a new ring leaves before the ring is on disk. None is carried
 * out before `begin`, so that whoever sends for the loop may be built after it.
 */
import { setTimeout } from "node:timers/promises";
import { codedSentence, HansaError } from "../../errors.ts";
import { atomicWrite, readJson } from "../../host/files.ts";
import type { Logger } from "../../host/logger.ts";
import { type AddressPlan, nodeAddress } from "../../ipam/address-plan.ts";
import { Addresses, type AddressesView, type PersistedRings } from "../../ipam/addresses.ts";
import { entriesOf, parsePersistedRings } from "../../ipam/ring-codec.ts";
import type { Cession, IpamInput, IpamMessage, IpamOutput, RingEntry } from "../../ipam/step.ts";
import type { ClaimResult } from "../../plugin/address-desk.ts";
import { ControlClient } from "../../plugin/control-client.ts";
import type { Range } from "../../values/cidr.ts";
import { formatIpv4, type Ipv4 } from "../../values/ipv4.ts";
import type { NodeId } from "../../values/node-id.ts";
import { SerialQueue } from "../timing/serial-queue.ts";
import { claimError } from "./claim-error.ts";

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
  /** The plugin is there and took its space: Docker may ask it. Once a connection. */
  readonly pluginReady: () => void;
}

/** Between two tries to write the rings, when the disk is full or refuses. */
const PERSIST_AGAIN_MS = 1000;
/** Before the plugin is told its space again, when it is there but did not take it. */
const SPACE_AGAIN_MS = 1000;

/**
 * So much before the plugin gives up waiting, at most a quarter of its time, it is answered: only we know the reason, and a busy machine
 * takes a part of a second to tell it.
 */
const ANSWER_EARLIER_MS = 1000;

interface WaitingClaim {
  readonly address: Ipv4 | undefined;
  readonly settle: (result: ClaimResult) => void;
}

export class AddressLoop {
  readonly #options: AddressLoopOptions;
  readonly #machine: Addresses;
  readonly #queue: SerialQueue;
  /** Undefined before `begin`: the plugin's claims are outputs to come. */
  #control: ControlClient | undefined;
  readonly #begun = Promise.withResolvers<void>();
  readonly #claims = new Map<number, WaitingClaim>();
  #nextClaim = 1;
  /** As last decided and on disk: what a plugin that says hello is given. */
  #space: { ready: boolean; ranges: readonly Range[]; avoid: readonly Range[] } = {
    ready: false,
    ranges: [],
    avoid: [],
  };
  /** As on disk: what others may hear of. */
  #written: PersistedRings;
  #persistProblem: string | undefined;
  #spaceProblem: string | undefined;
  /** This plugin was told its space since it said hello. */
  #pluginKnows = false;
  /** Closed with rings unwritten: what follows from them must not happen. */
  #halted = false;
  #timer: NodeJS.Timeout | undefined;
  #spaceTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Loads the rings from disk; what is fed meanwhile is carried out after `begin`. Throws STATE_DAMAGED. */
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
    this.#queue.add(() => this.#begun.promise);
  }

  /** Everything that `send`, `broadcast` and `changed` need is there: carries out, and connects to the plugin. Call once. */
  begin(): void {
    if (this.#closed || this.#control) return;
    this.#control = ControlClient.connect(this.#options.controlPath, {
      hello: () => {
        this.#pluginKnows = false;
        this.#queue.add(() => this.#setSpace());
      },
      usage: ({ free, active }) => this.input({ type: "usage", free, active }),
      claim: (address, withinMs) => this.#claim(address, withinMs),
      disconnected: () => this.#options.changed(),
    });
    this.#begun.resolve();
    this.input({ type: "tick" });
  }

  get pluginConnected(): boolean {
    return this.#control?.connected ?? false;
  }

  /** What is ours to give by the rings, ready or not: a range set. */
  owned(): readonly Range[] {
    return this.#machine.owned();
  }

  /** True while the plugin is there and works with the space that it was last told. */
  get pluginHasSpace(): boolean {
    return this.pluginConnected && this.#pluginKnows && this.#spaceProblem === undefined;
  }

  view(): AddressesView {
    return this.#machine.view();
  }

  /** The records to tell others of in a push/pull: only what is on disk, so that no crash makes us forget a grant that others heard of. */
  entries(): readonly RingEntry[] {
    return entriesOf(this.#written);
  }

  /** Why the rings cannot be written down, or the plugin does not take its space, while that is so. */
  get problem(): string | undefined {
    return this.#persistProblem ?? (this.pluginConnected ? this.#spaceProblem : undefined);
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
  async leases(): ReturnType<ControlClient["leases"]> {
    return await this.#plugin().leases();
  }

  /** Ends leases that no container holds; resolves to how many there were. */
  async free(addresses: readonly Ipv4[]): Promise<number> {
    return await this.#plugin().free(addresses);
  }

  /** Resolves when all that was decided so far has been carried out. */
  carriedOut(): Promise<void> {
    return this.#queue.drained();
  }

  async close(): Promise<void> {
    this.#closed = true;
    // Never begun: those that would send were never there.
    if (!this.#control) this.#halted = true;
    this.#begun.resolve();
    clearTimeout(this.#timer);
    await this.#queue.drained();
    clearTimeout(this.#spaceTimer);
    this.#control?.close();
  }

  #plugin(): ControlClient {
    if (this.#control) return this.#control;
    throw new HansaError("IPAM_PLUGIN_UNREACHABLE", "the plugin was not connected to yet");
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
        this.#space = { ready: output.ready, ranges: output.ranges, avoid: output.avoid };
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
        this.#persistProblem = undefined;
        return;
      } catch (error) {
        this.#persistProblem = `STATE_UNWRITABLE: ${this.#options.ringPath} cannot be written, so no address space is given or taken`;
        this.#options.logger.error("the rings cannot be written", { error: `${error}` });
        this.#options.changed();
        await setTimeout(PERSIST_AGAIN_MS);
      }
    }
    this.#halted = true;
  }

  /** Tells the plugin its space, again after a while when it is there but does not take it. Never rejects. */
  async #setSpace(): Promise<void> {
    clearTimeout(this.#spaceTimer);
    // Without the plugin there is nobody to tell; it says hello when it is back and gets the space then.
    if (!this.#control?.connected) return;
    const { plan, self, logger } = this.#options;
    try {
      const { kept } = await this.#control.setSpace({
        ready: this.#space.ready,
        subnet: `${formatIpv4(plan.subnet.base)}/${plan.subnet.prefix}`,
        gateway: nodeAddress(plan, self),
        ranges: this.#space.ranges,
        avoid: this.#space.avoid,
      });
      this.#spaceProblem = undefined;
      if (kept.length > 0) {
        logger.warn("containers hold addresses that are no longer this node's", {
          ranges: kept.map(({ start, end }) => `${formatIpv4(start)}-${formatIpv4(end - 1)}`),
        });
      }
      if (!this.#pluginKnows) {
        this.#pluginKnows = true;
        this.#options.pluginReady();
      }
    } catch (error) {
      this.#spaceNotTaken(error);
    }
    this.#options.changed();
  }

  #spaceNotTaken(error: unknown): void {
    const { logger } = this.#options;
    logger.warn("the plugin did not take its space", { error: `${error}` });
    // One that went away is told at its next hello, and its absence is a warning of its own.
    if (!this.#control?.connected || this.#closed) return;
    const why = codedSentence(error);
    this.#spaceProblem = why;
    this.#spaceTimer = globalThis.setTimeout(
      () => this.#queue.add(() => this.#setSpace()),
      SPACE_AGAIN_MS,
    );
  }

  async #cede(request: number, want: Cession): Promise<void> {
    let ranges: readonly Range[] = [];
    try {
      if (this.#control?.connected) ranges = await this.#control.cede(want);
    } catch (error) {
      this.#options.logger.warn("the plugin did not give up space", { error: `${error}` });
    }
    this.input({ type: "ceded", request, ranges });
  }

  #claim(address: Ipv4 | undefined, withinMs: number): Promise<ClaimResult> {
    const request = this.#nextClaim;
    this.#nextClaim += 1;
    const { promise, resolve } = Promise.withResolvers<ClaimResult>();
    this.#claims.set(request, { address, settle: resolve });
    const earlierMs = Math.min(ANSWER_EARLIER_MS, withinMs / 4);
    const deadlineMs = performance.now() + withinMs - earlierMs;
    this.input({ type: "claim", request, address, deadlineMs });
    return promise;
  }

  #claimResult(done: Extract<IpamOutput, { type: "claim-done" }>): ClaimResult {
    if (done.result === "granted") return { ok: true };
    const wanted = this.#claims.get(done.request)?.address;
    const error = claimError(this.#options.self, done.result, wanted, done.owner);
    return { ok: false, code: error.code, message: error.message };
  }
}
