/** The starter at the start of a host without systemd, where the installation has one; init scripts call it by `hansa boot early`. */
import { HansaError } from "../errors.ts";
import { hansaPaths, type Paths } from "../processes/paths.ts";
import { hasSystemd } from "../processes/systemd.ts";
import { ensureStarter } from "../starter/starter-process.ts";
import { loadRecord } from "./install.ts";
import { installPaths } from "./install-paths.ts";

/** Never rejects: a host must boot; what went wrong is on standard error. */
export async function starterAtBoot(paths: Paths = hansaPaths()): Promise<void> {
  const on = installPaths(paths.prefix);
  try {
    if (hasSystemd(paths) || (await loadRecord(on)).starter !== true) return;
    await ensureStarter(on.executable, paths);
  } catch (error) {
    const text = error instanceof HansaError ? error.message : `${error}`;
    process.stderr.write(`[hansa boot] the starter could not be started: ${text}\n`);
  }
}
