/**
 * Log records: one JSON object a line on standard error, written at once.
 *
 * Written by hand instead of pino: the tiny plugin process logs too, pino's import alone costs a third of its start-up, and its
 * transports do not work inside the single executable. Under journald a line begins with the syslog priority `<N>`, which
 * journald takes off and keeps. Fields whose name says secret are replaced, whatever their value.
 */
import { writeSync } from "node:fs";
import { isErrno } from "../errors.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(msg: string, fields?: LogFields): void;
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
  /** The same logger with `fields` in every record. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** Records below it cost one comparison; default "info". */
  readonly level?: LogLevel;
  readonly fields?: LogFields;
  /** Takes one whole line with its newline; default file descriptor 2. */
  readonly write?: (line: string) => void;
  readonly wallMs?: () => number;
  /** Put `<N>` before each line; default: when systemd connected standard error to the journal. */
  readonly journal?: boolean;
}

const LEVELS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const SECRET = /token|secret|password|passphrase|psk|private|authorization|cookie|^roots?$/i;

/** A logger that writes to standard error unless told otherwise. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const least = LEVELS[options.level ?? "info"];
  const write = options.write ?? writeStderr;
  const wallMs = options.wallMs ?? Date.now;
  const journal = options.journal ?? process.env["JOURNAL_STREAM"] !== undefined;
  const fixed = options.fields ?? {};
  const at =
    (level: LogLevel) =>
    (msg: string, fields: LogFields = {}): void => {
      if (LEVELS[level] < least) return;
      const time = new Date(wallMs()).toISOString();
      // Ours come last, so that a field cannot forge the level or the time of a record.
      const record = { ...fixed, ...fields, time, level, msg };
      write(`${journal ? `<${PRIORITY[level]}>` : ""}${encode(record)}\n`);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => createLogger({ ...options, fields: { ...fixed, ...fields } }),
  };
}

/** A logger that drops everything. */
export const silentLogger: Logger = createLogger({ level: "error", write: () => undefined });

function encode(record: LogFields): string {
  try {
    return JSON.stringify(record, plain);
  } catch (error) {
    // A cycle in a field must not take the process down with it.
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    const { time, level, msg } = record;
    return JSON.stringify({ time, level, msg, unprintable: reason });
  }
}

function plain(key: string, value: unknown): unknown {
  if (key !== "" && SECRET.test(key) && typeof value !== "boolean" && value !== undefined) {
    return "[secret]";
  }
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) {
    const code = "code" in value ? value.code : undefined;
    return { name: value.name, message: value.message, code, cause: value.cause };
  }
  return value;
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch (error) {
    // Nobody reads (EPIPE), or the reader is slow on a non-blocking pipe (EAGAIN): losing a line is better than dying.
    if (!isErrno(error, "EPIPE") && !isErrno(error, "EAGAIN") && !isErrno(error, "ENOSPC"))
      throw error;
  }
}
