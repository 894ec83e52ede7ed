/** Options of our own scripts: what is given wrongly ends with one sentence, and `--help` tells them. */
import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The values of `options`. With `--help` prints `usage` and ends; with bad input one sentence and exit status 2. */
export function scriptOptions<const T extends Options>(usage: string, options: T) {
  try {
    if (process.argv.includes("--help")) {
      process.stdout.write(`${usage.trim()}\n`);
      process.exit(0);
    }
    return parseArgs({ options }).values;
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
}

/** A number above zero, `name` being the option that gives it. */
export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) refuse(`--${name} ${text} is no number above zero`);
  return value;
}

function refuse(sentence: string): never {
  process.stderr.write(`${sentence} (--help tells the options)\n`);
  process.exit(2);
}
