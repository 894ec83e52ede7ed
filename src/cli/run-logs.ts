/** Prints the logs of containers: alone as they are, several together with their names before each line. */
import { mergeLogs } from "../client/merge-logs.ts";
import { type LogLine, readLog } from "../client/read-log.ts";
import { HansaError } from "../errors.ts";
import type { Context } from "./command.ts";
import { LogPrinter } from "./log-printer.ts";
import { reportError } from "./report-error.ts";

export interface LogsOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly since: string;
  readonly until: string;
  readonly tail: number | undefined;
}

/** Lines that are followed wait so long for those of others with an earlier time. */
const HOLD_MS = 200;
/** Cyan, yellow, green, magenta, blue and their bright ones: no red, which means failure. */
const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/** 0 when all logs were read to their end or the user ended it, else the status of the first failure, each of which is told. */
export async function runLogs(
  context: Context,
  containers: readonly string[],
  options: LogsOptions,
): Promise<number> {
  const signal = context.interrupted();
  const isOne = containers.length === 1;
  let exit = 0;
  const sources = containers.map((container) => {
    const lines = readLog(context.client, container, { ...options, signal, note: context.note });
    return isOne
      ? lines
      : told(lines, (error) => {
          const { lines: words, exit: status } = reportError(error, context.debug);
          exit ||= status;
          for (const line of words.slice(0, -1)) context.note(line);
        });
  });
  const [only] = sources;
  const prefixes = new Map<string, string>();
  const printer = new LogPrinter(context.console);
  const holdMs = options.follow ? HOLD_MS : undefined;
  const lines = isOne && only ? only : mergeLogs(sources, holdMs, () => performance.now());
  for await (const line of lines) {
    const prefix = isOne ? "" : prefixOf(line.container, prefixes, context.colour);
    await printer.print(line, prefix, options.timestamps);
  }
  await printer.flush();
  return exit;
}

/** One that fails ends; the others go on. */
async function* told(
  lines: AsyncIterable<LogLine>,
  tell: (error: HansaError) => void,
): AsyncGenerator<LogLine> {
  try {
    yield* lines;
  } catch (error) {
    if (!(error instanceof HansaError)) throw error;
    tell(error);
  }
}

/** As wide as the widest so far, so that lines stand below each other soon. */
function prefixOf(container: string, known: Map<string, string>, colour: boolean): string {
  const found = known.get(container);
  if (found !== undefined) return found;
  const names = [...known.keys(), container];
  const width = Math.max(...names.map((name) => name.length));
  for (const [index, name] of names.entries()) {
    const text = `${name.padEnd(width)} | `;
    known.set(name, colour ? `\x1b[${COLOURS[index % COLOURS.length]}m${text}\x1b[0m` : text);
  }
  return known.get(container) ?? "";
}
