/**
 * The formats of the files under /var/lib/hansa: which this build reads and writes, and which are on this host's disk.
 *
 * Whoever raises the version of a file raises it here; the test beside holds the two together.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** File below the state directory → the highest version that this build knows. */
export const STATE_FORMATS: Readonly<Record<string, number>> = {
  "identity.json": 1,
  "node.json": 2,
  "membership.json": 1,
  "ring.json": 1,
  "certificates.json": 1,
  "ipam/leases.log": 1,
};

/** The versions of the files that are there. A file of no known form counts as version 1: whoever needs it says what is wrong. */
export function formatsOnDisk(stateDir: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const file of Object.keys(STATE_FORMATS)) {
    const path = join(stateDir, file);
    if (existsSync(path)) found[file] = versionOf(readFileSync(path, "utf8"));
  }
  return found;
}

/** The first file that is newer on disk than a build knows, as a sentence; undefined when it can read all. Pure. */
export function tooOldFor(
  onDisk: Readonly<Record<string, number>>,
  known: Readonly<Record<string, number>>,
): string | undefined {
  for (const [file, version] of Object.entries(onDisk)) {
    // A build from before there was a list knows what there was then.
    const most = known[file] ?? 1;
    if (version > most) {
      return `${file} is written in format ${version}, and that build knows formats up to ${most}`;
    }
  }
  return undefined;
}

function versionOf(text: string): number {
  const journal = /^hansa-leases (\d{1,9}) /.exec(text);
  if (journal !== null) return Number(journal[1]);
  try {
    const { version } = JSON.parse(text) as { readonly version?: unknown };
    return typeof version === "number" ? version : 1;
  } catch {
    return 1;
  }
}
