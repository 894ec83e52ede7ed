/**
 * Logs of our processes where no journal keeps them: one file a process and one old one, bounded in size.
 *
 * Invariant: a process writes to its file directly, in append mode, so no other process need live for it to log; rotation copies
 * and truncates, because the writer keeps its descriptor.
 */
import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { isErrno } from "../errors.ts";

/** A log that has grown beyond it is moved to `<log>.1`. */
export const LOG_LIMIT_BYTES = 5 * 1024 * 1024;

/** A descriptor for a process's output; the caller closes its copy after spawning. */
export function openLog(path: string): number {
  return openSync(path, "a", 0o640);
}

/** Rotates the log when it is larger than `limitBytes`; true when it did. Lines written during the copy may be lost. */
export function rotateLog(path: string, limitBytes = LOG_LIMIT_BYTES): boolean {
  if (sizeOf(path) <= limitBytes) return false;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
  return true;
}

/** The log's size in bytes; 0 when there is none. Remember it before a start to read only what came after. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}

/**
 * One sentence from the end of what was written after `fromByte`: the last record's message and error, or the last line that
 * says what went wrong. Undefined when nothing was written.
 */
export function lastSentence(path: string, fromByte: number): string | undefined {
  const lines = readTail(path, fromByte, 16 * 1024)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const records = lines.map(sentenceOf).filter((each) => each !== undefined);
  if (records.length > 0) return records.at(-1);
  // Not our log format: the runtime's own report, of which the line "…Error: text" says most.
  const telling = lines.findLast((line) => /^(?:[A-Z]\w*)?Error\b.*: /.test(line));
  return (telling ?? lines.at(-1))?.slice(0, 300);
}

function sentenceOf(line: string): string | undefined {
  const start = line.indexOf("{");
  if (start < 0 || start > 3) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line.slice(start));
  } catch {
    return undefined; // A line that merely begins with a brace is no record.
  }
  if (typeof value !== "object" || value === null || !("msg" in value)) return undefined;
  const { msg, error } = value as { readonly msg: unknown; readonly error?: unknown };
  const detail =
    typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return detail === undefined ? String(msg) : `${String(msg)}: ${String(detail)}`;
}

function readTail(path: string, fromByte: number, maxBytes: number): string {
  const size = sizeOf(path);
  // Rotated meanwhile: what is there is all new.
  const from = Math.max(fromByte > size ? 0 : fromByte, size - maxBytes);
  if (size <= from) return "";
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(size - from);
    const read = readSync(file, buffer, 0, buffer.length, from);
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(file);
  }
}
