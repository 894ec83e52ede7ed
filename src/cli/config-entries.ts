/** `hansa config get|ls|put|rm`: entries of the configuration one by one, as bytes. */
import { open } from "node:fs/promises";
import type { ConfigEntry, ConfigPut } from "../api/store-schemas.ts";
import { HansaError, isErrno } from "../errors.ts";
import { shortAge } from "../values/short-age.ts";
import type { Context, Words } from "./command.ts";
import { documentText, formatOf } from "./output/document-format.ts";

/** The most that one entry holds. */
export const MAX_VALUE_BYTES = 1024 * 1024;

export type KnownEntry = NonNullable<ConfigEntry["entry"]>;

export async function get(words: Words, key: string, context: Context): Promise<number> {
  const format = formatOf(words);
  const { entry, ...freshness } = await context.client.configGet(key, isConsistent(words));
  sayAge(freshness, context);
  if (entry === null) throw new HansaError("CONFIG_NOT_FOUND", `there is no entry ${key}`);
  const { reason: _, ...age } = freshness;
  if (format !== "table") context.out(await documentText({ ...entry, ...age }, format));
  else await printBytes(bytesOf(entry), context);
  return 0;
}

export async function list(words: Words, prefix: string, context: Context): Promise<number> {
  const format = formatOf(words);
  const { entries, ...freshness } = await context.client.configList(prefix, isConsistent(words));
  sayAge(freshness, context);
  const { reason: _, ...age } = freshness;
  if (format !== "table") context.out(await documentText({ entries, ...age }, format));
  else for (const { key } of entries) context.out(`${key}\n`);
  return 0;
}

/** `given`: the value as a word; else from the file of --file, or from standard input. */
export async function put(
  words: Words,
  key: string,
  given: string | undefined,
  context: Context,
): Promise<number> {
  const file = words.values.get("file");
  const isFromInput =
    file === "-" || (file === undefined && (given === undefined || given === "-"));
  const bytes = isFromInput
    ? await readInput(key, context)
    : file === undefined
      ? Buffer.from(given ?? "")
      : await readFileOf(key, file);
  requireSize(key, bytes.length);
  const revision = words.values.get("revision");
  const { written, revision: at } = await context.client.configPut({
    ...{ key, ...encoded(bytes) },
    ...(revision !== undefined && { revision }),
  });
  if (!written) {
    const now = revision === "0" ? "is there already" : `is not at revision ${revision} any more`;
    const text = `${key} ${now}: nothing was written`;
    throw new HansaError("CONFIG_CHANGED", text);
  }
  context.note(`Revision ${at}`);
  return 0;
}

export async function remove(key: string, context: Context): Promise<number> {
  const { revision } = await context.client.configRemove(key);
  context.note(`Revision ${revision}`);
  return 0;
}

export function bytesOf({ value, encoding }: Pick<KnownEntry, "value" | "encoding">): Buffer {
  return Buffer.from(value, encoding);
}

/** Text as text; what is not UTF-8, or would grow much as JSON, in base64. */
export function encoded(bytes: Buffer): Pick<ConfigPut, "value" | "encoding"> {
  const text = bytes.toString("utf8");
  const isText = bytes.length <= MAX_VALUE_BYTES / 8 && Buffer.from(text).equals(bytes);
  return isText
    ? { value: text, encoding: "utf8" }
    : { value: bytes.toString("base64"), encoding: "base64" };
}

/** Says on stderr how old it is, where it was read from a node's copy. */
export function sayAge(
  { stale, ageMs, reason }: Pick<ConfigEntry, "stale" | "ageMs" | "reason">,
  context: Context,
): void {
  if (!stale) return;
  context.note(`as of ${shortAge((ageMs ?? 0) / 1000)} ago: ${reason ?? "no majority answers"}`);
}

function isConsistent(words: Words): boolean {
  return words.flags.has("consistent");
}

async function printBytes(bytes: Buffer, context: Context): Promise<void> {
  await context.console.write("stdout", bytes);
  const isWhole = bytes.length === 0 || bytes.at(-1) === 0x0a;
  // A prompt should not follow the value on its line; a pipe gets the value and nothing else.
  if (!isWhole && context.console.isTerminal("stdout")) context.out("\n");
}

async function readInput(key: string, context: Context): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of context.console.input()) {
    size += chunk.length;
    requireSize(key, size);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readFileOf(key: string, path: string): Promise<Buffer> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      requireSize(key, size);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof HansaError) throw error;
    const why = isErrno(error, "ENOENT") ? "it is not there" : `${error}`;
    const text = `the file ${path} cannot be read: ${why}`;
    throw new HansaError("USAGE", text, { hint: "name another one", cause: error });
  }
}

function requireSize(key: string, size: number): void {
  if (size <= MAX_VALUE_BYTES) return;
  const text = `${key} would have more than ${MAX_VALUE_BYTES} bytes, which is the most that an entry holds`;
  throw new HansaError("USAGE", text);
}
