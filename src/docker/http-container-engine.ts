/**
 * Reaches into containers over the Engine's HTTP API: streams are pulled, so that a slow reader holds up the Engine and not us.
 *
 * Invariant: a connection to the Engine ends when its iterator is left or its signal aborts.
 */

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { HansaError } from "../errors.ts";
import {
  type KeptConnections,
  type UnixRequest,
  type UnixResponse,
  unixStream,
  unixUpgrade,
  unixUpload,
} from "../host/unix-http.ts";
import type { ContainerUsage, ProcessTable } from "../values/container-usage.ts";
import type {
  Archive,
  ContainerEngine,
  ExecProcess,
  ExecSpec,
  LogsSpec,
  PathStat,
} from "./container-engine.ts";
import { list, object, text, toPathStat, toUsage } from "./engine-json.ts";
import { type Output, OutputFrameSplitter } from "./output-frames.ts";

/** What HttpEngine lends. */
export interface EngineAccess {
  readonly socketPath: string;
  readonly kept: KeptConnections;
  /** "/v1.41". */
  prefix(): Promise<string>;
  /** One request with a deadline, by a path without the prefix. Throws DOCKER_UNREACHABLE. */
  ask(method: "GET" | "POST" | "HEAD", path: string, body?: unknown): Promise<UnixResponse>;
  /** Throws DOCKER_REFUSED for a status of 400 and above. */
  accept(answer: UnixResponse): UnixResponse;
  /** A failure of a connection in the port's words. */
  inOurWords(error: unknown): unknown;
}

/** Of a message in a log of a container with a terminal, and of one JSON object of figures. */
const MAX_LINE = 1024 * 1024;
const LF = 0x0a;

export class HttpContainerEngine implements ContainerEngine {
  readonly #access: EngineAccess;

  constructor(access: EngineAccess) {
    this.#access = access;
  }

  async exec(container: string, spec: ExecSpec): Promise<ExecProcess> {
    const { ask } = this.#access;
    const { size, tty } = spec;
    const consoleSize = tty && size ? { ConsoleSize: [size.rows, size.columns] } : {};
    const created = this.#found(
      container,
      await ask("POST", `${pathOf(container)}/exec`, {
        AttachStdin: spec.stdin,
        AttachStdout: true,
        AttachStderr: true,
        Tty: tty,
        Cmd: spec.command,
        Env: spec.environment,
        User: spec.user,
        WorkingDir: spec.workdir,
        ...consoleSize,
      }),
    );
    const id = text(object(created.body)["Id"]);
    const { socketPath, kept } = this.#access;
    const request = {
      ...{ method: "POST" as const, socketPath, kept },
      path: `${await this.#access.prefix()}/exec/${id}/start`,
      body: { Detach: false, Tty: tty, ...consoleSize },
    };
    const answer = await this.#words(unixUpgrade(request, "tcp"));
    if (!("socket" in answer)) {
      this.#access.accept(answer);
      throw new HansaError("DOCKER_REFUSED", "docker refused: it gave no stream for the command");
    }
    return new HttpExec(this.#access, id, answer.socket, outputs(pieces(answer), tty));
  }

  async *logs(container: string, spec: LogsSpec, signal: AbortSignal): AsyncGenerator<Output> {
    const { ask } = this.#access;
    const { body } = this.#found(container, await ask("GET", `${pathOf(container)}/json`));
    const hasTerminal = object(object(body)["Config"])["Tty"] === true;
    const query = new URLSearchParams({
      ...{ stdout: "1", stderr: "1", timestamps: "1", follow: spec.follow ? "1" : "0" },
      ...{ since: spec.since, until: spec.until, tail: `${spec.tail ?? "all"}` },
    });
    const stream = await this.#stream(`${pathOf(container)}/logs?${query}`, signal);
    try {
      yield* hasTerminal ? linesAsOutput(stream) : outputs(stream, false);
    } catch (error) {
      if (!signal.aborted) throw this.#access.inOurWords(error);
    } finally {
      stream.destroy();
    }
  }

