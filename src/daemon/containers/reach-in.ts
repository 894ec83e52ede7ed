/**
 * Reaches into containers for whoever asks the API: finds them, and joins their streams in Docker with the client's.
 *
 * Invariant: nothing is gathered here. A client that does not read holds up Docker's stream, and its going away ends it.
 */
import type { Caller } from "../../api/caller.ts";
import type { NodeStream } from "../../api/node-stream.ts";
import type { FoundContainer, ReachPort } from "../../api/reach-port.ts";
import type {
  DialRequest,
  ExecRequest,
  LogsRequest,
  PathRequest,
  TopRequest,
  UsageRequest,
} from "../../api/reach-schemas.ts";
import type { ExecProcess } from "../../docker/container-engine.ts";
import type { Container, Engine } from "../../docker/engine.ts";
import { HansaError } from "../../errors.ts";
import { DOCKER_NETWORK_NAME } from "../../overlay/docker-network.ts";
import { encodeLogMessage } from "../../streams/log-message.ts";
import { MAX_DATA } from "../../streams/stream-frame.ts";
import { joinWithPort } from "../doors/join-with-port.ts";
import type { ContainerFinder } from "./container-finder.ts";

export class ReachIn implements ReachPort {
  readonly #engine: Engine;
  readonly #finder: ContainerFinder;
  readonly #patienceMs: number;

  /** `patienceMs`: between two looks at a command whose output is not taken. */
  constructor(engine: Engine, finder: ContainerFinder, patienceMs = PATIENCE_MS) {
    this.#engine = engine;
    this.#finder = finder;
    this.#patienceMs = patienceMs;
  }

  find(reference: string, caller: Caller): Promise<FoundContainer> {
    return this.#finder.find(reference, caller);
  }

