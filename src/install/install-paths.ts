/** What `hansa install` puts on a host, and where. The only place in which these paths are spelled. Pure. */
import { join } from "node:path";
import { hansaPaths } from "../processes/paths.ts";

/** The names of the predecessors whose command lines are understood. */
export const LINK_NAMES = ["overnode", "kontena", "smr", "smrctl", "smrmgr", "pvecm"] as const;

/** Members may use the API's socket, which makes them as mighty as root. */
export const GROUP = "hansa";

export interface InstallPaths {
  readonly executable: string;
  /** The executable before the last upgrade. */
  readonly previous: string;
  /** Where the executable and the links are. */
  readonly binDir: string;
  readonly completion: string;
  /** What install made on this host, so that uninstall removes that and nothing else. */
  readonly record: string;
  /** Where members of the group ask for a start. */
  readonly starterSocket: string;
}

/** The paths under `prefix`, which is "" on a real host. */
export function installPaths(prefix: string): InstallPaths {
  const binDir = join(prefix, "/usr/local/bin");
  return {
    executable: join(binDir, "hansa"),
    previous: join(binDir, "hansa.previous"),
    binDir,
    completion: join(prefix, "/etc/bash_completion.d/hansa"),
    record: join(prefix, "/etc/hansa/install.json"),
    starterSocket: hansaPaths({ HANSA_ROOT: prefix }).starterSocket,
  };
}
