/**
 * What etcd wrote since a moment: from its log, which is a file of ours, or the journal where systemd keeps it.
 *
 * Invariant: bounded, whatever it wrote; a log that was begun anew since is read from its beginning.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { HansaError } from "../errors.ts";
import { type Command, systemCommand } from "../host/command.ts";
import { sizeOf } from "./log-file.ts";
import { logFile, type Paths } from "./paths.ts";
import { STORE_PROCESS } from "./store-process.ts";
import { hasSystemd } from "./systemd.ts";
import { UNIT_OF } from "./units.ts";

/** A place in it: how long the file was, or the time in whole seconds since 1970. Worth nothing after a change from one to the other. */
export type StoreLogPlace = number;

const MAX_BYTES = 64 * 1024;
const MAX_LINES = 400;
const JOURNAL_MS = 10_000;

/** Its end, at this moment. */
export function storeLogEnd(paths: Paths, nowMs: number): StoreLogPlace {
  if (hasSystemd(paths)) return Math.floor(nowMs / 1000);
  return sizeOf(logFile(paths, STORE_PROCESS));
}

/** The last 64 KiB, or 400 lines, of what came after `place`. Throws TOOL_MISSING, COMMAND_TIMEOUT, and SYSTEMD_FAILED where there is no journal to read. */
export async function storeLogSince(
  paths: Paths,
  place: StoreLogPlace,
  command: Command = systemCommand,
): Promise<string> {
  if (hasSystemd(paths)) return await journalSince(place, command);
  const path = logFile(paths, STORE_PROCESS);
  if (sizeOf(path) === 0) return "";
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const start = Math.max(size < place ? 0 : place, size - MAX_BYTES);
    const buffer = Buffer.alloc(size - start);
    const read = readSync(file, buffer, 0, buffer.length, start);
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(file);
  }
}

/** By the unit's own words alone, without what systemd says of it. */
async function journalSince(seconds: number, command: Command): Promise<string> {
  const { status, stdout, stderr } = await command.run(
    [
      ...["journalctl", "--no-pager", "--quiet", "--all", "--output", "cat"],
      ...["--lines", `${MAX_LINES}`, "--since", `@${seconds}`],
      `_SYSTEMD_UNIT=${UNIT_OF[STORE_PROCESS]}`,
    ],
    { timeoutMs: JOURNAL_MS },
  );
  if (status === 0) return stdout;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  throw new HansaError("SYSTEMD_FAILED", `journalctl failed: ${said.slice(0, 300)}`);
}
