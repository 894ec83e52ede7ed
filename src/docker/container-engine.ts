/**
 * The Engine as far as it reaches into one container: commands, logs, files, processes, figures. A part of the port `Engine`.
 *
 * Whoever opened something closes it. What flows is pulled: who does not pull holds the Engine's stream up, and nothing is gathered here.
 * A container that is not there is CONTAINER_NOT_FOUND; all else as for `Engine`.
 */
import type { ContainerUsage, ProcessTable } from "../values/container-usage.ts";
import type { Output } from "./output-frames.ts";

export interface ExecSpec {
  readonly command: readonly string[];
  /** "NAME=value". */
  readonly environment: readonly string[];
  /** "name", "uid:gid"; empty for the container's own. */
  readonly user: string;
  /** Empty for the container's own. */
  readonly workdir: string;
  /** With a terminal, all of its output is `stdout`. */
  readonly tty: boolean;
  /** Whether it gets an input at all. */
  readonly stdin: boolean;
  /** The terminal's first size, where the Engine can be told it (API 1.42); else it is set by `resize`. */
  readonly size?: { readonly rows: number; readonly columns: number } | undefined;
}

/** A command that runs in a container. */
export interface ExecProcess {
  /** Ends when the command does. To be iterated once. */
  readonly output: AsyncIterable<Output>;
  /** Resolves when the Engine took the bytes. */
  write(bytes: Buffer): Promise<void>;
  /** The end of its standard input. */
  endInput(): void;
  resize(rows: number, columns: number): Promise<void>;
  /** Whether the command goes on: it may have ended while its output is still to be taken. */
  isRunning(): Promise<boolean>;
  /** To be asked after the output ended. */
  exitCode(): Promise<number>;
  /** Lets go of it; the command itself goes on. */
  close(): void;
}

export interface LogsSpec {
  readonly follow: boolean;
  /** From this time on, inclusive, as "seconds.nanoseconds" since 1970; empty for the first. */
  readonly since: string;
  /** Before this time, likewise. */
  readonly until: string;
  /** So many of the last messages; undefined for all. */
  readonly tail: number | undefined;
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** As Go's os.FileMode. */
  readonly mode: number;
  /** Where a symbolic link leads; empty otherwise. */
  readonly linkTarget: string;
}

export interface Archive {
  readonly stat: PathStat;
  /** A tar archive whose first entry has the path's last name. To be iterated once. */
  readonly bytes: AsyncIterable<Buffer>;
}

export interface ContainerEngine {
  /** Starts a command. DOCKER_REFUSED when the container does not run. */
  exec(container: string, spec: ExecSpec): Promise<ExecProcess>;
  /** Messages as the container wrote them, each with its time ("2026-01-02T03:04:05.000000006Z ") before it. Ends without an error when `signal` aborts. */
  logs(container: string, spec: LogsSpec, signal: AbortSignal): AsyncIterable<Output>;
  /** Undefined when there is nothing at `path`. */
  statPath(container: string, path: string): Promise<PathStat | undefined>;
  /** Undefined when there is nothing at `path`. */
  readArchive(container: string, path: string, signal: AbortSignal): Promise<Archive | undefined>;
  /** Unpacks a tar archive in the folder `path`, keeping modes and owners. False when there is no such folder. */
  writeArchive(
    container: string,
    path: string,
    bytes: AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** DOCKER_REFUSED when it does not run. `arguments` are those of ps; empty for the Engine's own. */
  processes(container: string, psArguments: string): Promise<ProcessTable>;
  /** One when the Engine has measured for a second, then one each second until `signal` aborts. Ends when the container does. */
  usage(container: string, signal: AbortSignal): AsyncIterable<ContainerUsage>;
}
