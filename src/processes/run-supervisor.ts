/** The role `hansa supervise`: supervises the processes of the node that node.json describes. */
import { createLogger } from "../host/logger.ts";
import { loadNodeFile } from "./node-file.ts";
import { supervise } from "./supervisor.ts";
import { type ThisHost, thisHost } from "./this-host.ts";

/** Runs until SIGTERM, SIGINT or a stop of the node; the exit status. The processes live on. */
export async function runSupervisor(host: ThisHost = thisHost()): Promise<number> {
  const logger = createLogger({ fields: { process: "supervise" } });
  const node = await loadNodeFile(host.paths.nodeFile);
  if (node === undefined) {
    logger.error("there is nothing to supervise: the host was never launched");
    return 1;
  }
  return supervise({ paths: host.paths, processes: () => host.processes(node), logger });
}
