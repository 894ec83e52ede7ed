/**
 * JSON over HTTP/1.1 on a unix socket, as a client: one request a connection, bounded in time and size.
 *
 * Invariant: each call settles within its deadline, whatever the other side does. HTTP statuses are answers, not exceptions.
 */
import { type ClientRequest, type IncomingMessage, request } from "node:http";

export interface UnixRequest {
  readonly socketPath: string;
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
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
  const timeoutMs = options.timeoutMs ?? 10_000;
  const { promise, resolve, reject } = Promise.withResolvers<UnixResponse>();
  const outgoing = send(options, (incoming) => {
    readAll(incoming, options.maxBytes ?? 16 * 1024 * 1024).then((text) => {
      resolve({
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        text,
        body: parse(text),
      });
    }, reject);
  });
  // Rejected first: destroying tells the body's reader only that the connection ended.
  const timer = setTimeout(() => {
    reject(timedOut(options, timeoutMs));
    outgoing.destroy();
  }, timeoutMs);
  outgoing.on("error", reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    outgoing.destroy();
  }
}

/**
 * Sends one request and hands back the answer as a stream as soon as its head is there (events, logs).
 *
 * `timeoutMs` covers only the head; the caller owns the stream and destroys it.
 */
export async function unixStream(options: UnixRequest): Promise<IncomingMessage> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = send(options, resolve);
  // Rejected first: destroying tells the body's reader only that the connection ended.
  const timer = setTimeout(() => {
    reject(timedOut(options, timeoutMs));
    outgoing.destroy();
  }, timeoutMs);
  outgoing.on("error", reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function send(options: UnixRequest, answered: (incoming: IncomingMessage) => void): ClientRequest {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const outgoing = request(
    {
      socketPath: options.socketPath,
      path: options.path,
      method: options.method ?? "GET",
      agent: false,
      headers: {
        host: "localhost",
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...options.headers,
      },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
    answered,
  );
  outgoing.end(body);
  return outgoing;
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
