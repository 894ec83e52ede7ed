/**
 * The REST API of a node, for whatever listener it is served on.
 *
 * Invariant: every answer is JSON; every failure is `{error: {code, message, hint}}` with the status of its code, never a stack.
 */
import type { IncomingMessage } from "node:http";
import { ERRORS, type ErrorCode, HansaError } from "../errors.ts";
import type { Role } from "../values/role.ts";
import { type Caller, holderOf, LOCAL_CALLER, requireRole } from "./caller.ts";
import { EVENT_STREAM_HEADERS, eventStream, lastEventId } from "./event-stream.ts";
import { type Application, Exchange } from "./exchange.ts";
import type { Gate } from "./gate.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import type { NodePort } from "./node-port.ts";
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
  readonly callerOf?: (request: IncomingMessage) => Caller | undefined;
  /** Keeps callers out whose certificates were called back; default: there are none. */
  readonly gate?: Pick<Gate, "admit">;
  /** Told of each request that changes something, done or refused, when it ended. */
  readonly audit?: (entry: AuditEntry) => void;
  /** Told of every failure that is no HansaError, with its stack; default: one line on stderr. */
  readonly onDefect?: (error: unknown, request: string) => void;
}

/** One thing that is answered. */
interface Answerer {
  readonly method: string;
  readonly path: string;
  readonly answer: (exchange: Exchange) => Promise<void>;
}

/** The API over `node`. Routes: see ROUTES, and GET /v1/openapi.json. */
export function createApi(node: NodePort, options: ApiOptions = {}): Application {
  const { onDefect = reportToStderr } = options;
  const routes = [...ROUTES.map((route) => routed(route, node, options)), ...plain(node, options)];
  const table = new Map(routes.map((each) => [`${each.method} ${each.path}`, each]));
  const answer = async (exchange: Exchange): Promise<void> => {
    const { method, path } = exchange;
    try {
      exchange.requireLength(maxBytesOf(path));
      const known = table.get(`${method === "HEAD" ? "get" : method.toLowerCase()} ${path}`);
      if (known === undefined) {
        throw new HansaError("API_ROUTE_UNKNOWN", `no route ${method} ${path}`);
      }
      await known.answer(exchange);
    } catch (error) {
      // A client that went away rejects our wait with its abort; nobody reads the answer, and nothing is broken.
      const isForeseen = error instanceof HansaError;
      if (!isForeseen && !exchange.isClientGone) onDefect(error, `${method} ${path}`);
      if (exchange.response.headersSent) exchange.response.destroy();
      else answerError(exchange, error);
    }
  };
  return {
    routes,
    answer: (request, response) => void answer(new Exchange(request, response)),
  };
}

/** Who asks, let in for `role`. */
function admitted(
  { request, response }: Exchange,
  caller: Caller | undefined,
  { gate }: ApiOptions,
  role: Role,
  what: string,
  isChange = false,
): Caller {
  if (caller !== undefined) gate?.admit(caller, request.socket, response, isChange);
  return requireRole(caller, role, what);
}

function callerOf({ request }: Exchange, options: ApiOptions): Caller | undefined {
  return options.callerOf ? options.callerOf(request) : LOCAL_CALLER;
}

function routed(route: Route, node: NodePort, options: ApiOptions): Answerer {
  const { method, path, operation, role, stream } = route;
  const isChange = method !== "get";
  const answer = async (exchange: Exchange): Promise<void> => {
    const caller = callerOf(exchange, options);
    const note = (result: AuditEntry["result"]): void => {
      if (isChange && caller) options.audit?.({ caller, operation, result });
    };
    try {
      const asker = admitted(exchange, caller, options, role, operation, isChange);
      if (stream !== undefined) {
        if (exchange.method === "HEAD") {
          exchange.response.writeHead(200, EVENT_STREAM_HEADERS).end();
          return;
        }
        const after = lastEventId(exchange.header("last-event-id"));
        const query = (name: string): string | undefined => exchange.query(name);
        const values = stream(node, exchange.signal, holderOf(asker), after, query);
        await exchange.stream(eventStream(values, after), EVENT_STREAM_HEADERS);
        return;
      }
      const body = await bodyOf(exchange, route);
      const value = await route.handle(node, body, exchange.signal, asker);
      note("ok");
      exchange.json(value);
    } catch (error) {
      note(error instanceof HansaError ? error.code : "INTERNAL");
      throw error;
    }
  };
  return { method, path, answer };
}

/** What is no route of the table: about the API itself, and for what watches machines. */
function plain(node: NodePort, options: ApiOptions): Answerer[] {
  let document: object | undefined;
  const get = (path: string, answer: (exchange: Exchange) => Promise<void>): Answerer => ({
    method: "get",
    path,
    answer: async (exchange) => {
      admitted(exchange, callerOf(exchange, options), options, "viewer", path);
      await answer(exchange);
    },
  });
  return [
    get("/v1/openapi.json", async (exchange) => {
      const { openApiDocument } = await import("./open-api.ts");
      document ??= await openApiDocument(node.version().version);
      exchange.json(document);
    }),
    get("/healthz", async (exchange) => {
      const { warnings } = await node.status();
      const codes = warnings.map(({ code }) => code);
      exchange.json({ status: codes.length === 0 ? "ok" : "warnings", warnings: codes });
    }),
    get("/metrics", async (exchange) => {
      const { user, system } = process.cpuUsage();
      const usage = { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
      const text = metricsText(await node.status(), node.counters(), usage);
      exchange.text(text, METRICS_TYPE);
    }),
  ];
}

function maxBytesOf(path: string): number {
  return path === LARGE_BODY_PATH ? MAX_LARGE_BODY_BYTES : MAX_BODY_BYTES;
}

async function bodyOf(exchange: Exchange, route: Route): Promise<unknown> {
  if (route.request === undefined) return undefined;
  const [text, schema] = await Promise.all([
    exchange.body(maxBytesOf(exchange.path)),
    route.request(),
  ]);
  let value: unknown;
  try {
    // No body at all, as from one that knows of none.
    const isNone = text === "" && schema.safeParse(undefined).success;
    value = isNone ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new HansaError("USAGE", "the request's body is not JSON", { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HansaError("USAGE", sentenceOf(parsed.error, "the request's body"), {
    hint: "GET /v1/openapi.json describes each request",
  });
}

function answerError(exchange: Exchange, error: unknown): void {
  const { code, message, hint } = error instanceof HansaError ? error : unexpected(error);
  exchange.json({ error: { code, message, hint } }, ERRORS[code].status, refusalHeaders(code));
}

function unexpected(error: unknown): HansaError {
  const why = error instanceof Error ? error.message : String(error);
  return new HansaError("INTERNAL", `unexpected failure: ${why}`);
}

function reportToStderr(error: unknown, request: string): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`api: ${request}: ${text}\n`);
}
