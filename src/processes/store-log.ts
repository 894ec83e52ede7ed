/** The end of etcd's log, where it is a file of ours. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { logFile, type Paths } from "./paths.ts";
import { STORE_PROCESS } from "./store-process.ts";

const MAX_BYTES = 64 * 1024;

/** How long it is, and at most the last 64 KiB of what came after its first `from` bytes; all of it where it was begun anew since. Empty under systemd. */
export function storeLog(
  paths: Paths,
  from = 0,
): { readonly bytes: number; readonly text: string } {
  const path = logFile(paths, STORE_PROCESS);
  if (!existsSync(path)) return { bytes: 0, text: "" };
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const start = Math.max(size < from ? 0 : from, size - MAX_BYTES);
    const buffer = Buffer.alloc(size - start);
    const read = readSync(file, buffer, 0, buffer.length, start);
    return { bytes: size, text: buffer.toString("utf8", 0, read) };
  } finally {
    closeSync(file);
  }
}
