/**
 * Answers requests that ask for a stream: who asks, whether they may, which container; then the connection is upgraded and the route runs on it.
 *
 * Invariants: before the upgrade failures are answered as the API answers them, after it as a frame; each stream that changes something is in the
 * audit log once, with its container and without what was asked in it; streams are bounded in number.
 */
import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { HansaError } from "../errors.ts";
import { containerLabel } from "../values/container-reference.ts";
import { type Caller, holderOf, requireRole } from "./caller.ts";
import type { AuditEntry } from "./create-api.ts";
import { deedOf } from "./deeds.ts";
import { NodeStream } from "./node-stream.ts";
import { Places } from "./places.ts";
import type { FoundContainer, ReachPort } from "./reach-port.ts";
import { refusalText } from "./refusal.ts";
import { sentenceOf } from "./request-error.ts";
import { findStreamRoute, STREAM_PROTOCOL, type StreamRoute } from "./stream-routes.ts";

export interface StreamServerOptions {
  readonly reach: ReachPort;
  readonly callerOf: (request: IncomingMessage) => Caller | undefined;
  /** Throws for who is kept out: API_CERTIFICATE_REFUSED, API_RATE_LIMITED. Default: nobody is. */
  readonly admit?: (caller: Caller, request: IncomingMessage) => void;
  readonly audit: (entry: AuditEntry) => void;
  /** Told of every failure that is no HansaError. */
  readonly onDefect: (error: unknown, request: string) => void;
  /** At one time; default 512. */
  readonly places?: number;
  /** Passes the request on to another node, whose container it is for. */
  readonly passOn: (request: IncomingMessage, socket: Duplex, head: Buffer, node: number) => void;
}

/** At one time, on one door; of one certificate 410 (see Places). */
const MAX_STREAMS = 512;
/** Of a container's name in the audit log. */
const MAX_LABEL = 320;
/** The kernel looks after a client that says nothing for so long. */
const KEEP_ALIVE_MS = 15_000;

export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #places: Places;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#places = new Places(options.places ?? MAX_STREAMS);
  }

  /** Whether the request asks for a stream of ours. */
  wants({ headers }: IncomingMessage): boolean {
    return headers.upgrade?.toLowerCase() === STREAM_PROTOCOL;
  }

  /** Owns `socket` from now on. Never throws. */
  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
    this.#answer(request, socket, head).catch((error: unknown) =>
      refuse(socket, this.#known(error)),
    );
  }

  /** Rejects with why there is no stream. */
  async #answer(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { reach, callerOf, admit, passOn } = this.#options;
    const { method = "", url = "" } = request;
    const found = findStreamRoute(method, url);
    if (found === undefined) {
      throw new HansaError("API_ROUTE_UNKNOWN", `no stream ${method} ${url.split("?")[0]}`);
    }
    const { route } = found;
    const caller = callerOf(request);
    const audit = this.#audit(route, caller);
    try {
      if (caller) admit?.(caller, request);
      const asker = requireRole(caller, route.role, route.operation);
      this.#place(socket, holderOf(asker));
      const container = await reach.find(found.container, asker);
      if (container.isHere) await this.#run(route, container, asker, socket, head, audit);
      else passOn(request, socket, head, container.node.id);
    } catch (error) {
      audit(this.#known(error).code, found.container);
      throw error;
    }
  }

  /** Until `socket` closes. Throws STREAMS_MANY. */
  #place(socket: Duplex, who: string): void {
    const release = this.#places.take(who);
    if (release === undefined) {
      const { taken } = this.#places;
      const text = `this node serves ${taken} streams already, ${this.#places.heldBy(who)} of them with the same certificate`;
      throw new HansaError("STREAMS_MANY", text);
    }
    if (socket.destroyed) release();
    else socket.once("close", release);
  }

  async #run(
    route: StreamRoute,
    container: FoundContainer,
    caller: Caller,
    socket: Duplex,
    head: Buffer,
    audit: (result: AuditEntry["result"], container: string) => void,
  ): Promise<void> {
    const label = containerLabel(container);
    if (socket.destroyed) return;
    // The answer's head and the stream's first frames leave together: each piece would wake the client.
    socket.cork();
    process.nextTick(() => socket.uncork());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${STREAM_PROTOCOL}\r\n\r\n`,
    );
    const stream = new NodeStream(socket, head, route.takes);
    stream.inform({ container: label });
    try {
      const request = await requestOf(await stream.opened, route);
      if (route.roleFor) {
        requireRole(
          caller,
          route.roleFor(request),
          `${deedOf(route.operation)} with these options`,
        );
      }
      await route.run(this.#options.reach, container, request, stream, () => audit("ok", label));
      audit("ok", label);
    } catch (error) {
      // Who went away is told nothing.
      if (stream.isOver) return;
      const known = this.#known(error);
      audit(known.code, label);
      stream.fail(known);
    }
  }

  /** Writes one entry, the first. */
  #audit(
    route: StreamRoute,
    caller: Caller | undefined,
  ): (result: AuditEntry["result"], container: string) => void {
    let isNoted = route.role === "viewer" || caller === undefined;
    return (result, container) => {
      if (isNoted || caller === undefined) return;
      isNoted = true;
      // What names none may be as long as a request's head.
      const named = container.slice(0, MAX_LABEL);
      this.#options.audit({ caller, operation: route.operation, container: named, result });
    };
  }

  #known(error: unknown): HansaError {
    if (error instanceof HansaError) return error;
    this.#options.onDefect(error, "stream");
    return new HansaError(
      "INTERNAL",
      `unexpected failure: ${error instanceof Error ? error.message : error}`,
    );
  }
}

async function requestOf(json: string, route: StreamRoute): Promise<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new HansaError("USAGE", "what the stream is opened with is not JSON", { cause });
  }
  const parsed = (await route.request()).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HansaError("USAGE", sentenceOf(parsed.error, "what the stream is opened with"));
}

/** Answers a request that asked to leave HTTP as the API answers failures, and ends the connection. */
export function refuse(socket: Duplex, error: HansaError): void {
  socket.end(refusalText(error));
  // What the client sent meanwhile is thrown away, so that the answer arrives before the connection is reset.
  socket.resume();
  setTimeout(() => socket.destroy(), 1_000).unref();
}
