/**
 * Every node answers for the whole cluster: what is asked of another node is passed on to its API, and its answer back, as both come.
 *
 * Invariants: the other node is told who asked first, in a header that it believes of nodes only, and checks the role itself; what came from a
 * node is never passed on; bodies and answers are not kept here, and wait where their reader is slow; who goes away ends the request on the other
 * node too; a node that dies before it answered, or in the middle of events, is said so.
 */
import type {
  ClientRequest,
  IncomingHttpHeaders,
  IncomingMessage,
  ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { type Caller, holderOf } from "../../api/caller.ts";
import { CALLER_HEADER, encodeCaller } from "../../api/caller-header.ts";
import { chooseNode, nodePath, splitNodePath } from "../../api/node-path.ts";
import type { NodeRouting } from "../../api/node-routing.ts";
import { refusalBody, refusalHeaders, refusalText } from "../../api/refusal.ts";
import { ERRORS, HansaError } from "../../errors.ts";
import type { NodeId } from "../../values/node-id.ts";
import { isCut } from "./calls-under-way.ts";
import type { OtherNode, PeerRequests } from "./peer-requests.ts";
import { splice } from "./splice.ts";

export interface ForwardingOptions {
  readonly self: { readonly id: NodeId; readonly name: string };
  readonly peers: PeerRequests;
}

/** Of this connection only (RFC 9110, section 7.6.1), or said anew by us. */
const OF_ONE_CONNECTION = new Set([
  "connection",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  CALLER_HEADER,
]);

export class NodeForwarding {
  readonly #options: ForwardingOptions;

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  /** For one door of the API; `callerOf` tells who asks there, undefined for who may ask nothing. */
  routing(callerOf: (request: IncomingMessage) => Caller | undefined): NodeRouting {
    return {
      takes: (request, response) => {
        const refuse = (error: HansaError): void => answerError(response, error);
        const ahead = this.#ahead(request, callerOf, refuse);
        if (ahead === undefined) return false;
        if (ahead !== "refused") this.#pass(request, response, ahead);
        return true;
      },
      takesUpgrade: (request, socket, head) => {
        const refuse = (error: HansaError): void => endWithError(socket, error);
        const ahead = this.#ahead(request, callerOf, refuse);
        if (ahead === undefined) return false;
        if (ahead !== "refused") this.#splice(request, socket, head, ahead);
        return true;
      },
    };
  }

  /** Whom the request is passed on to; undefined when it is for us. */
  #ahead(
    request: IncomingMessage,
    callerOf: (request: IncomingMessage) => Caller | undefined,
    refuse: (error: HansaError) => void,
  ): Ahead | "refused" | undefined {
    const split = splitNodePath(request.url ?? "");
    if (split === undefined) return undefined;
    const { self, peers } = this.#options;
    try {
      const caller = callerOf(request);
      if (caller === undefined) {
        const text = "the certificate carries no role of hansa";
        throw new HansaError("API_CERTIFICATE_REFUSED", text);
      }
      const node = chooseNode(split.node, [self, ...peers.nodes()]);
      if (node.id === self.id) {
        request.url = split.path;
        return undefined;
      }
      if (caller.role === "node" || caller.via !== undefined) {
        const text = `this node is ${self.name} (${self.id}), not ${split.node}, and what a node passed on is passed on no further`;
        throw new HansaError("NODE_NOT_FOUND", text);
      }
      return { node: node as OtherNode, path: nodePath(node.id, split.path), caller };
    } catch (error) {
      if (!(error instanceof HansaError)) throw error;
      refuse(error);
      return "refused";
    }
  }

  #pass(request: IncomingMessage, response: ServerResponse, { node, path, caller }: Ahead): void {
    const { peers } = this.#options;
    let outgoing: ClientRequest | undefined;
    let incoming: IncomingMessage | undefined;
    let hasEnded = false;
    const end = (settle: () => void): void => {
      if (hasEnded) return;
      hasEnded = true;
      outgoing?.destroy();
      settle();
    };
    const fail = (reason: unknown): void =>
      end(() => {
        const type = incoming?.headers["content-type"] ?? "";
        answerFailure(response, peers.unreachable(node, reason), type);
      });
    response.on("close", () => {
      if (!response.writableFinished) end(() => undefined);
    });
    request.on("error", () => end(() => response.destroy()));
    const begin = (isAgain: boolean): void => {
      if (hasEnded) return;
      const made = peers.request(node, {
        method: request.method ?? "GET",
        path,
        headers: { ...passedOn(request.headers), [CALLER_HEADER]: encodeCaller(caller) },
        ...{ failed: fail, who: holderOf(caller) },
      });
      if (made instanceof HansaError) {
        end(() => answerError(response, made));
        return;
      }
      outgoing = made;
      made.on("response", (answer) => {
        incoming = answer;
        response.writeHead(answer.statusCode ?? 502, passedOn(answer.headers));
        // Of an answer that comes in pieces the first may come late: its head tells that it was accepted.
        response.flushHeaders();
        answer.on("error", () => fail("it went away in the middle of its answer"));
        answer.pipe(response);
      });
      made.on("error", (error) => {
        // It closed a connection that waited for us, just when we took it: nothing of the request was read.
        const isStale = made.reusedSocket || (isCut(error) && request.method === "GET");
        if (isStale && incoming === undefined && !isAgain && !hasBody(request)) begin(true);
        else fail(error);
      });
      if (hasBody(request)) request.pipe(made);
      else made.end();
    };
    begin(false);
  }

  /** Both connections as one, once the other node agreed. */
  #splice(request: IncomingMessage, socket: Duplex, head: Buffer, ahead: Ahead): void {
    const { peers } = this.#options;
    const { node, path, caller } = ahead;
    let outgoing: ClientRequest | undefined;
    let isSpliced = false;
    const fail = (reason: unknown): void => {
      outgoing?.destroy();
      if (isSpliced) socket.destroy();
      else endWithError(socket, peers.unreachable(node, reason));
    };
    const made = peers.request(node, {
      method: request.method ?? "GET",
      path,
      headers: {
        ...passedOn(request.headers),
        connection: "Upgrade",
        upgrade: request.headers.upgrade ?? "",
        [CALLER_HEADER]: encodeCaller(caller),
      },
      ...{ failed: fail, who: holderOf(caller) },
    });
    if (made instanceof HansaError) {
      endWithError(socket, made);
      return;
    }
    outgoing = made;
    socket.on("error", () => made.destroy());
    socket.on("close", () => made.destroy());
    made.on("error", fail);
    made.on("upgrade", (answer, far, farHead) => {
      isSpliced = true;
      socket.write(headText(answer));
      if (farHead.length > 0) socket.write(farHead);
      if (head.length > 0) far.write(head);
      far.on(
        "close",
        peers.hold(node, () => far.destroy()),
      );
      splice(socket, far);
    });
    made.on("response", (answer) => {
      isSpliced = true;
      socket.write(headText(answer, "close"));
      answer.on("error", () => socket.destroy());
      answer.pipe(socket);
    });
    made.end();
  }
}

