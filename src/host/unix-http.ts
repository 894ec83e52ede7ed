/**
 * JSON over HTTP/1.1 on a unix socket, as a client, bounded in time and size: one request a connection, unless connections are kept.
 *
 * Invariant: each call settles within its deadline, whatever the other side does. HTTP statuses are answers, not exceptions.
 */
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request,
} from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isErrno } from "../errors.ts";

/** Connections to one socket that wait for the next request. */
export type KeptConnections = Agent;

/** Of a kept connection: what follows at once has it, and one that the other side gives up as idle is not met. */
const KEPT_MS = 3_000;
const TIMEOUT_MS = 10_000;
const MAX_KEPT = 4;

/** For `UnixRequest.kept` of requests that follow each other to one socket: opening a connection costs as much as a small request. */
export function keptConnections(): KeptConnections {
  // Those that wait do not keep the process alive, and go after KEPT_MS.
  return new Agent({ keepAlive: true, maxFreeSockets: MAX_KEPT, timeout: KEPT_MS });
}

export interface UnixRequest {
  readonly socketPath: string;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With query, already encoded. */
  readonly path: string;
  /** Sent as JSON when given. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole exchange; default 10 000. */
  readonly timeoutMs?: number;
  /** A longer answer is an error; default 16 MiB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  /** Takes one of these connections, or opens one that becomes one of them. Default: a connection of its own. */
  readonly kept?: KeptConnections;
}

export interface UnixResponse {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** The raw answer. */
  readonly text: string;
  /** The answer parsed when it is JSON, else undefined. */
  readonly body: unknown;
}

/**
 * Sends one request and reads the whole answer.
 *
 * Rejects with the system's error (ENOENT, ECONNREFUSED, EACCES…) when the socket is not served, and with an error of code
 * "ETIMEDOUT" after the deadline; callers name them in their own words.
 */
export async function unixRequest(options: UnixRequest): Promise<UnixResponse> {
  let sent: ClientRequest | undefined;
  const began = performance.now();
  try {
    return await beforeDeadline<UnixResponse>(options, ({ resolve, reject }) => {
      const outgoing = send(options, (incoming) => {
        answerOf(incoming, options).then(
          (answer) => {
            resolve(answer);
            if (options.kept === undefined) outgoing.destroy();
          },
          (error: unknown) => {
            reject(error);
            outgoing.destroy();
          },
        );
      });
      sent = outgoing;
      return outgoing;
    });
  } catch (error) {
    // The other side may end a kept connection in the moment in which it is taken; what only asks is asked again.
    const { kept, ...alone } = options;
    const isRead = ["GET", "HEAD"].includes(options.method ?? "GET");
    const wasEnded = isErrno(error, "ECONNRESET") || isErrno(error, "EPIPE");
    if (!isRead || sent?.reusedSocket !== true || !wasEnded) throw error;
    const leftMs = (options.timeoutMs ?? TIMEOUT_MS) - (performance.now() - began);
    return unixRequest({ ...alone, timeoutMs: Math.max(1, leftMs) });
  }
}

/**
 * Sends one request and hands back the answer as a stream as soon as its head is there (events, logs).
 *
 * `timeoutMs` covers only the head; the caller owns the stream and destroys it.
 */
export function unixStream(options: UnixRequest): Promise<IncomingMessage> {
  return beforeDeadline<IncomingMessage>(options, ({ resolve }) => send(options, resolve));
}

/** A connection that speaks something else than HTTP now; the caller owns it. */
export interface Upgraded {
  readonly socket: Duplex;
  /** What arrived behind the answer's head already. */
  readonly head: Buffer;
}

/**
 * Sends one request that asks to go on in another protocol. The answer instead, when the server declines; the deadline covers it, or the head.
 *
 * Rejects as `unixRequest` does.
 */
export function unixUpgrade(
  options: UnixRequest,
  protocol: string,
): Promise<Upgraded | UnixResponse> {
  const headers = { ...options.headers, connection: "Upgrade", upgrade: protocol };
  return beforeDeadline<Upgraded | UnixResponse>(options, ({ resolve, reject }) => {
    const outgoing = send({ ...options, headers }, (incoming) => {
      answerOf(incoming, options).then(resolve, reject);
    });
    return outgoing.on("upgrade", (_incoming, socket, head) => {
      if (socket instanceof Socket) socket.setTimeout(0);
      resolve({ socket, head });
    });
  });
}

/** What the request that `begin` sends comes to; it is ended when that is not known after `timeoutMs`. */
async function beforeDeadline<T>(
  options: UnixRequest,
  begin: (settle: PromiseWithResolvers<T>) => ClientRequest,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const settle = Promise.withResolvers<T>();
  const outgoing = begin(settle);
  // Rejected first: destroying tells the body's reader only that the connection ended.
  const timer = setTimeout(() => {
    settle.reject(timedOut(options, timeoutMs));
    outgoing.destroy();
  }, timeoutMs);
  outgoing.on("error", settle.reject);
  try {
    return await settle.promise;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Sends one request whose body is `body`, as slowly as either side is, and reads the whole answer. Without a deadline; `signal` ends it.
 *
 * Rejects as `unixRequest` does, and with whatever `body` throws.
 */
export async function unixUpload(
  options: Omit<UnixRequest, "body" | "timeoutMs">,
  body: AsyncIterable<Buffer>,
): Promise<UnixResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<UnixResponse>();
  let isAnswered = false;
  // A server that refuses does not wait for the rest: what it says is the reason, not that the rest found nobody.
  const fail = (error: unknown): void => {
    if (!isAnswered) reject(error);
  };
  const outgoing = request(requestOptions(options), (incoming) => {
    isAnswered = true;
    answerOf(incoming, options).then(resolve, reject);
  });
  outgoing.on("error", fail);
  pipeline(body, outgoing).catch(fail);
  try {
    return await promise;
  } finally {
    outgoing.destroy();
  }
}

async function answerOf(incoming: IncomingMessage, options: UnixRequest): Promise<UnixResponse> {
  const text = await readAll(incoming, options.maxBytes ?? 16 * 1024 * 1024);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: parse(text) };
}

function send(options: UnixRequest, answered: (incoming: IncomingMessage) => void): ClientRequest {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const headers =
    body === undefined
      ? options.headers
      : {
          "content-type": "application/json",
          "content-length": `${Buffer.byteLength(body)}`,
          ...options.headers,
        };
  const outgoing = request(requestOptions({ ...options, headers: headers ?? {} }), answered);
  outgoing.end(body);
  return outgoing;
}

function requestOptions(options: Omit<UnixRequest, "body">): RequestOptions {
  const { socketPath, path, method = "GET", headers, signal, kept = false } = options;
  return {
    ...{ socketPath, path, method, agent: kept, headers: { host: "localhost", ...headers } },
    ...(signal === undefined ? {} : { signal }),
  };
}

async function readAll(incoming: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller sees body undefined and has the text.
    return undefined;
  }
}

function timedOut(options: UnixRequest, timeoutMs: number): Error {
  const text = `no answer on ${options.socketPath} within ${timeoutMs} ms`;
  return Object.assign(new Error(text), { code: "ETIMEDOUT" });
}
