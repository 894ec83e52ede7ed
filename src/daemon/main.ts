/** The role `hansa daemon`: loads what launch wrote, runs the node, serves the API, and ends orderly on SIGTERM. */
import { once } from "node:events";
import { LOCAL_CALLER } from "../api/caller.ts";
import { createApi } from "../api/create-api.ts";
import { serveUnix } from "../api/serve-unix.ts";
import { HansaError } from "../errors.ts";
import { createLogger } from "../host/logger.ts";
import { loadIdentity } from "../identity/identity-file.ts";
import { keepSupervised } from "../processes/keep-supervised.ts";
import { loadNodeFile } from "../processes/node-file.ts";
import { hansaPaths } from "../processes/paths.ts";
import { ClusterNode } from "./cluster-node.ts";

/** How long the API waits for Docker's network, with Docker perhaps down. */
const NETWORK_WITHIN_MS = 3_000;

/** Resolves to the exit code. Throws HansaError when the host was never launched or the state is damaged. */
export async function runDaemon(): Promise<number> {
  const paths = hansaPaths();
  const logger = createLogger({ fields: { process: "daemon" } });
  const [node, identity] = await Promise.all([
    loadNodeFile(paths.nodeFile),
    loadIdentity(paths.stateDir),
  ]);
  if (!node || !identity) {
    throw new HansaError("NODE_NOT_LAUNCHED", "this host was never launched as a node");
  }
  const clusterNode = await ClusterNode.start({ node, identity, paths, logger });
  // Who launches may start a container as soon as the API answers.
  await clusterNode.networkMade(NETWORK_WITHIN_MS);
  const listener = await serveUnix(
    createApi(clusterNode.answers, {
      audit: (entry) => clusterNode.audit.note(entry),
      onDefect: (error, request) => logger.error("the API failed", { error: `${error}`, request }),
    }),
    {
      path: paths.apiSocket,
      routing: clusterNode.forwarding.routing(() => LOCAL_CALLER),
      streams: clusterNode.streams.server(() => LOCAL_CALLER),
    },
  );
  logger.info("the node runs", { id: node.id, cluster: node.cluster });
  const letGo = keepSupervised(
    (error) => logger.warn("the supervisor could not be started", { error: `${error}` }),
    (everyMs, job) => clusterNode.beat.every(everyMs, job),
  );
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  letGo();
  await listener.close();
  await clusterNode.close();
  return 0;
}
