/**
 * The node at the start of a host without systemd, called by its init scripts: `early` before dockerd, `late` after it.
 *
 * Early starts everything: the daemon waits for Docker by itself, and the sooner its gossip runs the better. It returns when Docker
 * would find the plugin. Late only makes sure that the daemon answers. Under systemd the units do all that.
 */
import { isHansaError } from "../errors.ts";
import { createLogger, type Logger } from "../host/logger.ts";
import { sizeOf } from "./log-file.ts";
import { loadNodeFile } from "./node-file.ts";
import { logFile } from "./paths.ts";
import { notUp, socketAccepts, waitFor } from "./readiness.ts";
import { isStopped, startAll, startNode } from "./start-node.ts";
import { makeDirectories } from "./start-process.ts";
import { ensureSupervisor } from "./supervisor.ts";
import { hasSystemd } from "./systemd.ts";
import { type ThisHost, thisHost } from "./this-host.ts";

/** How long dockerd's start may be held up. */
const PLUGIN_WITHIN_MS = 10_000;

/** The exit status: 0 also on a host that was never launched; 1 with a line in the log when a process did not come up. */
export async function runBoot(
  phase: "early" | "late",
  host: ThisHost = thisHost(),
  logger: Logger = createLogger({ fields: { process: `boot ${phase}` } }),
): Promise<number> {
  try {
    const node = await loadNodeFile(host.paths.nodeFile);
    if (node === undefined || hasSystemd(host.paths)) return 0;
    if (phase === "late") {
      if (!isStopped(host)) await startNode(node, host);
      return 0;
    }
    await makeDirectories(host.paths);
    await startAll(host, node);
    await ensureSupervisor(host.program, host.paths);
    await waitForPlugin(host);
    return 0;
  } catch (error) {
    if (!isHansaError(error)) throw error;
    logger.error(error.message, { code: error.code, hint: error.hint });
    return 1;
  }
}

async function waitForPlugin(host: ThisHost): Promise<void> {
  const path = logFile(host.paths, "ipam-plugin");
  const fromByte = Math.max(0, sizeOf(path) - 4096);
  const wait = { timeoutMs: PLUGIN_WITHIN_MS };
  const how = await waitFor(() => socketAccepts(host.paths.ipamSocket), wait);
  if (how !== "ready") throw notUp("address plugin", how, PLUGIN_WITHIN_MS, { path, fromByte });
}
