/** `hansa create` on a host that is no node yet: makes it the first node of a new cluster, under a token of its own making. The store is made after. */
import { randomBytes } from "node:crypto";
import { createIdentity, type Identity } from "../identity/identity.ts";
import { requireTools } from "../processes/host-tools.ts";
import { launchFirst } from "../processes/launch.ts";
import { requestedNode } from "../processes/launch-request.ts";
import type { NodeFile, Ports } from "../processes/node-file.ts";
import type { ThisHost } from "../processes/this-host.ts";
import { requireStoreName } from "../store/store-name.ts";
import type { NodeId } from "../values/node-id.ts";
import type { NodeLink } from "../values/node-link.ts";

export interface CreateRequest {
  readonly cluster: string;
  readonly id: NodeId;
  readonly links: readonly NodeLink[] | undefined;
  readonly ports: Partial<Ports>;
}

/** 128 bits. */
const TOKEN_BYTES = 16;

/** Throws USAGE for a bad name and TOOL_MISSING for etcd before anything, and as `launch` does. */
export async function createHere(
  { cluster, ...wished }: CreateRequest,
  hostName: string,
  host: ThisHost,
  onProgress: (text: string) => void,
): Promise<NodeFile> {
  requireStoreName(cluster);
  // A node without its store would be half of what was asked for.
  requireTools(["etcd"], host.folders);
  const node = requestedNode({ ...wished, cluster, targets: [] }, hostName);
  const identity = async (): Promise<Identity> => {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    return { ...(await createIdentity({ token, cluster })), token };
  };
  await launchFirst(node, identity, host, onProgress);
  return node;
}
