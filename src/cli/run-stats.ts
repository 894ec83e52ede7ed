/** Shows what containers use, all in one table that is as new as the last second. */
import { setTimeout as sleep } from "node:timers/promises";
import { type NamedUsage, watchUsage } from "../client/container-answers.ts";
import { HansaError } from "../errors.ts";
import type { Context } from "./command.ts";
import { alignColumns } from "./output/align-columns.ts";
import { documentText, type Format } from "./output/document-format.ts";

const EVERY_MS = 1_000;
const TITLES = ["NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"];
const CLEAR = "\u001b[H\u001b[2J";

/** 0 when the user ended it or all was shown; 1 and more when a container could not be asked, which is told. */
export async function runStats(
  context: Context,
  wanted: readonly string[],
  once: boolean,
  format: Format,
): Promise<number> {
  const containers = wanted.length > 0 ? wanted : await running(context);
  const signal = context.interrupted();
  const latest = new Map<string, NamedUsage>();
  let exit = 0;
  const watched = containers.map(async (name) => {
    try {
      for await (const usage of watchUsage(context.client, name, once, signal)) {
        latest.set(name, usage);
      }
    } catch (error) {
      if (!(error instanceof HansaError)) throw error;
      exit = 1;
      context.note(`${name}: ${error.message}`);
    }
    if (!once) latest.delete(name);
  });
  const show = async (): Promise<void> => {
    const rows = [...latest.values()].sort((a, b) => (a.container < b.container ? -1 : 1));
    const documents = rows.map(({ container, usage }) => ({ container, ...usage }));
    if (format === "json" && !once) context.out(`${JSON.stringify(documents)}\n`);
    else if (format !== "table") {
      context.out(`${once ? "" : "---\n"}${await documentText(documents, format)}`);
    } else {
      const text = alignColumns([TITLES, ...rows.map(usageRow)]);
      context.out(`${!once && context.rows() !== undefined ? CLEAR : ""}${text}\n`);
    }
  };
  const all = Promise.all(watched);
  if (once) {
    await all;
    await show();
    return exit;
  }
  // No race with a promise that stays open for days: each would add to it.
  const over = new AbortController();
  const ended = all.finally(() => over.abort());
  // Told below; until then a failure to show may come first.
  ended.catch(() => undefined);
  while (!over.signal.aborted) {
    await sleep(EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    if (!over.signal.aborted && latest.size > 0) await show();
  }
  await ended;
  return exit;
}

/** All containers that run on the network, by their nodes and ids. */
async function running({ client }: Context): Promise<readonly string[]> {
  const { dns } = await client.status();
  const names = dns.entries.flatMap(({ containerId, node }) =>
    containerId === null ? [] : [`${node.id}/${containerId}`],
  );
  return [...new Set(names)];
}

/** Pure. */
export function usageRow({ container, usage }: NamedUsage): string[] {
  const { memory, memoryLimit } = usage;
  const part = memoryLimit === 0 ? 0 : (100 * memory) / memoryLimit;
  return [
    container,
    `${usage.cpuPercent.toFixed(2)}%`,
    `${bytesText(memory)} / ${bytesText(memoryLimit)}`,
    `${part.toFixed(2)}%`,
    `${bytesText(usage.received)} / ${bytesText(usage.sent)}`,
    `${bytesText(usage.blockRead)} / ${bytesText(usage.blockWritten)}`,
    `${usage.processes}`,
  ];
}

/** "1.5 MiB". */
function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}
