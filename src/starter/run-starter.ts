/** The role `hansa starter`: serves its socket until SIGTERM, or where systemd starts it for each use, until nobody asks any more. */
import { once } from "node:events";
import { nodeClient } from "../client/node-client.ts";
import { createLogger } from "../host/logger.ts";
import { handedSocket } from "../host/unix-listen.ts";
import { rotateLog } from "../processes/log-file.ts";
import { type ThisHost, thisHost } from "../processes/this-host.ts";
import { storeNameFrom } from "../store/store-name.ts";
import { serveStarter } from "./serve-starter.ts";

const IDLE_MS = 60_000;

/** Resolves to the exit code. Throws SOCKET_TAKEN when a starter serves the socket already. */
export async function runStarter(host: ThisHost = thisHost()): Promise<number> {
  const { paths } = host;
  const handed = handedSocket(process.env, process.pid);
  if (handed === undefined) rotateLog(`${paths.starterLogDir}/starter.log`);
  const idle = Promise.withResolvers<void>();
  const starter = await serveStarter({
    host,
    logger: createLogger({ fields: { process: "starter" } }),
    leave: () => nodeClient(paths.apiSocket).leave(false),
    makeStore: async (cluster) => {
      await nodeClient(paths.apiSocket).createStore(storeNameFrom(cluster));
    },
    handed,
    ...(handed !== undefined && { idle: { afterMs: IDLE_MS, tell: idle.resolve } }),
  });
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT"), idle.promise]);
  await starter.close();
  return 0;
}
