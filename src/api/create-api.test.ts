import assert from "node:assert/strict";
import { test } from "node:test";
import { HansaError } from "../errors.ts";
import { askApplication } from "./ask-application.ts";
import { createApi } from "./create-api.ts";
import { FakeNode } from "./fake-node.ts";
import { inspectionSchema } from "./inspection-schema.ts";
import { openApiDocument } from "./open-api.ts";
import { errorSchema } from "./request-schemas.ts";
import { ROUTES } from "./routes.ts";
import { statusSchema } from "./status-schema.ts";

function send(method: string, body: unknown): RequestInit {
  return {
    method,
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  return errorSchema.strict().parse(await response.json()).error;
}

test("status and inspection are served as their schemas say, with no other field", async () => {
  const app = createApi(new FakeNode());
  statusSchema.strict().parse(await (await askApplication(app, "/v1/status")).json());
  const inspection = inspectionSchema
    .strict()
    .parse(await (await askApplication(app, "/v1/inspect")).json());
  assert.equal(inspection.IPAM.Range, "[10.40.0.0-10.48.0.0)");
  assert.equal(inspection.IPAM.ActiveIPs, 2);
  assert.deepEqual(
    inspection.IPAM.Entries.map(({ Token, Size, IsKnownPeer }) => [Token, Size, IsKnownPeer]),
    [
      ["10.40.0.0", 131072, true],
      ["10.42.0.0", 131072, true],
      ["10.44.0.0", 131072, false],
      ["10.46.0.0", 131072, false],
    ],
  );
});

test("targets are added, replaced and forgotten", async () => {
  const node = new FakeNode();
  const app = createApi(node);
  const added = await askApplication(
    app,
    "/v1/targets",
    send("POST", { targets: ["host3", "host1"] }),
  );
  assert.deepEqual(await added.json(), { targets: ["host1", "host2", "host3", "host9"] });
  const gone = await askApplication(
    app,
    "/v1/targets",
    send("DELETE", { targets: ["host9", "never"] }),
  );
  assert.deepEqual(await gone.json(), { targets: ["host1", "host2", "host3"] });
  const only = await askApplication(
    app,
    "/v1/targets",
    send("POST", { targets: ["a"], replace: true }),
  );
  assert.deepEqual(await only.json(), { targets: ["a"] });
  const none = await askApplication(
    app,
    "/v1/targets",
    send("POST", { targets: [], replace: true }),
  );
  assert.deepEqual(await none.json(), { targets: [] });
});

for (const [title, body, sentence] of [
  ["no JSON", "{", "the request's body is not JSON"],
  ["an empty body", "", "the request's body is not JSON"],
  ["a bad host", { targets: ["host1", "ho st"] }, 'bad host syntax: "ho st"'],
  ["an unknown field", { targets: ["a"], replce: true }, /unrecognized key: "replce"/],
  ["no targets", { targets: [] }, "targets must not be empty unless replace is true"],
  ["a wrong type", { targets: "a" }, /malformed at targets: invalid input: expected array/],
  ["a prototype", '{"__proto__": {"targets": ["a"]}}', /malformed at targets/],
] as const) {
  test(`${title} in a request is one sentence with status 400, and changes nothing`, async () => {
    const node = new FakeNode();
    const before = node.current;
    const response = await askApplication(createApi(node), "/v1/targets", send("POST", body));
    assert.equal(response.status, 400);
    const { code, message } = await errorOf(response);
    assert.equal(code, "USAGE");
    if (typeof sentence === "string") assert.equal(message, sentence);
    else assert.match(message, sentence);
    assert.equal(node.current, before);
  });
}

test("a body over 1 MiB is refused before it is parsed", async () => {
  const response = await askApplication(
    createApi(new FakeNode()),
    "/v1/targets",
    send("POST", { targets: ["x".repeat(1024 * 1024)] }),
  );
  assert.equal(response.status, 413);
  assert.equal((await errorOf(response)).code, "REQUEST_TOO_LARGE");
});

test("an unknown route and a wrong method answer 404 as JSON", async () => {
  const app = createApi(new FakeNode());
  for (const [path, method] of [
    ["/v1/nothing", "GET"],
    ["/v1/status", "PUT"],
    ["/", "GET"],
  ] as const) {
    const response = await askApplication(app, path, { method });
    assert.equal(response.status, 404);
    assert.deepEqual(await errorOf(response), {
      code: "API_ROUTE_UNKNOWN",
      message: `no route ${method} ${path}`,
      hint: "GET /v1/openapi.json lists all routes",
    });
  }
});

test("a HansaError keeps its code; any other failure is INTERNAL without its stack, and is reported", async () => {
  const node = new FakeNode();
  const defects: unknown[] = [];
  const app = createApi(node, { onDefect: (error, request) => defects.push([request, error]) });
  node.failure = new HansaError("IPAM_NOT_READY", "node 5 has no addresses yet");
  const expected = await askApplication(app, "/v1/prime");
  assert.equal(expected.status, 503);
  assert.equal((await errorOf(expected)).code, "IPAM_NOT_READY");
  assert.deepEqual(defects, []);
  node.failure = new TypeError("boom");
  const defect = await askApplication(app, "/v1/prime");
  assert.equal(defect.status, 500);
  const text = await defect.text();
  assert.match(text, /"unexpected failure: boom"/);
  assert.doesNotMatch(text, /\.ts/);
  assert.deepEqual(defects, [["GET /v1/prime", node.failure]]);
});

test("prime waits until the node is ready", async () => {
  const node = new FakeNode();
  node.setReady(false);
  const answer = askApplication(createApi(node), "/v1/prime");
  setImmediate(() => node.setReady(true));
  assert.deepEqual(await (await answer).json(), { id: 1 });
});

test("the OpenAPI document names every route and describes every field of the status", async () => {
  const served = await (await askApplication(createApi(new FakeNode()), "/v1/openapi.json")).json();
  assert.deepEqual(
    served,
    JSON.parse(JSON.stringify(await openApiDocument(new FakeNode().version().version))),
  );
  const document = served as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; responses: object }>>;
  };
  assert.equal(document.openapi, "3.1.0");
  for (const route of ROUTES) {
    assert.equal(document.paths[route.path]?.[route.method]?.operationId, route.operation);
  }
  const text = JSON.stringify(document.paths["/v1/status"]);
  for (const field of ["engineId", "retryAt", "rttMs", "percent", "reachable"]) {
    assert.ok(text.includes(`"${field}"`), field);
  }
});
