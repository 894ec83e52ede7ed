/** `hansa context` and `hansa agent`: certificates with which other machines reach the cluster, made, carried over and chosen. */
import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { type ClusterContext, isContextName, isPlace } from "../../contexts/context.ts";
import { ContextStore } from "../../contexts/context-store.ts";
import { HansaError, isErrno } from "../../errors.ts";
import { askSecret } from "../ask-secret.ts";
import { askYes } from "../ask-yes.ts";
import type { Command, Context, OptionSpec, Words } from "../command.ts";
import { alignColumns } from "../output/align-columns.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { listIssued, revoke } from "./context-certificates.ts";

/** A blob's length is bounded where it is opened. */
const MAX_STDIN = 262_144;
const ROLES = ["viewer", "operator", "admin"] as const;

const IMPORT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "name",
    value: "NAME",
    summary: "import: what it is called here, default the node's host",
  },
  { name: "yes", short: "y", summary: "import: replace a context of that name" },
];
const EXPORT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "api",
    value: "HOST:PORT",
    summary: "export: the place to connect to, default the nodes in reach",
  },
  {
    name: "role",
    value: "ROLE",
    summary: "export: viewer, operator or admin (default)",
    completes: ROLES,
  },
  { name: "expires", value: "DAYS", summary: "export: how long it is good, default 365" },
  { name: "for", value: "WHO", summary: "export: the holder, as the audit log names it" },
];

type Action = (words: Words, context: Context, operands: readonly string[]) => Promise<number>;

export const contextCommand: Command = {
  name: "context",
  summary: "reach the cluster from another machine",
  details: `Without a word it prints the context in use. export asks the cluster for a certificate and prints two words, a blob and its key: who has
both has the role. import takes them on another machine (the key from standard input when it is left out), tries them, and
takes them into use. A context is used where no node runs, and where --context or HANSA_CONTEXT names one. It holds no key of the cluster.
issued lists who holds certificates of the cluster. revoke calls back one by its serial number, or all that a holder has until now, on every
node and for good; what they have open ends at once. Nodes themselves are not revoked but taken over or reset.`,
  operands: {
    name: "export|import BLOB [KEY]|list|switch NAME|rm NAME|issued|revoke WHO|revoke SERIAL",
    min: 0,
    max: 3,
    completes: ["export", "import", "list", "switch", "rm", "issued", "revoke"],
  },
  options: [...EXPORT_OPTIONS, ...IMPORT_OPTIONS, OUTPUT_OPTION],
  examples: [
    "context export --role viewer --expires 30",
    "context import BLOB KEY --name office",
    "context list",
    "context switch office",
    "context issued",
    "context revoke ada@laptop",
  ],
  run: (words, context) => act(words, context, ACTIONS, showActive),
};

export const agent: Command = {
  name: "agent",
  summary: "export this node's context, or import one, as simplecontainer has it",
  details: "The same as hansa context export and hansa context import. --node names this node.",
  operands: { name: "export|import BLOB [KEY]", min: 1, max: 3, completes: ["export", "import"] },
  options: [
    { name: "node", value: "NAME", summary: "export: the name of this node" },
    ...EXPORT_OPTIONS,
    ...IMPORT_OPTIONS,
  ],
  examples: ["agent export --node host1", "agent import BLOB KEY"],
  async run(words, context) {
    const node = words.values.get("node");
    if (node !== undefined) {
      const { name } = (await context.client.status()).node;
      if (name !== node) {
        throw new HansaError("NODE_NOT_FOUND", `this node is ${name}, not ${node}`);
      }
    }
    return act(words, context, { export: exportContext, import: importContext });
  },
};

const ACTIONS: Readonly<Record<string, Action>> = {
  export: exportContext,
  import: importContext,
  list,
  switch: switchTo,
  rm: remove,
  issued: listIssued,
  revoke,
};

async function act(
  words: Words,
  context: Context,
  actions: Readonly<Record<string, Action>>,
  otherwise?: Action,
): Promise<number> {
  const [what, ...operands] = words.operands;
  if (what === undefined && otherwise) return otherwise(words, context, []);
  const action = what !== undefined && Object.hasOwn(actions, what) ? actions[what] : undefined;
  if (action === undefined) bad(`expected argument(s): ${Object.keys(actions).join(", ")}`);
  return action(words, context, operands);
}

async function showActive(_words: Words, context: Context): Promise<number> {
  const name = new ContextStore().active();
  if (name === undefined) {
    throw new HansaError(
      "CONTEXT_NOT_FOUND",
      "no active context found - try using hansa context switch",
    );
  }
  context.out(`${name}\n`);
  return 0;
}

