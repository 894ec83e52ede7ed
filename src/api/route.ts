/** What a route of the API is, and how one is written down so that its handler is held to its schemas. */
import type * as z from "zod";
import type { ErrorCode } from "../errors.ts";
import type { Role } from "../values/role.ts";
import type { Caller } from "./caller.ts";
import type { NodePort } from "./node-port.ts";

/** A schema, which is loaded when it is first asked for. */
export type Schema<Type extends z.ZodType = z.ZodType> = () => Promise<Type>;

export interface Route {
  readonly method: "get" | "post" | "delete";
  readonly path: `/v1/${string}`;
  readonly operation: string;
  readonly summary: string;
  /** What the caller must at least be. */
  readonly role: Role;
  /** Absent for routes that take no body. */
  readonly request?: Schema;
  readonly response: Schema;
  /** Codes beyond INTERNAL that this route answers with. */
  readonly errors: readonly ErrorCode[];
  /** `body` has been checked against `request`; `signal` aborts when the client is gone; `caller` has the role. */
  readonly handle: (
    node: NodePort,
    body: unknown,
    signal: AbortSignal,
    caller: Caller,
  ) => Promise<unknown>;
  /** Present when the answer is a stream of server-sent events, `response` each; then it stands in for `handle`. */
  readonly stream?: (
    node: NodePort,
    signal: AbortSignal,
    /** Whom it is counted for (see holderOf). */
    who: string,
    /** The id of the last event that the reader has, for feeds that are an EventLog. */
    after: string | undefined,
    /** What stands in the address's query. */
    query: (name: string) => string | undefined,
  ) => AsyncIterable<object>;
  /** Names and meanings of what may stand in the address's query. */
  readonly query?: Readonly<Record<string, string>>;
}

/** Who reads changes nothing. */
function usualRole(method: Route["method"]): Role {
  return method === "get" ? "viewer" : "operator";
}

/** Keeps the types of body and answer tied to the schemas, then forgets them so that all routes fit into one list. */
export function route<Request extends z.ZodType, Response extends z.ZodType>(definition: {
  readonly method: Route["method"];
  readonly path: Route["path"];
  readonly operation: string;
  readonly summary: string;
  readonly role?: Role;
  readonly request?: Schema<Request>;
  readonly response: Schema<Response>;
  readonly errors?: readonly ErrorCode[];
  readonly handle: (
    node: NodePort,
    body: z.output<Request>,
    signal: AbortSignal,
    caller: Caller,
  ) => Promise<z.input<Response>>;
}): Route {
  const { errors = [], role = usualRole(definition.method), handle, ...rest } = definition;
  return {
    ...rest,
    errors,
    role,
    handle: (node, body, signal, caller) => handle(node, body as z.output<Request>, signal, caller),
  };
}

/** A route that answers with server-sent events until the client goes away. */
export function eventRoute<Event extends z.ZodType>(definition: {
  readonly path: Route["path"];
  readonly operation: string;
  readonly summary: string;
  readonly response: Schema<Event>;
  readonly errors: readonly ErrorCode[];
  readonly stream: (
    node: NodePort,
    signal: AbortSignal,
    who: string,
  ) => AsyncIterable<z.input<Event> & object>;
}): Route {
  return { method: "get", role: "viewer", ...definition, handle: async () => undefined };
}

/** Of routes that take a body. */
export const BODY_ERRORS = ["USAGE", "REQUEST_TOO_LARGE"] as const;