interface Ahead {
  readonly node: OtherNode;
  /** With the node's id in it: should another node answer there, it refuses. */
  readonly path: string;
  readonly caller: Caller;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** The headers that are not of one connection only. */
function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = `${headers.connection ?? ""}`.split(",").map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !OF_ONE_CONNECTION.has(name) && !named.includes(name),
    ),
  );
}

/** The head of an answer that is written on a bare connection. */
function headText(
  { statusCode, statusMessage, rawHeaders }: IncomingMessage,
  ends?: "close",
): string {
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    // What we read was taken out of its chunks.
    const isOurs = ends !== undefined && /^(connection|transfer-encoding|keep-alive)$/i.test(name);
    if (!isOurs) lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  if (ends) lines.push(`connection: ${ends}`);
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** As the API says failures; of an answer that began, events are told of it, and anything else is cut short. */
function answerFailure(response: ServerResponse, error: HansaError, type: string): void {
  if (!response.headersSent) answerError(response, error);
  else if (!type.startsWith("text/event-stream")) response.destroy();
  else response.end(`event: error\ndata: ${refusalBody(error)}\n\n`);
}

function answerError(response: ServerResponse, error: HansaError): void {
  if (response.destroyed) return;
  const body = refusalBody(error);
  response.writeHead(ERRORS[error.code].status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...refusalHeaders(error.code),
    // What the client goes on to send of its request is not read.
    connection: "close",
  });
  response.end(body);
}

function endWithError(socket: Duplex, error: HansaError): void {
  socket.on("error", () => socket.destroy());
  socket.end(refusalText(error));
}
