/**
 * Runs other programs: argument arrays only, never a shell; bounded in time and output.
 *
 * Invariant: a status that is not 0 is an answer for the caller to judge, not an exception.
 */
import { spawn } from "node:child_process";
import { HansaError, isErrno } from "../errors.ts";

export interface CommandOptions {
  /** Given to the program's standard input, which is closed otherwise. Secrets go here, never into argv. */
  readonly stdin?: string | Uint8Array;
  /** Killed with SIGKILL after this long; default 30 000. */
  readonly timeoutMs?: number;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** More output than this kills the program; default 16 MiB for each stream. */
  readonly maxBytes?: number;
}

export interface CommandResult {
  /** The exit status; 128 + signal number is not used: a killed program has -1. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The port: what runs programs. Throws TOOL_MISSING when there is no such program, COMMAND_TIMEOUT when it was killed for its time. */
export interface Command {
  run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

/** Debian packages of the programs that Hansa calls, where the name differs from the program's. */
const PACKAGES: Readonly<Record<string, string>> = {
  bridge: "iproute2",
  docker: "docker.io",
  dockerd: "docker.io",
  iptables: "iptables",
  ip: "iproute2",
  journalctl: "systemd",
  modprobe: "kmod",
  mount: "mount",
  nft: "nftables",
  nsenter: "util-linux",
  ss: "iproute2",
  sysctl: "procps",
  systemctl: "systemd",
  umount: "mount",
  unshare: "util-linux",
  wg: "wireguard-tools",
};

/** The real adapter. */
export const systemCommand: Command = { run };

async function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new HansaError("INTERNAL", "an empty command was to be run");
  const timeoutMs = options.timeoutMs ?? 30_000;
  const maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  const child = spawn(program, rest, {
    stdio: ["pipe", "pipe", "pipe"],
    env: options.env === undefined ? process.env : { ...process.env, ...options.env },
  });
  let failure: HansaError | undefined;
  const abort = (error: HansaError): void => {
    failure ??= error;
    child.kill("SIGKILL");
    // What it started may live on and hold the pipes, which we would wait for without limit.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const timer = setTimeout(() => {
    const text = `${program} did not end within ${timeoutMs / 1000} s`;
    abort(new HansaError("COMMAND_TIMEOUT", text));
  }, timeoutMs);
  const collect = (stream: NodeJS.ReadableStream): (() => string) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else abort(new HansaError("INTERNAL", `${program} printed more than ${maxBytes} bytes`));
    });
    return () => Buffer.concat(chunks).toString("utf8");
  };
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.on("error", (error) => {
    clearTimeout(timer);
    reject(spawnFailure(program, error));
  });
  child.on("close", (code) => {
    clearTimeout(timer);
    if (failure) reject(failure);
    else resolve({ status: code ?? -1, stdout: stdout(), stderr: stderr() });
  });
  // A program may end without reading its input; its status tells the story, not our EPIPE.
  child.stdin.on("error", (error) => {
    if (!isErrno(error, "EPIPE") && !isErrno(error, "ECONNRESET")) {
      abort(new HansaError("INTERNAL", `writing to ${program} failed`, { cause: error }));
    }
  });
  child.stdin.end(options.stdin);
  return promise;
}

function spawnFailure(program: string, error: Error): HansaError {
  if (isErrno(error, "ENOENT")) {
    const name = program.split("/").at(-1) ?? program;
    return new HansaError("TOOL_MISSING", `the program ${name} is not installed`, {
      hint: `install it with: apt-get install ${PACKAGES[name] ?? name}`,
      cause: error,
    });
  }
  return new HansaError("INTERNAL", `${program} could not be started: ${error.message}`, {
    cause: error,
  });
}
