/**
 * One request of node:http and its answer, as the API sees them.
 *
 * Plain node:http and none of the web's Request and Response: Node loads its whole web client for these, a tenth of a daemon's start
 * (docs/decisions/0003-libraries.md).
 *
 * Invariants: nothing is read of a body before it is asked for, and never more than is allowed; what is left of it when the answer went out is thrown away
 * for half a second, then the connection ends.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { HansaError } from "../errors.ts";

/** What answers the requests of a listener. */
export interface Application {
  /** Of what it answers: "get" and a path each. Anything else is answered with 404. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** Answers `request`, now or later. Never throws. */
  answer(request: IncomingMessage, response: ServerResponse): void;
}

const DRAIN_MS = 500;

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As in the request: "GET". One of HEAD is answered as GET is, and node:http leaves the body out. */
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly #query: string;
  #parameters: URLSearchParams | undefined;
  #gone: AbortController | undefined;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? "GET";
    const target = originForm(request.url ?? "/");
    const mark = target.indexOf("?");
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.#query = mark < 0 ? "" : target.slice(mark + 1);
    response.once("finish", () => this.#discardRest());
  }

  /** Aborts when the client is gone before it has its answer. */
  get signal(): AbortSignal {
    if (this.#gone) return this.#gone.signal;
    const gone = new AbortController();
    const { response } = this;
    const end = (): void => {
      if (!response.writableFinished) gone.abort(new Error("the client is gone"));
    };
    if (response.closed || response.destroyed) end();
    else response.once("close", end);
    this.#gone = gone;
    return gone.signal;
  }

  get isClientGone(): boolean {
    return this.response.destroyed && !this.response.writableFinished;
  }

  /** The first value of that name in the query. */
  query(name: string): string | undefined {
    this.#parameters ??= new URLSearchParams(this.#query);
    return this.#parameters.get(name) ?? undefined;
  }

  /** A header that is there once. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === "string" ? value : undefined;
  }

  /** Throws REQUEST_TOO_LARGE where the request says that its body is longer than `maxBytes`. */
  requireLength(maxBytes: number): void {
    if (Number(this.header("content-length") ?? 0) > maxBytes) throw tooLarge();
  }

  /** The whole body. Throws REQUEST_TOO_LARGE, and rejects when the client goes away in the middle. */
  async body(maxBytes: number): Promise<string> {
    this.requireLength(maxBytes);
    const { request } = this;
    if (request.destroyed) throw new Error("the client is gone");
    const chunks: Buffer[] = [];
    let size = 0;
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error): void => {
        request.off("data", take).off("end", done).off("error", done).off("close", cut);
        if (error) reject(error);
        else resolve();
      };
      const take = (chunk: Buffer): void => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > maxBytes) done(tooLarge());
      };
      const cut = (): void => done(new Error("the client is gone"));
      request.on("data", take).once("end", done).once("error", done).once("close", cut);
    });
    return new TextDecoder().decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  }

  /** Answers with `value` as JSON. */
  json(value: unknown, status = 200, headers: OutgoingHttpHeaders = {}): void {
    this.text(JSON.stringify(value), "application/json", status, headers);
  }

  text(text: string, type: string, status = 200, headers: OutgoingHttpHeaders = {}): void {
    const length = Buffer.byteLength(text);
    const head = { ...headers, "content-type": type, "content-length": length };
    this.response.writeHead(status, head).end(text);
  }

  /**
   * Answers with what `chunks` gives, one after the other as the client takes them; ends it when the client goes away. Rejects as `chunks` does,
   * in the middle of the answer.
   */
  async stream(chunks: AsyncIterator<Uint8Array>, headers: OutgoingHttpHeaders): Promise<void> {
    const { response } = this;
    let wake = (): void => undefined;
    const woken = (): void => wake();
    let ending: Promise<unknown> | undefined;
    const gone = (): void => {
      if (!response.writableFinished) ending ??= Promise.resolve(chunks.return?.());
      // Whoever reads next hears of it; this only begins it.
      ending?.catch(() => undefined);
      wake();
    };
    if (response.destroyed) gone();
    response.once("close", gone).on("drain", woken);
    response.writeHead(200, headers);
    response.flushHeaders();
    try {
      while (ending === undefined) {
        const { done, value } = await chunks.next();
        if (done) {
          response.end();
          return;
        }
        if (ending !== undefined || response.write(value)) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      await ending;
    } catch (error) {
      if (ending === undefined) throw error;
    }
  }

  #discardRest(): void {
    const { request } = this;
    if (request.complete || request.destroyed) return;
    const timer = setTimeout(() => request.socket.destroySoon(), DRAIN_MS);
    request.once("close", () => clearTimeout(timer)).once("end", () => clearTimeout(timer));
    request.resume();
  }
}

/** Clients of a proxy name the whole address. */
function originForm(target: string): string {
  if (target.startsWith("/") || !/^https?:\/\//i.test(target)) return target;
  const url = URL.parse(target);
  return url === null ? target : url.pathname + url.search;
}

function tooLarge(): HansaError {
  return new HansaError("REQUEST_TOO_LARGE", "the request's body is longer than it may be");
}
