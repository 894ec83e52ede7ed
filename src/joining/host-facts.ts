/** What this host is before it joins, for the checks: looked at, never changed. */
import { networkInterfaces } from "node:os";
import { VERSION } from "../api/version.ts";
import { HttpEngine } from "../docker/engine-http.ts";
import { HansaError } from "../errors.ts";
import { neededTools, requireTools } from "../processes/host-tools.ts";
import { checkPlace, type NodeRequest } from "../processes/launch.ts";
import { networkUsers } from "../processes/network-removal.ts";
import { DEFAULT_PORTS, loadNodeFile } from "../processes/node-file.ts";
import type { ThisHost } from "../processes/this-host.ts";
import type { NodeId } from "../values/node-id.ts";
import type { HostFacts } from "./join-problems.ts";

export interface Wished extends Pick<NodeRequest, "links" | "ports"> {
  readonly name: string;
  readonly id: NodeId | undefined;
}

/** Everything that can be said without the cluster. What is wrong is part of it, and no exception. */
export async function hostFacts(wished: Wished, host: ThisHost): Promise<HostFacts> {
  const { name, id, links = [], ports } = wished;
  const stored = await loadNodeFile(host.paths.nodeFile);
  const refusals: string[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HansaError)) throw error;
      refusals.push(error.message);
      return undefined;
    }
  };
  await attempt(() => requireTools(neededTools("none", host.kernelHasWireguard), host.folders));
  const users = await attempt(() => networkUsers(new HttpEngine()));
  // The node that this host is has the ports itself.
  if (stored === undefined) {
    await attempt(() => checkPlace({ ports: { ...DEFAULT_PORTS, ...ports }, links: [] }, host));
  }
  const node = stored && { id: stored.id, name: stored.name, cluster: stored.cluster };
  return {
    ...{ name, id, links, refusals, node, version: VERSION.version },
    addresses: Object.values(networkInterfaces()).flatMap(
      (list) => list?.map(({ address }) => address) ?? [],
    ),
    containers: (users ?? []).map(({ name: called }) => called),
  };
}
