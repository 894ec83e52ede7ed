/** What serves streams into containers: finds them on all nodes, reaches into those here, and passes on what is for others. */
import type { IncomingMessage } from "node:http";
import type { Caller } from "../../api/caller.ts";
import type { Containers } from "../../api/container-schema.ts";
import { nodePath } from "../../api/node-path.ts";
import { StreamServer } from "../../api/stream-server.ts";
import type { Engine } from "../../docker/engine.ts";
import type { Logger } from "../../host/logger.ts";
import type { NodeId } from "../../values/node-id.ts";
import type { AuditLog } from "../doors/audit-log.ts";
import type { NodeForwarding } from "../doors/node-forwarding.ts";
import type { PeerRequests } from "../doors/peer-requests.ts";
import type { NameLoop } from "../names/name-loop.ts";
import { ContainerFinder, namedContainers } from "./container-finder.ts";
import { ReachIn } from "./reach-in.ts";

export interface ContainerStreamsOptions {
  readonly self: { readonly id: NodeId; readonly name: string };
  readonly engine: Engine;
  readonly names: Pick<NameLoop, "containers">;
  /** Of all nodes, also those that do not run. */
  readonly containers: () => Promise<Containers>;
  readonly peers: Pick<PeerRequests, "nodes">;
  readonly forwarding: Pick<NodeForwarding, "routing">;
  readonly audit: Pick<AuditLog, "note">;
  readonly logger: Logger;
}

export class ContainerStreams {
  readonly #options: ContainerStreamsOptions;
  readonly #reach: ReachIn;

  constructor(options: ContainerStreamsOptions) {
    const { self, engine, names, containers, peers } = options;
    this.#options = options;
    const finder = new ContainerFinder({
      ...{ self, engine },
      running: () => names.containers(),
      all: async () => namedContainers(await containers()),
      nodes: () => [self, ...peers.nodes()],
    });
    this.#reach = new ReachIn(engine, finder);
  }

  /** For one door of the API; `admit` throws for who is kept out, by default nobody is. */
  server(
    callerOf: (request: IncomingMessage) => Caller | undefined,
    admit: (caller: Caller, request: IncomingMessage) => void = () => undefined,
  ): StreamServer {
    const { forwarding, audit, logger } = this.#options;
    const routing = forwarding.routing(callerOf);
    return new StreamServer({
      ...{ reach: this.#reach, callerOf, admit },
      audit: (entry) => audit.note(entry),
      onDefect: (error, request) => logger.error("the API failed", { error: `${error}`, request }),
      passOn: (request, socket, head, id) => {
        request.url = nodePath(id, request.url ?? "");
        if (!routing.takesUpgrade(request, socket, head)) socket.destroy();
      },
    });
  }
}