async function list(words: Words, context: Context): Promise<number> {
  const store = new ContextStore();
  const active = store.active();
  const rows = store.list().map((name) => ({
    name,
    active: name === active,
    api: store.read(name).api,
  }));
  const format = formatOf(words);
  if (format !== "table") context.out(await documentText(rows, format));
  else if (rows.length > 0) {
    const lines = rows.map(({ name, active: isIt, api }) => [isIt ? "*" : "", name, api.join(" ")]);
    context.out(`${alignColumns([["", "NAME", "API"], ...lines])}\n`);
  }
  return 0;
}

async function switchTo(
  _words: Words,
  context: Context,
  operands: readonly string[],
): Promise<number> {
  const name = only(operands);
  await new ContextStore().activate(name);
  context.out(`active context is ${name}\n`);
  return 0;
}

async function remove(
  _words: Words,
  context: Context,
  operands: readonly string[],
): Promise<number> {
  const name = only(operands);
  await new ContextStore().remove(name);
  context.out(`context '${name}' removed\n`);
  return 0;
}

async function exportContext(words: Words, context: Context): Promise<number> {
  const { values } = words;
  const place = values.get("api");
  if (place !== undefined && !isPlace(place))
    bad(`invalid argument: api, required: HOST:PORT, received: ${place}`);
  const wanted = values.get("role") ?? "admin";
  const role = ROLES.find((each) => each === wanted);
  if (role === undefined)
    bad(`invalid argument: role, required: ${ROLES.join(", ")}, received: ${wanted}`);
  const daysText = values.get("expires") ?? "365";
  const days = Number(daysText);
  if (!Number.isInteger(days) || days < 1 || days > 3_650) {
    bad(`invalid argument: expires, required: days [1-3650], received: ${daysText}`);
  }
  const name = values.get("for") ?? holder();
  const { api, ...certificate } = await context.client.issueCertificate({ name, role, days });
  const made: ClusterContext = {
    version: 1,
    api: place === undefined ? api : [place],
    ...{ ca: certificate.ca, certificate: certificate.certificate },
    privateKey: certificate.privateKey,
  };
  const { KEY_BYTES, NONCE_BYTES, sealContext } = await import("../../contexts/sealed-context.ts");
  const { blob, key } = sealContext(made, randomBytes(KEY_BYTES), randomBytes(NONCE_BYTES));
  context.out(`${blob} ${key}\n`);
  return 0;
}

async function importContext(
  words: Words,
  context: Context,
  [blob, key, ...rest]: readonly string[],
): Promise<number> {
  if (blob === undefined || rest.length > 0) bad("expected argument(s): BLOB [KEY]");
  const given = key ?? (await keyFor(context));
  const { openContext } = await import("../../contexts/sealed-context.ts");
  const opened = openContext(blob, given);
  const name = words.values.get("name") ?? hostOf(opened.api[0] ?? "");
  if (!isContextName(name))
    bad(`invalid argument: name, required: letters, digits, dots and hyphens, received: ${name}`);
  const store = new ContextStore();
  if (store.has(name) && !words.flags.has("yes")) {
    const answer = await askYes(`replace the context '${name}'?`);
    if (answer !== true) {
      throw new HansaError("CONTEXT_EXISTS", `there is a context '${name}' already`);
    }
  }
  const { apiClient } = await import("../../client/node-client.ts");
  const { contextDoor } = await import("../../client/context-door.ts");
  await apiClient(contextDoor(name, opened)).version();
  await store.save(name, opened);
  context.out(`context '${name}' successfully imported and set as active\n`);
  return 0;
}

/** Typed where there is a terminal, else from standard input. Throws USAGE. */
async function keyFor(context: Context): Promise<string> {
  const isTyped = context.console.isTerminal("stdin");
  const text = isTyped
    ? await askSecret("Key of the context, the second word of its export: ", context)
    : await context.readStdin(MAX_STDIN);
  const key = text?.trim();
  if (key) return key;
  throw new HansaError("USAGE", `there is no key${isTyped ? "" : " in standard input"}`, {
    hint: "it is the second word that hansa context export printed",
  });
}

/** user@machine, as far as a certificate may hold it. */
function holder(): string {
  const text = `${userName()}@${hostname()}`.replace(/[^A-Za-z0-9._@-]/g, "-").slice(0, 63);
  return /^[A-Za-z0-9]/.test(text) ? text : "somebody";
}

function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // A number without an account, as in a container.
    if (!isErrno(error, "ERR_SYSTEM_ERROR")) throw error;
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}

function hostOf(place: string): string {
  return place.slice(0, place.lastIndexOf(":")).replace(/[[\]]/g, "").replaceAll(":", "-");
}

function only([name, ...rest]: readonly string[]): string {
  if (name === undefined || rest.length > 0) bad("expected argument(s): NAME");
  return name;
}

function bad(sentence: string): never {
  throw new HansaError("USAGE", sentence, { hint: "see hansa context --help" });
}
