/** The version of this program: set by the build, read from package.json when the sources run unbuilt. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

declare const HANSA_VERSION: string | undefined;
declare const HANSA_REVISION: string | undefined;

export interface Version {
  /** "0.1.0". */
  readonly version: string;
  /** The commit that it was built from, 12 hex digits, or "unbuilt". */
  readonly revision: string;
}

export const VERSION: Version =
  typeof HANSA_VERSION === "string" && typeof HANSA_REVISION === "string"
    ? { version: HANSA_VERSION, revision: HANSA_REVISION }
    : { version: versionOfSources(), revision: "unbuilt" };

/** Version and revision in one word, as nodes tell each other: "0.1.0+0123456789ab". At most 32 bytes. */
export const BUILD = buildName(VERSION);

/** Two builds of one version differ by their revision. */
export function buildName({ version, revision }: Version): string {
  return `${version}+${revision}`;
}

function versionOfSources(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"),
  );
  return (manifest as { version: string }).version;
}
