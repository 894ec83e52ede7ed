/** What the API asks of a node for streams into containers. The daemon implements it. */
import type { NamedContainer } from "../values/container-reference.ts";
import type { Caller } from "./caller.ts";
import type { NodeStream } from "./node-stream.ts";
import type {
  DialRequest,
  ExecRequest,
  LogsRequest,
  PathRequest,
  TopRequest,
  UsageRequest,
} from "./reach-schemas.ts";

/** A container of this node, or one of another that has to be asked. */
export interface FoundContainer extends NamedContainer {
  readonly isHere: boolean;
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
  /** Sends the log, each message as one frame or more (streams/log-message.ts), until it ends. */
  logs(container: FoundContainer, request: LogsRequest, stream: NodeStream): Promise<void>;
  /** Joins the stream with a TCP connection to a port of the container. CONTAINER_PORT_CLOSED when nobody listens. */
  dial(
    container: FoundContainer,
    request: DialRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void>;
  /** Sends what is at a path, as a JSON document: null, or name, size, mode and where a link leads. */
  statPath(container: FoundContainer, request: PathRequest, stream: NodeStream): Promise<void>;
  /** Sends a tar archive of a path. CONTAINER_PATH_NOT_FOUND. */
  readArchive(
    container: FoundContainer,
    request: PathRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void>;
  /** Unpacks the tar archive that the client sends in a folder. CONTAINER_PATH_NOT_FOUND. */
  writeArchive(
    container: FoundContainer,
    request: PathRequest,
    stream: NodeStream,
    started: () => void,
  ): Promise<void>;
  /** Sends the container's processes as one JSON document. */
  top(container: FoundContainer, request: TopRequest, stream: NodeStream): Promise<void>;
  /** Sends what the container uses, one JSON document a frame. */
  usage(container: FoundContainer, request: UsageRequest, stream: NodeStream): Promise<void>;
}
