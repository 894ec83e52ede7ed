/**
 * The plugin's side of the control channel (docs/internals/architecture.md): takes the daemon's orders and asks it for space.
 *
 * Invariant: an order is answered only after its effect is on disk. Several connections may be open, because a killed daemon's
 * lingers while its successor is there already; questions go to the latest only.
 */
import { createServer, type Server, type Socket } from "node:net";
import { HansaError } from "../errors.ts";
import { type Fields, LineChannel } from "../host/line-channel.ts";
import type { Logger } from "../host/logger.ts";
import { listenUnix } from "../host/unix-listen.ts";
import type { Ipv4 } from "../values/ipv4.ts";
import type { AddressDesk, ClaimResult, Claims } from "./address-desk.ts";
import {
  decodeAddresses,
  decodeCession,
  decodeSpace,
  encodeLeases,
  encodeRanges,
  encodeSpace,
  type Usage,
} from "./control-codec.ts";

/** At most one note of the counts in this time. */
const USAGE_EVERY_MS = 1000;
/** Counts also change by time alone, released addresses come back; each look counts all leases, and idle hosts must stay idle. */
const LOOK_EVERY_MS = 10_000;

export class ControlServer implements Claims {
  readonly #server: Server;
  readonly #logger: Logger;
  /** Oldest first. */
  readonly #channels = new Set<LineChannel>();
  readonly #timer: NodeJS.Timeout;
  #soon: NodeJS.Timeout | undefined;
  #desk: AddressDesk | undefined;
  #reported: Usage | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#timer = setInterval(() => this.#report(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Serves `desk` on `path`. Throws SOCKET_TAKEN. */
  async listen(desk: AddressDesk, path: string): Promise<void> {
    this.#desk = desk;
    desk.watch(() => this.#reportSoon());
    await listenUnix(this.#server, path);
  }

  get connected(): boolean {
    return this.#channels.size > 0;
  }

  async claim(address: Ipv4 | undefined, withinMs: number): Promise<ClaimResult | undefined> {
    const daemon = [...this.#channels].at(-1);
    if (!daemon) return undefined;
    const fields: Fields = { withinMs: Math.round(withinMs) };
    const answer =
      address === undefined
        ? await daemon.request("more", fields, withinMs)
        : await daemon.request("claim", { ...fields, address }, withinMs);
    return answer?.ok ? { ok: true } : answer;
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#server.close();
    for (const channel of this.#channels) channel.close();
  }

  #accept(socket: Socket): void {
    const desk = this.#desk;
    if (!desk) {
      socket.destroy();
      return;
    }
    const channel = new LineChannel(socket, {
      request: (op, fields) => {
        const answer = serve(desk, op, fields);
        // The daemon plans with these counts, and hears of its own order's effect before the answer.
        if (op === "set-space" || op === "cede") this.#report();
        return answer;
      },
      note: (op) => this.#logger.warn("an unknown note on the control channel", { op }),
      closed: (reason) => {
        this.#channels.delete(channel);
        this.#logger.info("the daemon disconnected", reason === undefined ? {} : { reason });
      },
    });
    try {
      const { space, leases } = desk.book;
      const fields = {
        space: encodeSpace(space),
        leases: encodeLeases(leases),
        epoch: desk.epoch,
      };
      channel.note("hello", fields);
    } catch (error) {
      this.#logger.error("the leases cannot be read, so the daemon is sent away", { error });
      channel.close();
      return;
    }
    this.#channels.add(channel);
    this.#reported = undefined;
    this.#report();
    this.#logger.info("the daemon connected");
    desk.wake();
  }

  #reportSoon(): void {
    if (this.#soon !== undefined) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.#report();
    }, USAGE_EVERY_MS);
    this.#soon.unref();
  }

  #report(): void {
    if (!this.#desk || this.#channels.size === 0) return;
    let usage: Usage;
    try {
      usage = this.#desk.usage();
    } catch (error) {
      this.#logger.error("the leases cannot be counted", { error });
      return;
    }
    const last = this.#reported;
    if (last?.free === usage.free && last.active === usage.active) return;
    this.#reported = usage;
    for (const channel of this.#channels) channel.note("usage", { ...usage });
  }
}

/** Carries out one order of the daemon. */
function serve(desk: AddressDesk, op: string, fields: Fields): Fields {
  switch (op) {
    case "set-space":
      return { kept: encodeRanges(desk.setSpace(decodeSpace(fields["space"]))) };
    case "cede":
      return { ranges: encodeRanges(desk.cede(decodeCession(fields["want"]))) };
    case "free":
      return { freed: desk.free(decodeAddresses(fields["addresses"])) };
    case "leases":
      return { leases: encodeLeases(desk.book.leases), ...desk.usage() };
    default:
      throw new HansaError("USAGE", `the plugin knows no operation "${op.slice(0, 40)}"`);
  }
}