  async exec(
    { id }: FoundContainer,
    request: ExecRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void> {
    const process = await this.#engine.inside.exec(id, request);
    started();
    // Its command goes on when the client goes away, as with docker exec; it sees the end of its input or terminal.
    stream.signal.addEventListener("abort", () => process.close(), { once: true });
    if (stream.isOver) return process.close();
    if (request.tty) followSize(process, stream, request.size);
    if (request.stdin) void pumpInput(process, stream);
    let beginning = Buffer.alloc(0);
    try {
      for await (const { kind, bytes } of process.output) {
        if (beginning.length < MAX_BEGINNING) {
          beginning = Buffer.concat([beginning, bytes.subarray(0, MAX_BEGINNING)]);
        }
        await whileItRuns(process, stream.send(kind, bytes), this.#patienceMs);
      }
    } catch (error) {
      if (!stream.isOver) throw error;
      return;
    } finally {
      process.close();
    }
    const code = shellCode(await process.exitCode(), beginning.toString("latin1"));
    // In one turn, and so in one piece.
    stream.end("stdout");
    stream.end("stderr");
    stream.exit(code);
  }

  async logs({ id }: FoundContainer, request: LogsRequest, stream: NodeStream): Promise<void> {
    // Who was told no message before the connection broke goes on from here.
    stream.inform({ now: new Date().toISOString() });
    const spec = { ...request, tail: request.tail };
    try {
      for await (const { kind, bytes } of this.#engine.inside.logs(id, spec, stream.signal)) {
        for (const part of encodeLogMessage(kind, bytes, MAX_DATA)) {
          await stream.sendWhole("stdout", part);
        }
      }
    } catch (error) {
      if (!stream.isOver) throw error;
      return;
    }
    stream.end("stdout");
    stream.exit(0);
  }

  async dial(
    { id }: FoundContainer,
    { port }: DialRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void> {
    const container = await this.#engine.inspectContainer(id);
    await joinWithPort(addressOf(container, id), port, stream, started);
  }

  async statPath({ id }: FoundContainer, { path }: PathRequest, stream: NodeStream): Promise<void> {
    const stat = await this.#engine.inside.statPath(id, path);
    await stream.send("stdout", Buffer.from(JSON.stringify(stat ?? null)));
    stream.end("stdout");
    stream.exit(0);
  }

  async readArchive(
    { id, name }: FoundContainer,
    { path }: PathRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void> {
    const archive = await this.#engine.inside.readArchive(id, path, stream.signal);
    if (archive === undefined) throw noPath(name, path);
    started();
    try {
      for await (const bytes of archive.bytes) await stream.send("stdout", bytes);
    } catch (error) {
      if (!stream.isOver) throw error;
      return;
    }
    stream.end("stdout");
    stream.exit(0);
  }

  async writeArchive(
    { id, name }: FoundContainer,
    { path }: PathRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void> {
    const { inside } = this.#engine;
    if ((await inside.statPath(id, path)) === undefined) throw noPath(name, path);
    started();
    const isThere = await inside.writeArchive(id, path, stream.bytes("stdin"), stream.signal);
    if (!isThere) throw noPath(name, path);
    stream.exit(0);
  }

  async top({ id }: FoundContainer, request: TopRequest, stream: NodeStream): Promise<void> {
    const table = await this.#engine.inside.processes(id, request.arguments);
    await stream.send("stdout", Buffer.from(JSON.stringify(table)));
    stream.end("stdout");
    stream.exit(0);
  }

  async usage({ id }: FoundContainer, { once }: UsageRequest, stream: NodeStream): Promise<void> {
    try {
      for await (const usage of this.#engine.inside.usage(id, stream.signal)) {
        await stream.sendWhole("stdout", Buffer.from(JSON.stringify(usage)));
        if (once) break;
      }
    } catch (error) {
      if (!stream.isOver) throw error;
      return;
    }
    stream.end("stdout");
    stream.exit(0);
  }
}

function noPath(container: string, path: string): HansaError {
  return new HansaError("CONTAINER_PATH_NOT_FOUND", `the container ${container} has no ${path}`);
}

/** On our network, else on the first that has one; a container that shares another's network or the host's has none. */
function addressOf(container: Container | undefined, id: string): string {
  if (container === undefined) {
    throw new HansaError("CONTAINER_NOT_FOUND", `docker knows no container ${id.slice(0, 12)}`);
  }
  const { attachments, name } = container;
  const ours = attachments.find(({ network }) => network === DOCKER_NETWORK_NAME);
  const address = ours?.address || attachments.find((each) => each.address !== "")?.address;
  if (address) return address;
  throw new HansaError(
    "CONTAINER_PORT_CLOSED",
    `the container ${name} has no address: it is ${container.status}, or has no network of its own`,
  );
}

/** As much as tells why a command could not be started. */
const MAX_BEGINNING = 512;

/** Docker up to 20.10 says 126 for a program that is not there, later ones 127 as shells do. */
function shellCode(code: number, beginning: string): number {
  const isMissing =
    /^OCI runtime exec failed: .*(executable file not found|no such file or directory)/;
  return code === 126 && isMissing.test(beginning) ? 127 : code;
}

/** A terminal may stand still for hours; what an ended command left is kept for between one and two of these. */
const PATIENCE_MS = 120_000;

/** Waits for `sent`, but not for ever once the command ended: its place is others' too. Throws STREAM_LOST then, and as `sent` and the Engine. */
async function whileItRuns(
  process: ExecProcess,
  sent: Promise<void>,
  patienceMs: number,
): Promise<void> {
  // It fails when the stream is over, also after nobody waits for it any more.
  sent.catch(() => undefined);
  let hadEnded = false;
  for (;;) {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(late.resolve, patienceMs, "late");
    try {
      if ((await Promise.race([sent, late.promise])) !== "late") return;
    } finally {
      clearTimeout(timer);
    }
    const hasEnded = !(await process.isRunning());
    if (hasEnded && hadEnded) {
      const text = "the command ended, and the rest of its output was not taken for minutes";
      throw new HansaError("STREAM_LOST", text);
    }
    hadEnded = hasEnded;
  }
}

async function pumpInput(process: ExecProcess, stream: NodeStream): Promise<void> {
  try {
    for await (const bytes of stream.bytes("stdin")) await process.write(bytes);
    process.endInput();
  } catch (error) {
    // When the stream is over, the output's side sees it as well.
    if (!stream.isOver) stream.close(error as Error);
  }
}

/** One size at a time, the newest; Docker refuses it before the command runs and after its end, when it matters to nobody. */
function followSize(process: ExecProcess, stream: NodeStream, first: ExecRequest["size"]): void {
  let wanted = first;
  let isBusy = false;
  const set = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    for (let tries = 0; wanted !== undefined && !stream.isOver; tries += 1) {
      const { rows, columns } = wanted;
      wanted = undefined;
      try {
        await process.resize(rows, columns);
        tries = 0;
      } catch {
        // Not running yet, in most cases: Docker starts it while it answers.
        if (tries >= MAX_SIZE_TRIES) break;
        await new Promise((resolve) => setTimeout(resolve, SIZE_AGAIN_MS * (tries + 1)));
        wanted ??= { rows, columns };
      }
    }
    isBusy = false;
  };
  stream.resized = (rows, columns) => {
    wanted = { rows, columns };
    void set();
  };
  void set();
}

const MAX_SIZE_TRIES = 10;
const SIZE_AGAIN_MS = 10;
