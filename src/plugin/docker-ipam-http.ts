/**
 * Docker's IPAM plugin protocol, as Docker 20 to 29 speak it over the plugin's socket.
 *
 * Invariant: every request is answered, within the deadline and with status 200: with its result or `{"Error": "CODE: one
 * sentence"}`. Docker waits for an answer without limit and holds the container's lock meanwhile, and shows only this form whole.
 * An address is leased only while somebody waits for the answer.
 */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { HansaError, isHansaError } from "../errors.ts";
import type { Logger } from "../host/logger.ts";
import { parseCidr } from "../values/cidr.ts";
import { formatIpv4, type Ipv4, parseIpv4 } from "../values/ipv4.ts";
import type { AddressDesk } from "./address-desk.ts";

/** `docker run` is promised to fail within 10 s, and Docker itself needs some of them. */
const DEADLINE_MS = 8_500;

export interface DockerIpamOptions {
  /** The desk; throws a HansaError, which Docker is told, while the leases cannot be read. */
  readonly desk: () => AddressDesk;
  readonly logger: Logger;
  /** A Docker Engine started and greets us, before it asks for any address. */
  readonly activated: () => void;
  /** For one request; default 8 500. */
  readonly deadlineMs?: number;
  /** Requests wait for it, within their deadline: the predecessor may still be answering its own. */
  readonly opened?: Promise<void>;
}

/** The server and what it is doing. */
export interface DockerIpam {
  readonly server: Server;
  /**
   * Listens no more, answers what was asked, and what those ask who have connected already, and resolves when nobody waits for an answer
   * any more. Connections end with their answer, so that Docker comes back by another: to the successor.
   */
  drained(): Promise<void>;
}

type Body = Readonly<Record<string, unknown>>;

/** From the order to drain: who connected and was not heard yet has as long to ask. Docker asks at once; a busy machine is slow to tell. */
const FIRST_REQUEST_MS = 1_000;
const MAX_BODY_BYTES = 64 * 1024;
const GATEWAY = "com.docker.network.gateway";

/** The server, not yet listening. */
export function createDockerIpam(options: DockerIpamOptions): DockerIpam {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  // Once it is open no request waits, nor leaves a timer behind.
  let opened = options.opened;
  void opened?.then(() => {
    opened = undefined;
  });
  let isDraining = false;
  const pending = new Set<ServerResponse>();
  /** Connections on which nothing was asked yet, and those whose questions are answered. */
  const [silent, idle] = [new Set<Socket>(), new Set<Socket>()];
  const changed = new EventEmitter();
  const connectionsCheckingInterval = Math.min(deadlineMs, 5000);
  const server = createServer({ connectionsCheckingInterval }, (request, response) => {
    if (isDraining) response.setHeader("connection", "close");
    const { socket } = request;
    pending.add(response);
    silent.delete(socket);
    idle.delete(socket);
    // "close" comes once for each response, whether it was sent or broke off.
    response.once("close", () => {
      pending.delete(response);
      if (!socket.destroyed) idle.add(socket);
      changed.emit("change");
    });
    void exchange({ ...options, opened }, request, response, deadlineMs);
  });
  // Docker keeps its connections; one that we close under it costs it an error and a retry.
  server.keepAliveTimeout = 0;
  server.headersTimeout = deadlineMs;
  server.requestTimeout = deadlineMs;
  server.maxHeadersCount = 64;
  server.on("connection", (socket: Socket) => {
    silent.add(socket);
    socket.once("close", () => {
      idle.delete(socket);
      if (silent.delete(socket)) changed.emit("change");
    });
  });
  return {
    server,
    async drained() {
      isDraining = true;
      for (const response of pending) {
        if (!response.headersSent) response.setHeader("connection", "close");
      }
      for (const socket of idle) socket.destroy();
      // http's own would cut those off who have connected and not asked yet.
      NetServer.prototype.close.call(server);
      const late = setTimeout(() => {
        silent.clear();
        changed.emit("change");
      }, FIRST_REQUEST_MS);
      while (pending.size > 0 || silent.size > 0) await once(changed, "change");
      clearTimeout(late);
    },
  };
}

async function exchange(
  options: Omit<DockerIpamOptions, "opened"> & { readonly opened: Promise<void> | undefined },
  request: IncomingMessage,
  response: ServerResponse,
  deadlineMs: number,
): Promise<void> {
  const gone = new AbortController();
  let leased: Ipv4 | undefined;
  response.on("close", () => {
    gone.abort();
    if (leased === undefined || response.writableFinished) return;
    try {
      options.desk().release(leased);
    } catch (error) {
      options.logger.warn("an address that nobody took stays leased", { leased, error });
    }
  });
  let answer: object;
  try {
    const body = await readBody(request, response);
    if (options.opened) {
      await Promise.race([options.opened, sleep(deadlineMs, undefined, { ref: false })]);
    }
    const wait = { deadlineMs, signal: gone.signal };
    answer = await route(options, request.url ?? "", body, wait, (address) => {
      leased = address;
    });
  } catch (error) {
    if (gone.signal.aborted) return;
    answer = { Error: sentence(error) };
    if (isHansaError(error)) options.logger.warn("refused", { path: request.url, error });
    else options.logger.error("a request of Docker failed", { path: request.url, error });
  }
  if (response.destroyed) return;
  const text = JSON.stringify(answer);
  response.writeHead(200, {
    "content-type": "application/vnd.docker.plugins.v1.1+json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** The object in the body; {} when there is none. By events: an async iterator costs a tenth of a request. */
function readBody(request: IncomingMessage, response: ServerResponse): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  const { promise, resolve, reject } = Promise.withResolvers<Body>();
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) {
      chunks.push(chunk);
      return;
    }
    // What is left is not read; the connection ends after the answer.
    request.pause();
    response.setHeader("connection", "close");
    reject(new HansaError("USAGE", `the request is longer than ${MAX_BODY_BYTES} bytes`));
  });
  request.on("error", reject);
  request.on("end", () => {
    try {
      resolve(parseBody(Buffer.concat(chunks).toString("utf8")));
    } catch (error) {
      reject(error);
    }
  });
  return promise;
}

