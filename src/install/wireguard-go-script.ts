/** scripts/install-wireguard-go.sh as text: packed into the executable, or read from the sources. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getAsset, isSea } from "node:sea";

const NAME = "install-wireguard-go.sh";

/** The script, for `sh -s`. */
export function wireguardGoScript(): string {
  if (isSea()) return getAsset(NAME, "utf8");
  return readFileSync(join(import.meta.dirname, "../../scripts", NAME), "utf8");
}
