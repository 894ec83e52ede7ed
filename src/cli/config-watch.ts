/** `hansa config watch|history`: changes of entries as they come, and those that the store still keeps. */
import type { ConfigEvent, ConfigHistory } from "../api/store-schemas.ts";
import { HansaError } from "../errors.ts";
import type { Context, Words } from "./command.ts";
import { bytesOf } from "./config-entries.ts";
import { alignColumns } from "./output/align-columns.ts";
import { documentText, formatOf } from "./output/document-format.ts";

/** As much of a value as stands on a line. */
const SHOWN = 60;

type Change = ConfigEvent["changes"][number];

/** Until Ctrl-C: a line for each change. */
export async function watchConfig(words: Words, prefix: string, context: Context): Promise<number> {
  const format = formatOf(words);
  const paused = (): void => context.note("the daemon does not answer: waiting for it");
  const resumed = (): void => context.note("the daemon answers again");
  const signal = context.interrupted();
  for await (const event of context.client.watchConfig(prefix, signal, { paused, resumed })) {
    if (event.missed) {
      context.note(`changes before revision ${event.revision} cannot be told: read all anew`);
    }
    if (event.waitsFor !== null) context.note(`waiting: ${event.waitsFor}`);
    for (const change of event.changes) {
      if (format === "table") context.out(`${lineOf(change)}\n`);
      else if (format === "json") context.out(`${JSON.stringify(change)}\n`);
      else context.out(`---\n${await documentText(change, format)}`);
    }
  }
  return 0;
}

export async function history(words: Words, key: string, context: Context): Promise<number> {
  const format = formatOf(words);
  const found = await context.client.configHistory(key);
  if (found.changes.length === 0) {
    throw new HansaError("CONFIG_NOT_FOUND", `nothing is known of an entry ${key}`);
  }
  if (format !== "table") {
    context.out(await documentText(found, format));
    return 0;
  }
  const rows = found.changes.map((change) => [
    change.revision,
    timeOf(change),
    change.type === "put" ? "written" : "removed",
    change.type === "put" ? shown(change) : "",
  ]);
  context.out(`${alignColumns([["REVISION", "SEEN HERE", "CHANGE", "VALUE"], ...rows])}\n`);
  if (!found.whole) context.note("what was before is forgotten");
  return 0;
}

function timeOf({ seenAtMs }: ConfigHistory["changes"][number]): string {
  return seenAtMs === null ? "-" : new Date(seenAtMs).toISOString().replace(/\.\d+Z$/, "Z");
}

function lineOf(change: Change): string {
  const { revision, key } = change;
  return change.type === "put"
    ? `${revision} put ${key} ${shown(change)}`
    : `${revision} rm ${key}`;
}

/** The first line of a text, or how long it is. */
function shown(change: Extract<Change, { type: "put" }>): string {
  if (change.encoding === "base64") return `(${bytesOf(change).length} bytes)`;
  const [line = "", ...more] = change.value.split("\n");
  // What a terminal would take as orders is not sent to it.
  const clean = line.replaceAll(/\p{Cc}/gu, "?");
  const isCut = clean.length > SHOWN || more.some((each) => each !== "");
  return isCut ? `${clean.slice(0, SHOWN)}…` : clean;
}
