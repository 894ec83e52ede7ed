/** The OpenAPI document as others take it: valid, complete, and good for a client that is made of it by a generator of others. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import SwaggerParser from "@apidevtools/swagger-parser";
import { createApi } from "../../src/api/create-api.ts";
import { FakeNode } from "../../src/api/fake-node.ts";
import { openApiDocument } from "../../src/api/open-api.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { serveTls, type TlsListener } from "../../src/api/serve-tls.ts";
import { ERRORS } from "../../src/errors.ts";
import { createAuthority, type Leaf } from "../../src/identity/authority.ts";
import { freePort } from "../free-port.ts";
import { generateClient } from "./generate-client.ts";

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

const node = new FakeNode();
const app = createApi(node);
const document = JSON.parse(JSON.stringify(await openApiDocument(node.version().version)));
let listener: TlsListener;
let leaf: Leaf;
let client: Leaf;
let port: number;

before(async () => {
  const root = createHash("sha256").update("a root").digest();
  const authority = await createAuthority(root, "test");
  leaf = await authority.mint({
    ...{ names: ["localhost"], name: "host1", addresses: [], role: "node" },
  });
  client = await authority.mint({ names: [], name: "ada", addresses: [], role: "admin" });
  port = await freePort();
  listener = await serveTls(app, {
    port,
    secureContext: async () => ({ key: leaf.privateKey, cert: leaf.certificate, ca: leaf.ca }),
    refused: () => undefined,
  });
});
after(() => listener.close());

test("the document is valid OpenAPI 3.1, to a validator of others", async () => {
  assert.equal(document.openapi, "3.1.0");
  await SwaggerParser.validate(structuredClone(document));
  const broken = structuredClone(document);
  broken.paths["/v1/status"].get.responses = 7;
  await assert.rejects(SwaggerParser.validate(broken));
});

test("every route is in it, with every code that it answers with, and every code with its status", () => {
  for (const route of ROUTES) {
    const operation: Operation = document.paths[route.path][route.method];
    assert.equal(operation.operationId, route.operation);
    const usual = ["API_CERTIFICATE_REFUSED", "API_RATE_LIMITED", "API_ROLE_MISSING", "INTERNAL"];
    for (const code of [...route.errors, ...usual] as (keyof typeof ERRORS)[]) {
      const { description } = operation.responses[ERRORS[code].status] ?? { description: "" };
      assert.ok(description.split(", ").includes(code), `${route.operation} ${code}`);
    }
  }
  const served = app.routes.map(({ path }) => path);
  assert.deepEqual([...new Set(served)].sort(), Object.keys(document.paths).sort());
  assert.deepEqual(
    Object.entries(document["x-hansa-errors"]),
    Object.entries(ERRORS).map(([code, { title, status }]) => [code, { title, status }]),
  );
});

test("a client that a public generator makes of it passes the compiler, and is answered over mutual TLS", async () => {
  await using made = await generateClient(document);
  const file = join(dirname(made.program), "certificate.json");
  await writeFile(file, JSON.stringify(client), { mode: 0o600 });
  const program = spawn(process.execPath, [made.program, `https://localhost:${port}`, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  program.stdout.on("data", (chunk) => chunks.push(chunk));
  const [status] = await once(program, "close");
  assert.equal(status, 0);
  const facts = JSON.parse(Buffer.concat(chunks).toString());
  assert.deepEqual(facts, {
    ...{ node: "host1", peers: ["host1", "host2", "a-longer-name"], code: "USAGE", role: "viewer" },
    ...{ issued: 1, version: node.version().version, health: "ok" },
  });
});
