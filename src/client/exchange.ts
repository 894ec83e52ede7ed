/**
 * One HTTP/1.1 exchange through a door, in as little code as that takes.
 *
 * Invariant: nothing here loads node:http, whose import costs 40 ms in the built executable: more than `hansa status` may
 * take beyond the Docker client (docs/decisions/0002). The other side is our own daemon; what it says is bounded all the same.
 */
import type { Door } from "./door.ts";
import { parseResponse, type RawResponse, ResponseSyntaxError } from "./parse-response.ts";

export interface Exchange {
  readonly door: Door;
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** Sent as JSON when given. */
  readonly body?: unknown;
  /** For the first byte, and from each piece to the next: an answer that comes slowly is waited for. No limit when absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A longer answer is an error: 10,000 peers with their rows need about 30 MiB. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Sends one request and reads the whole answer.
 *
 * Rejects with the system's error (ENOENT, ECONNREFUSED, EACCES…), with ETIMEDOUT after `timeoutMs` of silence, with the signal's reason,
 * or with a ResponseSyntaxError when the answer is no HTTP or cut short.
 */
export async function exchange(options: Exchange): Promise<RawResponse> {
  options.signal?.throwIfAborted();
  const socket = await options.door.open();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
      socket.destroy();
      settle();
    };
    const fail = (error: unknown): void => end(() => reject(error));
    const abort = (): void => fail(options.signal?.reason);
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => fail(timedOut(options)), options.timeoutMs);
    if (options.signal?.aborted) {
      abort();
      return;
    }
    options.signal?.addEventListener("abort", abort, { once: true });
    socket.on("error", fail);
    socket.on("data", (chunk: Buffer) => {
      timer?.refresh();
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BYTES) fail(new ResponseSyntaxError("the answer is too long"));
    });
    // We ask the server to close after its answer, so the end of the stream is the end of the answer.
    socket.on("end", () => {
      end(() => {
        try {
          resolve(parseResponse(Buffer.concat(chunks)));
        } catch (error) {
          reject(error);
        }
      });
    });
    socket.write(requestBytes(options));
  });
}

function requestBytes(options: Exchange): Buffer {
  const body = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body));
  const head = [
    `${options.method} ${options.path} HTTP/1.1`,
    "host: localhost",
    "accept: application/json",
    "connection: close",
    ...(body === undefined
      ? []
      : ["content-type: application/json", `content-length: ${body.length}`]),
    "",
    "",
  ].join("\r\n");
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]);
}

function timedOut(options: Exchange): Error {
  const text = `nothing came from ${options.door.place} for ${options.timeoutMs} ms`;
  return Object.assign(new Error(text), { code: "ETIMEDOUT" });
}
