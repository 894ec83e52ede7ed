/** A terminal that keeps what was printed, and runs the command line on it in this process. For tests. */
import { exampleReport } from "../api/example-answers.ts";
import { unixDoor } from "../client/door.ts";
import { apiClient, DEFAULT_SOCKET, nodeClient } from "../client/node-client.ts";
import type { ProgramName } from "./command.ts";
import { runCli } from "./main.ts";

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FakeTerminalOptions {
  readonly program?: ProgramName;
  readonly socket?: string;
  readonly isRoot?: boolean;
  readonly colour?: boolean;
  readonly nowMs?: number;
  readonly stdin?: string;
  readonly rows?: number;
  readonly interrupted?: AbortSignal;
  /** Told all that was printed so far, each time that something is. */
  readonly printed?: (stdout: string, stderr: string) => void;
}

/** What `hansa ARGV` prints and returns. Without a socket no daemon runs. */
export async function runFake(
  argv: readonly string[],
  options: FakeTerminalOptions = {},
): Promise<Ran> {
  const { program = "hansa", socket = `${DEFAULT_SOCKET}.of-no-test` } = options;
  let stdout = "";
  let stderr = "";
  const exit = await runCli(argv, (globals) => ({
    program,
    client: apiClient(unixDoor(socket), globals.get("node")),
    node: globals.get("node"),
    contextName: globals.get("context"),
    local: nodeClient(socket),
    out: (text) => {
      stdout += text;
      options.printed?.(stdout, stderr);
    },
    note: (line) => {
      stderr += `[${program}] ${line}\n`;
      options.printed?.(stdout, stderr);
    },
    isRoot: options.isRoot ?? true,
    colour: (options.colour ?? false) && !globals.has("no-color"),
    debug: globals.has("debug"),
    rows: () => options.rows,
    examineHost: async () => ({ ...exampleReport(), node: null }),
    reportHost: async () => ({
      files: [{ path: "host/kernel.txt", text: "Linux\n" }],
      missing: [],
    }),
    interrupted: () => options.interrupted ?? new AbortController().signal,
    nowMs: () => options.nowMs ?? 0,
    readStdin: async () => options.stdin ?? "",
    console: {
      isTerminal: () => false,
      input: async function* () {
        if (options.stdin !== undefined) yield Buffer.from(options.stdin);
      },
      write: async (to, bytes) => {
        if (to === "stdout") stdout += bytes.toString("latin1");
        else stderr += bytes.toString("latin1");
        options.printed?.(stdout, stderr);
      },
      size: () => undefined,
      onResize: () => () => undefined,
      raw: () => () => undefined,
    },
  }));
  return { exit, stdout, stderr };
}
