/**
 * Reaches into containers for whoever asks the API: finds them, and joins their streams in Docker with the client's.
 *
 * Invariant: nothing is gathered here. A client that does not read holds up Docker's stream, and its going away ends it.
 */
import type { Caller } from "../api/caller.ts";
import type { NodeStream } from "../api/node-stream.ts";
import type { FoundContainer, ReachPort } from "../api/reach-port.ts";
import type { ExecRequest, LogsRequest } from "../api/reach-schemas.ts";
import type { ExecProcess } from "../docker/container-engine.ts";
import type { Engine } from "../docker/engine.ts";
import { encodeLogMessage } from "../streams/log-message.ts";
import { MAX_DATA } from "../streams/stream-frame.ts";
import type { ContainerFinder } from "./container-finder.ts";

export class ReachIn implements ReachPort {
  readonly #engine: Engine;
  readonly #finder: ContainerFinder;

  constructor(engine: Engine, finder: ContainerFinder) {
    this.#engine = engine;
    this.#finder = finder;
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
        await stream.send(kind, bytes);
      }
    } catch (error) {
      if (!stream.isOver) throw error;
      return;
    } finally {
      process.close();
    }
    stream.end("stdout");
    stream.end("stderr");
    stream.exit(shellCode(await process.exitCode(), beginning.toString("latin1")));
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
}

/** As much as tells why a command could not be started. */
const MAX_BEGINNING = 512;

/** Docker up to 20.10 says 126 for a program that is not there, later ones 127 as shells do. */
function shellCode(code: number, beginning: string): number {
  const isMissing =
    /^OCI runtime exec failed: .*(executable file not found|no such file or directory)/;
  return code === 126 && isMissing.test(beginning) ? 127 : code;
}

async function pumpInput(process: ExecProcess, stream: NodeStream): Promise<void> {
  try {
    for await (const bytes of stream.bytes("stdin")) await process.write(bytes);
    process.endInput();
  } catch (error) {
    // The stream is over, which the output's side sees as well.
    if (!stream.isOver) throw error;
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
