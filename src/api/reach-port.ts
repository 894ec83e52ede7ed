/** What the API asks of a node for streams into containers. The daemon implements it. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { NamedContainer } from "../values/container-reference.ts";
import type { Caller } from "./caller.ts";
import type { NodeStream } from "./node-stream.ts";
import type { ExecRequest } from "./reach-schemas.ts";

/** A container of this node, or one of another that has to be asked. */
export interface FoundContainer extends NamedContainer {
  readonly isHere: boolean;
}

/** A request for a stream as it came, not answered yet. */
export interface StreamRequest {
  readonly incoming: IncomingMessage;
  readonly socket: Duplex;
  /** What arrived behind the request's head already. */
  readonly head: Buffer;
}

export interface ReachPort {
  /**
   * The one container that is meant by "name", "node/name", an id or its beginning, or a compose service. Throws CONTAINER_NOT_FOUND,
   * CONTAINER_AMBIGUOUS with the candidates, and CONTAINER_OUTSIDE for one that only an admin reaches.
   */
  find(reference: string, caller: Caller): Promise<FoundContainer>;
  /** Runs a command until it ends; `started` is called when it runs. */
  exec(
    container: FoundContainer,
    request: ExecRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void>;
}
