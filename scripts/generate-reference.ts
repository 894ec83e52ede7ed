/**
 * Writes docs/reference from the sources: errors.md from the table of codes, cli.md from the commands, api.md and openapi.json from the routes.
 *
 * With --check it writes nothing and fails when a file differs from what it would write.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { exampleStatus } from "../src/api/example-answers.ts";
import { openApiDocument } from "../src/api/open-api.ts";
import { ROUTES } from "../src/api/routes.ts";
import { statusSchema } from "../src/api/status-schema.ts";
import { VERSION } from "../src/api/version.ts";
import type { OptionSpec } from "../src/cli/command.ts";
import { allCommands } from "../src/cli/command-table.ts";
import { GLOBAL_OPTIONS } from "../src/cli/parse-words.ts";
import { isShown, optionText, usageLine } from "../src/cli/usage-text.ts";
import { CHECKS } from "../src/doctor/examine.ts";
import { FINDINGS, SEVERITIES } from "../src/doctor/finding-table.ts";
import { ERRORS } from "../src/errors.ts";
import { ROOT } from "./steps.ts";

const HEAD = "<!-- Made by scripts/generate-reference.ts: change the sources, not this file. -->\n";

function errorsPage(): string {
  const sections = Object.entries(ERRORS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, entry]) => `## ${code}

**${capital(entry.title)}.** ${capital(entry.cause)}.

What to do: ${entry.hint}.

Exit status ${entry.exit}, HTTP status ${entry.status}.
`,
    );
  return `# Errors

Every failure has one of these codes. The command line prints the sentence and what to do; \`--debug\` adds the code. The API
answers \`{"error": {"code", "message", "hint"}}\`. Codes never change meaning.

Exit statuses: 0 done, 1 refused, failed or wrong usage, 2 not quorate, 3 not found, 125 broken off in the middle. \`hansa exec\` returns the command's own.

${sections.join("\n")}`;
}

async function cliPage(): Promise<string> {
  const commands = (await allCommands()).map((command) => {
    const options = command.options.filter(isShown);
    const examples = command.examples.map((line) => `hansa ${line}`);
    return [
      `## hansa ${command.name}`,
      `    ${usageLine(command)}`,
      `${capital(command.summary)}.`,
      ...(command.details === undefined ? [] : [command.details]),
      ...(options.length === 0 ? [] : [optionTable(options)]),
      ...(examples.length === 0
        ? []
        : ["Examples:", examples.map((line) => `    ${line}`).join("\n")]),
    ].join("\n\n");
  });
  return `# Command line

Data goes to standard output, everything else to standard error. Commands that read take \`-o table|json|yaml\`. A failure is
one sentence, a hint and the line \`[action aborted]\`; the exit status is 0 when all was done, and otherwise that of the
error's code in [errors.md](errors.md). Through a symlink named \`overnode\` the program prints under that name.

These options may stand anywhere, before or after the command:

${optionTable(GLOBAL_OPTIONS)}

| environment variable | |
|---|---|
| \`HANSA_CONTEXT\` | the context whose cluster is asked, as with \`--context\` |
| \`HANSA_SOCKET\` | the socket of the daemon to talk to, default \`/run/hansa/hansa.sock\` |
| \`NO_COLOR\` | when set, no colours |
| \`DOCKER_HOST\` | Docker's socket, for \`launch\` and \`resume\` |

${commands.join("\n\n")}
`;
}

function doctorPage(): string {
  const own = Object.entries(FINDINGS)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, { title, severity, about, mend }]) => `## ${code}

**${capital(title)}** (${severity}). ${capital(about)}.

To mend it: ${mend}.
`,
    );
  const errors = Object.keys(SEVERITIES)
    .sort()
    .map((code) => `[${code}](errors.md#${code.toLowerCase()})`);
  return `# What the doctor finds

\`hansa doctor\` prints for each finding its code, what was measured, and how to mend it; often more exactly than this page, which
knows no names and numbers. Codes never change meaning. How to use it: [the guide](../guides/doctor.md).

What also refuses a launch or stands in \`hansa status\` has the same code here as there: see [errors.md](errors.md). Of these the doctor
calls errors: ${errors.join(", ")}; any other is a warning.

It makes these checks, in this order: ${CHECKS.map(({ name }) => name).join("; ")}.

${own.join("\n")}`;
}

function optionTable(options: readonly OptionSpec[]): string {
  const rows = options.map((option) => `| \`${optionText(option)}\` | ${option.summary} |`);
  return ["| option | |", "|---|---|", ...rows].join("\n");
}

async function apiPage(): Promise<string> {
  const routes = ROUTES.map((route) => {
    const codes = route.errors.map((code) => `[${code}](errors.md#${code.toLowerCase()})`);
    const cells = [
      `\`${route.method.toUpperCase()} ${route.path}\``,
      route.summary,
      codes.join(", "),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const bodies = await Promise.all(
    ROUTES.flatMap(({ method, path, request }) => (request ? [{ method, path, request }] : [])).map(
      async ({ method, path, request }) =>
        `\`${method.toUpperCase()} ${path}\`:\n\n${fieldTable(await request())}`,
    ),
  );
  const status = exampleStatus();
  const example = { ...status, node: { ...status.node, version: "1.2.3" } };
  return `# API

REST under \`/v1\` on the unix socket \`/run/hansa/hansa.sock\`, for root and members of the group \`hansa\` (who thereby are as
good as root), and on 1443/tcp for machines with a certificate of the cluster ([how](../internals/api.md)). Requests and answers are JSON; a request is at most 1 MiB. Within \`/v1\` fields are added, never
removed; what is not known is null. The same as OpenAPI 3.1: [openapi.json](openapi.json), which the daemon serves too.

    curl --unix-socket /run/hansa/hansa.sock http://localhost/v1/status

Beside \`/v1\` there are \`GET /healthz\` (what the node warns of, as codes; it answers while the daemon runs) and \`GET /metrics\` (Prometheus's text format).

| route | | errors |
|---|---|---|
${routes.join("\n")}
| \`GET /v1/openapi.json\` | This API as OpenAPI document | |

A failure has the HTTP status of its code and the body \`{"error": {"code", "message", "hint"}}\`; see [errors.md](errors.md).

## Requests

${bodies.join("\n\n")}

## Status

${fieldTable(statusSchema)}

An example:

\`\`\`json
${JSON.stringify(example, undefined, 2)}
\`\`\`
`;
}

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

function fieldTable(schema: z.ZodType): string {
  const rows = fieldRows(
    z.toJSONSchema(schema, { io: "input", reused: "inline" }) as JsonSchema,
    "",
  );
  return ["| field | type | |", "|---|---|---|", ...rows].join("\n");
}

function fieldRows(schema: JsonSchema, path: string): string[] {
  const inner = schema.anyOf?.find(({ type }) => type !== "null") ?? schema;
  const isNullable = inner !== schema;
  const text = schema.description ?? inner.description ?? "";
  const row = `| \`${path}\` | ${kindOf(inner)}${isNullable ? " or null" : ""} | ${text} |`;
  const own = path === "" ? [] : [row];
  if (inner.type === "array" && inner.items?.properties) {
    return [...own, ...fieldRows(inner.items, `${path}[]`).slice(1)];
  }
  const fields = Object.entries(inner.properties ?? {});
  const nested = fields.flatMap(([name, field]) =>
    fieldRows(field, path === "" ? name : `${path}.${name}`),
  );
  return [...own, ...nested];
}

function kindOf({ type, enum: values, items }: JsonSchema): string {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(", ");
  if (type === "array" && items?.type === "string") return "array of string";
  return [type ?? ""].flat().join(" or ");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const PAGES: Readonly<Record<string, string>> = {
  "errors.md": HEAD + errorsPage(),
  "cli.md": HEAD + (await cliPage()),
  "doctor.md": HEAD + doctorPage(),
  "api.md": HEAD + (await apiPage()),
  "openapi.json": `${JSON.stringify(await openApiDocument(VERSION.version), undefined, 2)}\n`,
};

const isCheck = process.argv.includes("--check");
const stale: string[] = [];
for (const [name, text] of Object.entries(PAGES)) {
  const path = join(ROOT, "docs/reference", name);
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  stale.push(`docs/reference/${name}`);
  if (!isCheck) writeFileSync(path, text);
}
if (isCheck && stale.length > 0) {
  process.stderr.write(`stale: ${stale.join(", ")}; run node scripts/generate-reference.ts\n`);
  process.exitCode = 1;
} else if (stale.length > 0) {
  process.stderr.write(`written: ${stale.join(", ")}\n`);
}
