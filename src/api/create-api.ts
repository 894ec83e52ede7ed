/**
 * The REST API of a node as a Hono application, for whatever listener it is mounted on.
 *
 * Invariant: every answer is JSON; every failure is `{error: {code, message, hint}}` with the status of its code, never a stack.
 */
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ERRORS, type ErrorCode, HansaError } from "../errors.ts";
import type { Role } from "../values/role.ts";
import { type Caller, holderOf, LOCAL_CALLER, requireRole } from "./caller.ts";
import { eventStream, lastEventId } from "./event-stream.ts";
import type { Gate } from "./gate.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import type { NodePort } from "./node-port.ts";
import { openApiDocument } from "./open-api.ts";
import { refusalHeaders } from "./refusal.ts";
import { sentenceOf } from "./request-error.ts";
import { ROUTES, type Route } from "./routes.ts";

export const MAX_BODY_BYTES = 1024 * 1024;
/** A value of 1 MiB in base64. */
const LARGE_BODY_PATH = "/v1/config/put";
const MAX_LARGE_BODY_BYTES = 1536 * 1024;

/** One change that was asked for, for the audit log. */
export interface AuditEntry {
  readonly caller: Caller;
  readonly operation: string;
  /** What it was about, "host2/web", for what goes on in one container. */
  readonly container?: string;
  /** "ok", or the code of the refusal. */
  readonly result: "ok" | ErrorCode;
}

export interface ApiOptions {
  /** Who asks, by the connection; default: everybody is whoever may open the unix socket. */
  readonly callerOf?: (connection: HttpBindings | undefined) => Caller | undefined;
  /** Keeps callers out whose certificates were called back; default: there are none. */
  readonly gate?: Pick<Gate, "admit">;
  /** Told of each request that changes something, done or refused, when it ended. */
  readonly audit?: (entry: AuditEntry) => void;
  /** Told of every failure that is no HansaError, with its stack; default: one line on stderr. */
  readonly onDefect?: (error: unknown, request: string) => void;
}

/** The API over `node`. Routes: see ROUTES, and GET /v1/openapi.json. */
export function createApi(node: NodePort, options: ApiOptions = {}): Hono {
  const { onDefect = reportToStderr, audit, gate } = options;
  const whoAsks = options.callerOf ?? (() => LOCAL_CALLER);
  /** Who asks, let in for `role`. */
  const admitted = (
    context: Context,
    caller: Caller | undefined,
    role: Role,
    what: string,
    isChange = false,
  ): Caller => {
    if (caller !== undefined && gate !== undefined) {
      const { incoming, outgoing } = context.env as HttpBindings;
      gate.admit(caller, incoming.socket, outgoing, isChange);
    }
    return requireRole(caller, role, what);
  };
  const app = new Hono();
  const counted = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: answerTooLarge });
  const countedLarge = bodyLimit({ maxSize: MAX_LARGE_BODY_BYTES, onError: answerTooLarge });
  app.use(async (context, next) => {
    const isLarge = context.req.path === LARGE_BODY_PATH;
    const length = saidLength(context);
    if (length === undefined) return (isLarge ? countedLarge : counted)(context, next);
    const isTooLong = length > (isLarge ? MAX_LARGE_BODY_BYTES : MAX_BODY_BYTES);
    return isTooLong ? answerTooLarge(context) : next();
  });
  for (const route of ROUTES) {
    app.on(route.method.toUpperCase(), route.path, async (context) => {
      const caller = whoAsks(context.env as HttpBindings | undefined);
      const isChange = route.method !== "get";
      const note = (result: AuditEntry["result"]): void => {
        if (isChange && caller) audit?.({ caller, operation: route.operation, result });
      };
      try {
        const asker = admitted(context, caller, route.role, route.operation, isChange);
        if (route.stream !== undefined) {
          const after = lastEventId(context.req.header("last-event-id"));
          return eventStream(
            route.stream(node, context.req.raw.signal, holderOf(asker), after, (name) =>
              context.req.query(name),
            ),
            after,
          );
        }
        const body = await bodyOf(context, route);
        const answer = await route.handle(node, body, context.req.raw.signal, asker);
        note("ok");
        return context.json(answer as object);
      } catch (error) {
        note(error instanceof HansaError ? error.code : "INTERNAL");
        throw error;
      }
    });
  }
  let document: object | undefined;
  app.get("/v1/openapi.json", (context) => {
    admitted(
      context,
      whoAsks(context.env as HttpBindings | undefined),
      "viewer",
      "/v1/openapi.json",
    );
    document ??= openApiDocument(node.version().version);
    return context.json(document);
  });
  const plain = (path: string, answer: (context: Context) => Promise<Response>): void => {
    app.get(path, async (context) => {
      admitted(context, whoAsks(context.env as HttpBindings | undefined), "viewer", path);
      return answer(context);
    });
  };
  plain("/healthz", async (context) => {
    const { warnings } = await node.status();
    const codes = warnings.map(({ code }) => code);
    return context.json({ status: codes.length === 0 ? "ok" : "warnings", warnings: codes });
  });
  plain("/metrics", async (context) => {
    const { user, system } = process.cpuUsage();
    const usage = { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
    const text = metricsText(await node.status(), node.counters(), usage);
    return context.body(text, 200, { "content-type": METRICS_TYPE });
  });
  app.notFound((context) => {
    const asked = `${context.req.method} ${context.req.path}`;
    return answerError(context, new HansaError("API_ROUTE_UNKNOWN", `no route ${asked}`));
  });
  app.onError((error, context) => {
    if (error instanceof HansaError) return answerError(context, error);
    // A client that went away rejects our wait with its abort; nobody reads the answer, and nothing is broken.
    if (!context.req.raw.signal.aborted) {
      onDefect(error, `${context.req.method} ${context.req.path}`);
    }
    return answerError(context, new HansaError("INTERNAL", `unexpected failure: ${error.message}`));
  });
  return app;
}

/**
 * How long the body is, where the request says so and node:http holds it to that; undefined: it has to be counted. Only looked for in the headers: to touch
 * the body makes a whole Request of fetch's, half of what a small request costs.
 */
function saidLength({ req, env }: Context): number | undefined {
  if (req.method === "GET" || req.method === "HEAD") return 0;
  const isHttp = (env as HttpBindings | undefined)?.incoming !== undefined;
  if (!isHttp || req.header("transfer-encoding") !== undefined) return undefined;
  const length = Number(req.header("content-length") ?? 0);
  return Number.isNaN(length) ? undefined : length;
}

function answerTooLarge(context: Context): Response {
  const text = "the request's body is longer than it may be";
  return answerError(context, new HansaError("REQUEST_TOO_LARGE", text));
}

async function bodyOf(context: Context, route: Route): Promise<unknown> {
  if (route.request === undefined) return undefined;
  const text = await context.req.text();
  let value: unknown;
  try {
    // No body at all, as from one that knows of none.
    const isNone = text === "" && route.request.safeParse(undefined).success;
    value = isNone ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new HansaError("USAGE", "the request's body is not JSON", { cause });
  }
  const parsed = route.request.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HansaError("USAGE", sentenceOf(parsed.error, "the request's body"), {
    hint: "GET /v1/openapi.json describes each request",
  });
}

function answerError(context: Context, error: HansaError): Response {
  const { code, message, hint } = error;
  for (const [name, value] of Object.entries(refusalHeaders(code))) context.header(name, value);
  return context.json(
    { error: { code, message, hint } },
    ERRORS[code].status as ContentfulStatusCode,
  );
}

function reportToStderr(error: unknown, request: string): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`api: ${request}: ${text}\n`);
}
