/** The OpenAPI 3.1 document of the API, made from the table of routes and the zod schemas. */
import * as z from "zod";
import { ERRORS, type ErrorCode } from "../errors.ts";
import { errorSchema, healthSchema } from "./request-schemas.ts";
import { ROUTES, type Route } from "./routes.ts";

const DESCRIPTION = `Every path under /v1 also stands under /v1/nodes/{node}, with a node's id or name, and is answered by that node then. Lists of codes are not
closed: a later version may answer with others.`;

/** What any route may answer with. */
const USUAL_CODES: readonly ErrorCode[] = [
  "API_CERTIFICATE_REFUSED",
  "API_RATE_LIMITED",
  "API_ROLE_MISSING",
  "INTERNAL",
];

/** The document of this build; `version` is the program's. */
export async function openApiDocument(version: string): Promise<object> {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method]: await operation(route) };
  }
  const errors = Object.entries(ERRORS).map(([code, { title, status }]) => [
    code,
    { title, status },
  ]);
  return {
    openapi: "3.1.0",
    info: {
      title: "Hansa",
      version,
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    security: [{ certificate: [] }],
    paths: { ...paths, ...besideRoutes() },
    components: {
      schemas: { Error: schema(errorSchema, "output") },
      securitySchemes: {
        certificate: {
          type: "mutualTLS",
          description:
            "a certificate of the cluster with a role; the node's unix socket wants none",
        },
      },
    },
    "x-hansa-errors": Object.fromEntries(errors),
  };
}

/** What createApi serves that is no route of the table. */
function besideRoutes(): Record<string, object> {
  const plain = (operationId: string, summary: string, content: object): object => ({
    get: {
      operationId,
      summary,
      "x-hansa-role": "viewer",
      responses: { 200: { description: "done", content }, ...failures(USUAL_CODES) },
    },
  });
  return {
    "/v1/openapi.json": plain("getOpenApi", "This document", json({ type: "object" })),
    "/healthz": plain(
      "getHealth",
      "Answers while the daemon runs, with the codes of what the status warns of",
      json(schema(healthSchema, "output")),
    ),
    "/metrics": plain("getMetrics", "The status in numbers, in Prometheus's text format", {
      "text/plain": { schema: { type: "string" } },
    }),
  };
}

/** The answers with these codes, by status. */
function failures(codes: readonly ErrorCode[]): Record<string, object> {
  const statuses = Map.groupBy(codes, (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...statuses].map(([status, group]) => [
      status,
      { description: group.join(", "), content: json({ $ref: "#/components/schemas/Error" }) },
    ]),
  );
}

async function operation(route: Route): Promise<object> {
  return {
    operationId: route.operation,
    summary: route.summary,
    "x-hansa-role": route.role,
    ...(route.query && {
      parameters: Object.entries(route.query).map(([name, description]) => ({
        ...{ name, in: "query", required: false, description, schema: { type: "string" } },
      })),
    }),
    ...(route.request === undefined
      ? {}
      : { requestBody: { required: true, content: json(schema(await route.request(), "input")) } }),
    responses: {
      200: {
        description: route.stream === undefined ? "done" : "events, one answer in each",
        content: content(schema(await route.response(), "output"), route.stream !== undefined),
      },
      ...failures([...route.errors, ...USUAL_CODES]),
    },
  };
}

function json(schema: object): object {
  return content(schema, false);
}

function content(schema: object, isStream: boolean): object {
  return { [isStream ? "text/event-stream" : "application/json"]: { schema } };
}

function schema(type: z.ZodType, io: "input" | "output"): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(type, { io, reused: "inline" });
  return rest;
}
