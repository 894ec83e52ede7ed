/**
 * The table of streams: requests that go on as frames after an upgrade of the connection (docs/internals/streams.md).
 */
import type * as z from "zod";
import type { ErrorCode } from "../errors.ts";
import type { DataKind } from "../streams/stream-frame.ts";
import type { Role } from "../values/role.ts";
import type { NodeStream } from "./node-stream.ts";
import type { FoundContainer, ReachPort } from "./reach-port.ts";
import type { Schema } from "./route.ts";

/** Schemas are made when the first body is to be checked: to make them all would be a tenth of a daemon's start. */
const reach = () => import("./reach-schemas.ts");

/** What the connection is upgraded to. */
export const STREAM_PROTOCOL = "hansa-stream";

export interface StreamRoute {
  readonly method: "get" | "post";
  readonly path: `/v1/containers/{container}/${string}`;
  readonly operation: string;
  readonly summary: string;
  readonly role: Role;
  /** What this request needs, where some need more than others. */
  readonly roleFor?: (request: unknown) => Role;
  /** Of the first frame. */
  readonly request: Schema;
  /** What the client may send after it. */
  readonly takes: readonly DataKind[];
  readonly errors: readonly ErrorCode[];
  /** Ends the stream when all was done, and throws what went wrong; `started` is told once it is certain that something is done. */
  readonly run: (
    reach: ReachPort,
    container: FoundContainer,
    request: unknown,
    stream: NodeStream,
    started: () => void,
  ) => Promise<void>;
}

function streamRoute<Request extends z.ZodType>(
  definition: Omit<StreamRoute, "request" | "run" | "errors" | "roleFor"> & {
    readonly request: Schema<Request>;
    readonly roleFor?: (request: z.output<Request>) => Role;
    readonly run: (
      reach: ReachPort,
      container: FoundContainer,
      request: z.output<Request>,
      stream: NodeStream,
      started: () => void,
    ) => Promise<void>;
  },
): StreamRoute {
  const { run, roleFor, ...rest } = definition;
  return {
    ...rest,
    ...(roleFor && { roleFor: (request) => roleFor(request as z.output<Request>) }),
    errors: [
      "USAGE",
      "CONTAINER_AMBIGUOUS",
      "CONTAINER_NOT_FOUND",
      "CONTAINER_OUTSIDE",
      "DOCKER_REFUSED",
      "DOCKER_UNREACHABLE",
      "STREAMS_MANY",
    ],
    run: (reach, container, request, stream, started) =>
      run(reach, container, request as z.output<Request>, stream, started),
  };
}

export const STREAM_ROUTES: readonly StreamRoute[] = [
  streamRoute({
    method: "post",
    path: "/v1/containers/{container}/exec",
    operation: "exec",
    summary: "Runs a command in a container, with its input, outputs, terminal and exit status",
    role: "operator",
    request: async () => (await reach()).execRequestSchema,
    takes: ["stdin"],
    run: (reach, container, request, stream, started) =>
      reach.exec(container, request, stream, started),
  }),
  streamRoute({
    method: "get",
    path: "/v1/containers/{container}/logs",
    operation: "readLogs",
    summary:
      "What a container wrote, each message with its time; goes on as it writes when followed",
    role: "viewer",
    request: async () => (await reach()).logsRequestSchema,
    takes: [],
    run: (reach, container, request, stream) => reach.logs(container, request, stream),
  }),
  streamRoute({
    method: "post",
    path: "/v1/containers/{container}/dial",
    operation: "dial",
    summary: "A TCP connection to a port of a container, wherever the container is",
    role: "operator",
    request: async () => (await reach()).dialRequestSchema,
    takes: ["stdin"],
    run: (reach, container, request, stream, started) =>
      reach.dial(container, request, stream, started),
  }),
  streamRoute({
    method: "get",
    path: "/v1/containers/{container}/path",
    operation: "statPath",
    summary: "What is at a path of a container, as one JSON document; null for nothing",
    role: "operator",
    request: async () => (await reach()).pathRequestSchema,
    takes: [],
    run: (reach, container, request, stream) => reach.statPath(container, request, stream),
  }),
  streamRoute({
    method: "get",
    path: "/v1/containers/{container}/archive",
    operation: "readArchive",
    summary: "A path of a container as a tar archive",
    role: "operator",
    request: async () => (await reach()).pathRequestSchema,
    takes: [],
    run: (reach, container, request, stream, started) =>
      reach.readArchive(container, request, stream, started),
  }),
  streamRoute({
    method: "post",
    path: "/v1/containers/{container}/archive",
    operation: "writeArchive",
    summary: "Unpacks a tar archive in a folder of a container",
    role: "operator",
    request: async () => (await reach()).pathRequestSchema,
    takes: ["stdin"],
    run: (reach, container, request, stream, started) =>
      reach.writeArchive(container, request, stream, started),
  }),
  streamRoute({
    method: "get",
    path: "/v1/containers/{container}/top",
    operation: "listProcesses",
    summary: "The processes of a container, as one JSON document",
    role: "viewer",
    // Options make ps show environments, which hold secrets.
    roleFor: ({ arguments: given }) => (given === "" ? "viewer" : "operator"),
    request: async () => (await reach()).topRequestSchema,
    takes: [],
    run: (reach, container, request, stream) => reach.top(container, request, stream),
  }),
  streamRoute({
    method: "get",
    path: "/v1/containers/{container}/stats",
    operation: "watchUsage",
    summary: "What a container uses of its host, one JSON document a second",
    role: "viewer",
    request: async () => (await reach()).usageRequestSchema,
    takes: [],
    run: (reach, container, request, stream) => reach.usage(container, request, stream),
  }),
];

/** The route of a request and the container that it names; undefined when there is none. Never throws. */
export function findStreamRoute(
  method: string,
  url: string,
): { readonly route: StreamRoute; readonly container: string } | undefined {
  const [, encoded = "", what = ""] = /^\/v1\/containers\/([^/?#]+)\/([a-z-]+)$/.exec(url) ?? [];
  const route = STREAM_ROUTES.find(
    (each) =>
      each.method.toUpperCase() === method && each.path === `/v1/containers/{container}/${what}`,
  );
  if (route === undefined) return undefined;
  try {
    return { route, container: decodeURIComponent(encoded) };
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return undefined;
  }
}
