/** The real terminal behind commands: this process's streams, environment and user. */
import { existsSync, writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { DoctorReport } from "../api/doctor-schema.ts";
import type { HostReport } from "../api/report-schema.ts";
import { contextDoor } from "../client/context-door.ts";
import { type Door, unixDoor } from "../client/door.ts";
import { apiClient, type NodeClient } from "../client/node-client.ts";
import { ContextStore } from "../contexts/context-store.ts";
import { HansaError, isErrno } from "../errors.ts";
import { hansaPaths } from "../processes/paths.ts";
import type { Context, ProgramName } from "./command.ts";
import { thisConsole } from "./console.ts";
import type { Terminal } from "./main.ts";

/**
 * The terminal of this process. HANSA_SOCKET names another daemon's socket, NO_COLOR forbids colours. A reader of our output that goes away
 * ends the program at once, as it does any other.
 */
export function thisTerminal(program: ProgramName): Terminal {
  const door = unixDoor(process.env["HANSA_SOCKET"] || hansaPaths().apiSocket);
  const local = apiClient(door);
  return (globals): Context => ({
    program,
    contextName: globals.get("context") || process.env["HANSA_CONTEXT"] || undefined,
    // Made when a command asks for it: a context that is damaged fails that command only.
    get client() {
      return chosenClient(door, this.contextName, globals.get("node"));
    },
    node: globals.get("node"),
    local,
    out: (text) => write(1, text),
    note: (line) => write(2, `[${program}] ${line}\n`),
    isRoot: process.geteuid?.() === 0,
    // Asked by few commands, and of the descriptor: process.stdout would make a stream that nobody writes to.
    get colour() {
      return (
        !globals.has("no-color") &&
        !process.env["NO_COLOR"] &&
        process.env["TERM"] !== "dumb" &&
        isatty(1)
      );
    },
    debug: globals.has("debug"),
    // A terminal that was never told its size has none.
    rows: () => (process.stdout.isTTY === true ? process.stdout.rows || 24 : undefined),
    interrupted,
    nowMs: () => Date.now(),
    examineHost,
    reportHost,
    readStdin,
    console: thisConsole,
  });
}

/** The node of --context or HANSA_CONTEXT; else this host's, or where it has none that of the context in use. `node`: asked through it. */
function chosenClient(
  local: Door,
  asked: string | undefined,
  node: string | undefined,
): NodeClient {
  const { apiSocket, nodeFile } = hansaPaths();
  // The file tells root of a node whose daemon is down, the socket tells everybody else.
  const isNode = process.env["HANSA_SOCKET"] || existsSync(apiSocket) || existsSync(nodeFile);
  const name = asked || (isNode ? undefined : new ContextStore().active());
  if (name === undefined) return apiClient(local, node);
  return apiClient(contextDoor(name, new ContextStore().read(name)), node);
}

async function examineHost(): Promise<DoctorReport> {
  const { collectHost } = await import("../doctor/collect-host.ts");
  const { examine } = await import("../doctor/examine.ts");
  const { thisHost } = await import("../processes/this-host.ts");
  return examine({ host: await collectHost(thisHost(), false), node: undefined });
}

async function reportHost(): Promise<HostReport> {
  const { collectReport } = await import("../report/collect-report.ts");
  const { thisHost } = await import("../processes/this-host.ts");
  return collectReport(thisHost());
}

function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => controller.abort());
  }
  return controller.signal;
}

/** Writes everything now, so that the program may exit right after. */
function write(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (isErrno(error, "EPIPE")) process.exit(141);
      // Somebody made the pipe non-blocking and reads slowly.
      if (!isErrno(error, "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

async function readStdin(maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new HansaError("USAGE", `standard input is longer than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
