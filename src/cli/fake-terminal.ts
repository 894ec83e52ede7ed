/** A terminal that keeps what was printed, and runs the command line on it in this process. For tests. */
import { DEFAULT_SOCKET, nodeClient } from "../client/node-client.ts";
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
    client: nodeClient(socket),
    out: (text) => {
      stdout += text;
    },
    note: (line) => {
      stderr += `[${program}] ${line}\n`;
    },
    isRoot: options.isRoot ?? true,
    colour: (options.colour ?? false) && !globals.has("no-color"),
    debug: globals.has("debug"),
    nowMs: () => options.nowMs ?? 0,
    readStdin: async () => options.stdin ?? "",
  }));
  return { exit, stdout, stderr };
}
