/** `hansa config`: reads and writes the cluster's configuration, which a majority of the store's votes keeps. */
import { HansaError } from "../../errors.ts";
import type { Command, Context, Words } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { usage } from "../parse-words.ts";

const MAX_VALUE_BYTES = 1024 * 1024;

export const config: Command = {
  name: "config",
  summary: "read and write the cluster's configuration",
  details: `get KEY prints an entry, ls [PREFIX] the keys that begin so, put KEY [VALUE] writes one (without VALUE from standard input), rm KEY
removes one. What put and rm report as done, a majority of the votes has on disk. --revision writes only in place of that revision, 0 where there was none.`,
  operands: {
    name: "get KEY | ls [PREFIX] | put KEY [VALUE] | rm KEY",
    min: 1,
    max: 3,
    completes: ["get", "ls", "put", "rm"],
  },
  options: [
    { name: "revision", value: "N", summary: "of put: only in place of this revision" },
    OUTPUT_OPTION,
  ],
  asksNode: true,
  examples: ["config put motd hello", "config get motd", "config ls services/"],
  async run(words, context) {
    const [verb, ...rest] = words.operands;
    if (verb === "get") return get(words, rest, context);
    if (verb === "ls") return list(words, rest, context);
    if (verb === "put") return put(words, rest, context);
    if (verb === "rm") return remove(rest, context);
    throw usage(config, "expected get, ls, put or rm");
  },
};

async function get(
  words: Words,
  [key, more]: readonly string[],
  context: Context,
): Promise<number> {
  if (key === undefined || more !== undefined) throw usage(config, "get takes one KEY");
  const format = formatOf(words);
  const { entry } = await context.client.configGet(key);
  if (entry === null) throw new HansaError("CONFIG_NOT_FOUND", `there is no entry ${key}`);
  if (format !== "table") context.out(await documentText(entry, format));
  else context.out(entry.value.endsWith("\n") ? entry.value : `${entry.value}\n`);
  return 0;
}

async function list(
  words: Words,
  [prefix = "", more]: readonly string[],
  context: Context,
): Promise<number> {
  if (more !== undefined) throw usage(config, "ls takes one PREFIX at most");
  const format = formatOf(words);
  const { entries } = await context.client.configList(prefix);
  if (format !== "table") context.out(await documentText({ entries }, format));
  else for (const { key } of entries) context.out(`${key}\n`);
  return 0;
}

async function put(
  words: Words,
  [key, given]: readonly string[],
  context: Context,
): Promise<number> {
  if (key === undefined) throw usage(config, "put takes KEY and VALUE");
  const value = given ?? (await context.readStdin(MAX_VALUE_BYTES));
  const revision = words.values.get("revision");
  if (revision !== undefined && !/^\d{1,19}$/.test(revision)) {
    throw usage(config, "--revision takes a whole number");
  }
  const { written, revision: at } = await context.client.configPut({
    ...{ key, value },
    ...(revision !== undefined && { revision }),
  });
  if (!written) {
    const text = `${key} is not at revision ${revision} any more: nothing was written`;
    throw new HansaError("CONFIG_CHANGED", text);
  }
  context.note(`Revision ${at}`);
  return 0;
}

async function remove([key, more]: readonly string[], context: Context): Promise<number> {
  if (key === undefined || more !== undefined) throw usage(config, "rm takes one KEY");
  const { revision } = await context.client.configRemove(key);
  context.note(`Revision ${revision}`);
  return 0;
}
