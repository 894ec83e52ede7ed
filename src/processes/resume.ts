/** `hansa resume`: starts a launched node's processes again, with what is on disk. */
import { HansaError } from "../errors.ts";
import type { NodeId } from "../values/node-id.ts";
import { loadNodeFile } from "./node-file.ts";
import { startNode } from "./start-node.ts";
import { type ThisHost, thisHost } from "./this-host.ts";

/**
 * Brings the node up and waits for its daemon; does nothing when all runs. Throws NODE_NOT_LAUNCHED on a host that never was a
 * node, ROOT_REQUIRED, STATE_DAMAGED, NODE_NOT_RUNNING.
 */
export async function resume(
  onProgress?: (text: string) => void,
  host: ThisHost = thisHost(),
): Promise<{ readonly id: NodeId }> {
  if (!host.isRoot) throw new HansaError("ROOT_REQUIRED", "resume needs root privileges");
  const node = await loadNodeFile(host.paths.nodeFile);
  if (node === undefined) {
    throw new HansaError(
      "NODE_NOT_LAUNCHED",
      "there is nothing to resume: the host was never launched",
    );
  }
  await startNode(node, host, onProgress);
  return { id: node.id };
}
