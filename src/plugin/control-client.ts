/**
 * The daemon's side of the control channel: orders to the plugin, and answers to its claims.
 *
 * Invariant: it reconnects by itself, at most a second apart, until closed; after each connection `hello` comes first.
 * Each order settles: with the plugin's answer, or with IPAM_PLUGIN_UNREACHABLE when the connection is lost meanwhile.
 */
import { connect, type Socket } from "node:net";
import { ERRORS, type ErrorCode, HansaError } from "../errors.ts";
import { backoffMs, LOCAL_BACKOFF } from "../host/backoff.ts";
import { type Fields, LineChannel } from "../host/line-channel.ts";
import type { Space } from "../ipam/lease-record.ts";
import type { Cession } from "../ipam/step.ts";
import type { Range } from "../values/cidr.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { ClaimResult } from "./address-desk.ts";
import {
  count,
  decodeAddress,
  decodeLeases,
  decodeRanges,
  decodeSpace,
  decodeUsage,
  encodeCession,
  encodeSpace,
  type LeaseRow,
  type Usage,
} from "./control-codec.ts";

/** What the plugin holds when a connection begins. */
export interface PluginState {
  /** Undefined when no daemon ever set one. */
  readonly space: Space | undefined;
  readonly leases: readonly LeaseRow[];
  /** Another one than before means that the plugin's memory of leases was lost. */
  readonly epoch: string;
}

export interface ControlHandlers {
  hello(state: PluginState): void;
  usage(counts: Usage): void;
  /** Somebody waits for `address`, or for any when undefined. Set the space before saying ok. `withinMs` is from now. */
  claim(address: Ipv4 | undefined, withinMs: number): Promise<ClaimResult>;
  disconnected(): void;
}

/** An order that takes longer is given up: the plugin only writes a line. */
const ORDER_MS = 5000;

export class ControlClient {
  readonly #path: string;
  readonly #handlers: ControlHandlers;
  #channel: LineChannel | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #closed = false;

  private constructor(path: string, handlers: ControlHandlers) {
    this.#path = path;
    this.#handlers = handlers;
  }

  /** Begins to connect and returns at once; `hello` tells when there is a connection. */
  static connect(path: string, handlers: ControlHandlers): ControlClient {
    const client = new ControlClient(path, handlers);
    client.#dial();
    return client;
  }

  /** True from `hello` until `disconnected`. */
  get connected(): boolean {
    return this.#channel !== undefined;
  }

  /** Sets what this host may give; `kept` are leases outside of it. Written down when it resolves. */
  async setSpace(space: Space): Promise<{ readonly kept: Range[] }> {
    const fields = await this.#order("set-space", { space: encodeSpace(space) });
    return { kept: decodeRanges(fields["kept"]) };
  }

  /** What the plugin gave up for good; empty when it holds leases there. Written down when it resolves. */
  async cede(want: Cession): Promise<Range[]> {
    const fields = await this.#order("cede", { want: encodeCession(want) });
    return decodeRanges(fields["ranges"]);
  }

  /** Ends the leases of these addresses; how many there were. */
  async free(addresses: readonly Ipv4[]): Promise<number> {
    return count((await this.#order("free", { addresses }))["freed"]);
  }

  async leases(): Promise<{ readonly leases: LeaseRow[] } & Usage> {
    const fields = await this.#order("leases", {});
    return { leases: decodeLeases(fields["leases"]), ...decodeUsage(fields) };
  }

  /** Ends the connection and the reconnecting. `disconnected` is still called when there was one. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  async #order(op: string, fields: Fields): Promise<Fields> {
    const answer = await this.#channel?.request(op, fields, ORDER_MS);
    if (!answer) {
      const text = `the plugin did not answer ${op} on ${this.#path}`;
      throw new HansaError("IPAM_PLUGIN_UNREACHABLE", text);
    }
    if (answer.ok) return answer.fields;
    const code = answer.code in ERRORS ? (answer.code as ErrorCode) : "INTERNAL";
    throw new HansaError(code, answer.message);
  }

  #dial(): void {
    const socket = connect(this.#path);
    this.#socket = socket;
    const channel: LineChannel = new LineChannel(socket, {
      request: (op, fields) => this.#serve(op, fields),
      note: (op, fields) => {
        if (this.#closed) return;
        try {
          this.#hear(op, fields, channel);
        } catch (error) {
          // Not a plugin of this version: try again until it is replaced.
          if (!(error instanceof HansaError)) throw error;
          channel.close();
        }
      },
      closed: () => {
        const wasConnected = this.#channel === channel;
        if (wasConnected) this.#channel = undefined;
        if (!this.#closed) {
          const waitMs = backoffMs(LOCAL_BACKOFF, this.#attempt++, Math.random());
          this.#timer = setTimeout(() => this.#dial(), waitMs);
        }
        if (wasConnected) this.#handlers.disconnected();
      },
    });
  }

  #hear(op: string, fields: Fields, channel: LineChannel): void {
    if (op === "hello") {
      const space = fields["space"] === null ? undefined : decodeSpace(fields["space"]);
      const state = { space, leases: decodeLeases(fields["leases"]), epoch: `${fields["epoch"]}` };
      this.#channel = channel;
      this.#attempt = 0;
      this.#handlers.hello(state);
    } else if (op === "usage") {
      this.#handlers.usage(decodeUsage(fields));
    }
    // A newer plugin may say more than we understand.
  }

  async #serve(op: string, fields: Fields): Promise<Fields> {
    if (op !== "claim" && op !== "more") {
      throw new HansaError("USAGE", `the daemon knows no operation "${op.slice(0, 40)}"`);
    }
    const address = op === "claim" ? decodeAddress(fields["address"]) : undefined;
    const result = await this.#handlers.claim(address, count(fields["withinMs"]));
    if (result.ok) return {};
    const code = result.code in ERRORS ? (result.code as ErrorCode) : "INTERNAL";
    throw new HansaError(code, result.message);
  }
}