function parseBody(json: string): Body {
  if (json === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new HansaError("USAGE", "the request is not JSON", { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Body;
  throw new HansaError("USAGE", "the request is not a JSON object");
}

async function route(
  options: Omit<DockerIpamOptions, "opened">,
  path: string,
  body: Body,
  wait: { readonly deadlineMs: number; readonly signal: AbortSignal },
  leased: (address: Ipv4) => void,
): Promise<object> {
  switch (path) {
    case "/Plugin.Activate":
      options.activated();
      return { Implements: ["IpamDriver"] };
    case "/IpamDriver.GetCapabilities":
      return { RequiresMACAddress: false, RequiresRequestReplay: false };
    case "/IpamDriver.GetDefaultAddressSpaces":
      return { LocalDefaultAddressSpace: "hansa-local", GlobalDefaultAddressSpace: "hansa-global" };
    case "/IpamDriver.RequestPool":
      return requestPool(options.desk(), body);
    case "/IpamDriver.ReleasePool":
      return {};
    case "/IpamDriver.RequestAddress": {
      const desk = options.desk();
      const { subnet, gateway } = spaceOf(desk);
      const prefix = subnet.slice(subnet.indexOf("/"));
      const wanted = addressOf(body, "Address");
      if (isGateway(body)) {
        if (wanted !== undefined && wanted !== gateway) {
          const text = `the gateway of the network must be ${formatIpv4(gateway)}, the node's own address`;
          throw new HansaError("IPAM_ADDRESS_RESERVED", text);
        }
        return { Address: `${formatIpv4(gateway)}${prefix}`, Data: {} };
      }
      const address = await desk.take(wanted ?? "any", wait.deadlineMs, wait.signal);
      leased(address);
      return { Address: `${formatIpv4(address)}${prefix}`, Data: {} };
    }
    case "/IpamDriver.ReleaseAddress": {
      const address = addressOf(body, "Address");
      if (address !== undefined) options.desk().release(address);
      return {};
    }
    default:
      throw new HansaError("USAGE", `the plugin knows no request ${path.slice(0, 80)}`);
  }
}

/** The pool is the cluster's subnet and nothing else; its id is made from it, so that nothing need be remembered. */
function requestPool(desk: AddressDesk, body: Body): object {
  const { subnet } = spaceOf(desk);
  if (body["V6"] === true) {
    throw new HansaError("IPAM_SUBNET_INVALID", "the network hansa has no IPv6 addresses");
  }
  const asked = text(body, "Pool");
  const part = text(body, "SubPool");
  if ((asked !== "" && asked !== subnet) || (part !== "" && part !== subnet)) {
    const wrong = asked === subnet ? part : asked;
    const spelled = parseCidr(wrong) ? wrong : "asked for";
    const message = `the subnet ${spelled} is not the cluster's, which is ${subnet}`;
    throw new HansaError("IPAM_SUBNET_INVALID", message);
  }
  return { PoolID: `hansa/${subnet}`, Pool: subnet, Data: {} };
}

function spaceOf(desk: AddressDesk): { readonly subnet: string; readonly gateway: Ipv4 } {
  const space = desk.book.space;
  if (space) return space;
  throw new HansaError("IPAM_NOT_READY", "this host was not launched, so it has no subnet");
}

function isGateway(body: Body): boolean {
  const options = body["Options"];
  return (
    typeof options === "object" &&
    options !== null &&
    (options as Body)["RequestAddressType"] === GATEWAY
  );
}

/** The address in a field, also with a prefix length behind it; undefined when empty. */
function addressOf(body: Body, field: string): Ipv4 | undefined {
  const spelled = text(body, field);
  if (spelled === "") return undefined;
  const address = parseIpv4(spelled.replace(/\/\d{1,2}$/, ""));
  if (address !== undefined) return address;
  throw new HansaError("USAGE", `the ${field} of the request is not an IPv4 address`);
}

function text(body: Body, field: string): string {
  const value = body[field] ?? "";
  if (typeof value === "string") return value;
  throw new HansaError("USAGE", `the ${field} of the request is not a text`);
}

function sentence(error: unknown): string {
  if (isHansaError(error)) return `${error.code}: ${error.message}`;
  return `INTERNAL: ${error instanceof Error ? error.message : String(error)}`;
}