  async statPath(container: string, path: string): Promise<PathStat | undefined> {
    const answer = await this.#access.ask("HEAD", archivePath(container, path));
    if (answer.status !== 404) return statOf(this.#access.accept(answer).headers);
    await this.#mustBeThere(container);
    return undefined;
  }

  async readArchive(
    container: string,
    path: string,
    signal: AbortSignal,
  ): Promise<Archive | undefined> {
    const stat = await this.statPath(container, path);
    if (stat === undefined) return undefined;
    return { stat, bytes: await this.#stream(archivePath(container, path), signal) };
  }

  async writeArchive(
    container: string,
    path: string,
    bytes: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const request = {
      ...{ method: "PUT" as const, signal, socketPath: this.#access.socketPath },
      path: `${await this.#access.prefix()}${archivePath(container, path)}&noOverwriteDirNonDir=true`,
      headers: { "content-type": "application/x-tar" },
    };
    const answer = await this.#words(unixUpload(request, bytes));
    if (answer.status === 404) {
      await this.#mustBeThere(container);
      return false;
    }
    this.#access.accept(answer);
    return true;
  }

  async processes(container: string, psArguments: string): Promise<ProcessTable> {
    const query = psArguments === "" ? "" : `?ps_args=${encodeURIComponent(psArguments)}`;
    const answer = await this.#access.ask("GET", `${pathOf(container)}/top${query}`);
    const { Titles, Processes } = object(this.#found(container, answer).body);
    return {
      titles: list(Titles).map(text),
      processes: list(Processes).map((row) => list(row).map(text)),
    };
  }

  async *usage(container: string, signal: AbortSignal): AsyncGenerator<ContainerUsage> {
    const stream = await this.#stream(`${pathOf(container)}/stats?stream=1`, signal);
    try {
      for await (const line of lines(stream)) {
        const usage = toUsage(JSON.parse(line.toString("utf8")));
        if (usage !== undefined) yield usage;
      }
    } catch (error) {
      if (!signal.aborted) throw this.#access.inOurWords(error);
    } finally {
      stream.destroy();
    }
  }

  async #mustBeThere(container: string): Promise<void> {
    this.#found(container, await this.#access.ask("GET", `${pathOf(container)}/json`));
  }

  #found(container: string, answer: UnixResponse): UnixResponse {
    if (answer.status !== 404) return this.#access.accept(answer);
    throw new HansaError("CONTAINER_NOT_FOUND", `docker knows no container ${container}`);
  }

  async #stream(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { socketPath } = this.#access;
    const request: UnixRequest = { socketPath, path: (await this.#access.prefix()) + path, signal };
    const stream = await this.#words(unixStream(request));
    if (stream.statusCode === 200) return stream;
    let words = "";
    for await (const chunk of stream) words = `${words}${chunk}`.slice(0, 4_096);
    const { statusCode: status = 0, headers } = stream;
    this.#found(path.split("/")[2] ?? "", { status, headers, text: words, body: parsed(words) });
    throw new HansaError("DOCKER_REFUSED", `docker refused: status ${status}`);
  }

  async #words<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#access.inOurWords(error);
    }
  }
}

class HttpExec implements ExecProcess {
  readonly output: AsyncIterable<Output>;
  readonly #access: EngineAccess;
  readonly #id: string;
  readonly #socket: Duplex;

  constructor(access: EngineAccess, id: string, socket: Duplex, output: AsyncIterable<Output>) {
    this.#access = access;
    this.#id = id;
    this.#socket = socket;
    this.output = output;
    // What fails while nobody iterates is seen by who does next.
    socket.on("error", () => socket.destroy());
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    // A command that ended takes no more: its status tells, as with a pipe in a shell.
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  endInput(): void {
    this.#socket.end();
  }

  async resize(rows: number, columns: number): Promise<void> {
    const answer = await this.#access.ask(
      "POST",
      `/exec/${this.#id}/resize?h=${rows}&w=${columns}`,
    );
    this.#access.accept(answer);
  }

  async isRunning(): Promise<boolean> {
    return (await this.#facts())["Running"] === true;
  }

  async exitCode(): Promise<number> {
    return Number((await this.#facts())["ExitCode"] ?? 0);
  }

  async #facts(): Promise<ReturnType<typeof object>> {
    const answer = this.#access.accept(await this.#access.ask("GET", `/exec/${this.#id}/json`));
    return object(answer.body);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function pathOf(container: string): string {
  return `/containers/${encodeURIComponent(container)}`;
}

function archivePath(container: string, path: string): string {
  return `${pathOf(container)}/archive?path=${encodeURIComponent(path)}`;
}

async function* pieces({ socket, head }: { socket: Duplex; head: Buffer }): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* socket as AsyncIterable<Buffer>;
}

/** `raw` for a stream without frames, of a terminal. */
async function* outputs(stream: AsyncIterable<Buffer>, raw: boolean): AsyncGenerator<Output> {
  const splitter = new OutputFrameSplitter();
  for await (const piece of stream) {
    if (raw) yield { kind: "stdout", bytes: piece };
    else {
      for (const output of splitter.push(piece)) {
        if (output === "broken") {
          throw new HansaError("DOCKER_REFUSED", "docker sent an output that is none");
        }
        yield output;
      }
    }
  }
}

async function* linesAsOutput(stream: AsyncIterable<Buffer>): AsyncGenerator<Output> {
  for await (const bytes of lines(stream)) yield { kind: "stdout", bytes };
}

/** With their ends; one that is longer than MAX_LINE comes in parts. */
async function* lines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let held = 0;
  for await (const piece of stream) {
    let from = 0;
    for (let end = piece.indexOf(LF); end >= 0; end = piece.indexOf(LF, from)) {
      yield Buffer.concat([...rest, piece.subarray(from, end + 1)]);
      rest = [];
      held = 0;
      from = end + 1;
    }
    rest.push(piece.subarray(from));
    held += piece.length - from;
    if (held > MAX_LINE) {
      yield Buffer.concat(rest);
      rest = [];
      held = 0;
    }
  }
  if (held > 0) yield Buffer.concat(rest);
}

function statOf(headers: UnixResponse["headers"]): PathStat {
  const header = headers["x-docker-container-path-stat"];
  const json = Buffer.from(typeof header === "string" ? header : "", "base64").toString("utf8");
  return toPathStat(parsed(json));
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
