/** The OpenAPI 3.1 document of the API, made from the table of routes and the zod schemas. Pure. */
import * as z from "zod";
import { ERRORS, type ErrorCode } from "../errors.ts";
import { errorSchema } from "./request-schemas.ts";
import { ROUTES, type Route } from "./routes.ts";

/** The document of this build; `version` is the program's. */
export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Hansa", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: { schemas: { Error: schema(errorSchema, "output") } },
  };
}

function operation(route: Route): object {
  const codes: readonly ErrorCode[] = [...route.errors, "API_ROLE_MISSING", "INTERNAL"];
  const statuses = Map.groupBy(codes, (code) => ERRORS[code].status);
  const failures = [...statuses].map(([status, group]) => [
    status,
    { description: group.join(", "), content: json({ $ref: "#/components/schemas/Error" }) },
  ]);
  return {
    operationId: route.operation,
    summary: route.summary,
    "x-hansa-role": route.role,
    ...(route.request === undefined
      ? {}
      : { requestBody: { required: true, content: json(schema(route.request, "input")) } }),
    responses: {
      200: {
        description: route.stream === undefined ? "done" : "events, one answer in each",
        content: content(schema(route.response, "output"), route.stream !== undefined),
      },
      ...Object.fromEntries(failures),
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
