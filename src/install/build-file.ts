/** A file that is said to be a build of Hansa: asked, before anything is changed, what it is. */
import { accessSync, constants, statSync } from "node:fs";
import { HansaError } from "../errors.ts";
import type { Command } from "../host/command.ts";

export interface Build {
  readonly version: string;
  readonly revision: string;
  /** Highest version of each file of state that it knows; empty for builds that do not tell. */
  readonly formats: Readonly<Record<string, number>>;
}

/** What `file` says of itself. Throws UPGRADE_REFUSED when it is no file that runs here and says so. */
export async function buildOf(file: string, command: Command): Promise<Build> {
  const refuse = (why: string): HansaError =>
    new HansaError("UPGRADE_REFUSED", `${file} is no build of hansa for this host: ${why}`);
  const entry = statSync(file, { throwIfNoEntry: false });
  if (entry === undefined) throw refuse("there is no such file");
  if (!entry.isFile()) throw refuse("it is no file");
  if (!isExecutable(file)) throw refuse("it may not be executed (chmod +x)");
  let said: unknown;
  try {
    const { status, stdout } = await command.run([file, "version", "-o", "json"], {
      timeoutMs: 20_000,
      maxBytes: 1 << 20,
    });
    if (status !== 0) throw refuse(`its version command ended with status ${status}`);
    said = JSON.parse(stdout);
  } catch (cause) {
    if (cause instanceof HansaError && cause.code === "UPGRADE_REFUSED") throw cause;
    throw Object.assign(refuse("it does not tell its version"), { cause });
  }
  const build = parse(said);
  if (build === undefined) throw refuse("it does not tell its version");
  return build;
}

function parse(said: unknown): Build | undefined {
  if (typeof said !== "object" || said === null) return undefined;
  const { version, revision, formats } = said as Readonly<Record<string, unknown>>;
  if (typeof version !== "string" || typeof revision !== "string") return undefined;
  const entries = Object.entries(typeof formats === "object" && formats !== null ? formats : {});
  const known = entries.filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return { version, revision, formats: Object.fromEntries(known) };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // Not executable, or out of our reach: the same to us.
  }
}
