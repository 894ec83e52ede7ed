/**
 * Requests both ways over one socket, as lines of JSON: `{id, op, …}` is answered by `{id, ok: true, …}` or
 * `{id, ok: false, code, message, hint}`; `{op, …}` without id is a note and has no answer.
 *
 * Invariant: hostile bytes end the connection and nothing else; each request settles.
 */
import type { Socket } from "node:net";
import { ERRORS, type ErrorCode, HansaError } from "../errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

export type Answer =
  | { readonly ok: true; readonly fields: Fields }
  | {
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly hint: string | undefined;
    };

export interface LineChannelOptions {
  /** Answers a request of the other side; a HansaError becomes a refusal with its code. */
  readonly request: (op: string, fields: Fields) => Fields | Promise<Fields>;
  readonly note: (op: string, fields: Fields) => void;
  /** Once; `reason` says what was wrong when it was not a plain close. */
  readonly closed: (reason: string | undefined) => void;
  /** A longer line ends the connection; default MAX_LINE_BYTES. */
  readonly maxLineBytes?: number;
}

/** A space of both rings split as far as they may be takes 3 MiB, 50,000 leases as much. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** A peer that leaves more than this unread is given up. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

export class LineChannel {
  readonly #socket: Socket;
  readonly #options: LineChannelOptions;
  readonly #waiting = new Map<number, (answer: Answer | undefined) => void>();
  readonly #maxLineBytes: number;
  #nextId = 1;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #reason: string | undefined;

  constructor(socket: Socket, options: LineChannelOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => {
      this.#reason ??= error.message;
    });
    socket.on("close", () => {
      for (const settle of this.#waiting.values()) settle(undefined);
      this.#waiting.clear();
      options.closed(this.#reason);
    });
  }

  /** The answer, or undefined when none came: the connection was lost or `timeoutMs` went by. */
  request(op: string, fields: Fields, timeoutMs: number): Promise<Answer | undefined> {
    if (this.#socket.destroyed) return Promise.resolve(undefined);
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    const timer = setTimeout(() => settle(undefined), timeoutMs);
    const settle = (answer: Answer | undefined): void => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      resolve(answer);
    };
    this.#waiting.set(id, settle);
    this.#send({ id, op, ...fields });
    return promise;
  }

  note(op: string, fields: Fields): void {
    this.#send({ op, ...fields });
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(message: Fields): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(`${JSON.stringify(message)}\n`);
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#fail("the other side does not read");
  }

  #fail(reason: string): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    for (;;) {
      const end = rest.indexOf(10);
      const part = end < 0 ? rest : rest.subarray(0, end);
      this.#buffered += part.length;
      if (this.#buffered > this.#maxLineBytes) {
        this.#fail(`a line is longer than ${this.#maxLineBytes} bytes`);
        return;
      }
      this.#chunks.push(part);
      if (end < 0) return;
      const line = Buffer.concat(this.#chunks).toString("utf8");
      this.#chunks = [];
      this.#buffered = 0;
      this.#receive(line);
      if (this.#socket.destroyed) return;
      rest = rest.subarray(end + 1);
      if (rest.length === 0) return;
    }
  }

  #receive(line: string): void {
    const message = parseObject(line);
    const id = message?.["id"];
    const op = message?.["op"];
    if (message && typeof op === "string" && id === undefined) this.#options.note(op, message);
    else if (message && typeof op === "string" && isId(id)) void this.#answer(id, op, message);
    else if (message && isId(id) && typeof message["ok"] === "boolean") this.#settle(id, message);
    else this.#fail("a line is no message");
  }

  #settle(id: number, message: Fields): void {
    const settle = this.#waiting.get(id);
    // The answer to a request that was given up.
    if (!settle) return;
    const { code, message: text, hint } = message;
    settle(
      message["ok"] === true
        ? { ok: true, fields: message }
        : {
            ok: false,
            code: String(code),
            message: String(text),
            hint: typeof hint === "string" ? hint : undefined,
          },
    );
  }

  async #answer(id: number, op: string, fields: Fields): Promise<void> {
    try {
      const answer = await this.#options.request(op, fields);
      this.#send({ ...answer, id, ok: true });
    } catch (error) {
      const code = error instanceof HansaError ? error.code : "INTERNAL";
      const message = error instanceof Error ? error.message : String(error);
      const hint = error instanceof HansaError ? { hint: error.hint } : {};
      this.#send({ id, ok: false, code, message, ...hint });
    }
  }
}

/** A refusal as the error that the other side meant. */
export function refusalOf(answer: Extract<Answer, { ok: false }>): HansaError {
  const { code, message, hint } = answer;
  // A newer program on the other side may know codes that we do not.
  const known: ErrorCode = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "INTERNAL";
  return new HansaError(known, message, hint === undefined ? {} : { hint });
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function parseObject(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    // Not JSON: the caller ends the connection and says why.
    return undefined;
  }
}
