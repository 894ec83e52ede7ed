/**
 * Understands a command line: global flags, the command's name, and its options and operands. Pure.
 *
 * Of our own making instead of a library's: see docs/decisions/0002-command-line-parser.md. Every refusal is a USAGE error
 * that names the word.
 */
import { HansaError } from "../errors.ts";
import { closestWord } from "./closest-word.ts";
import type { CommandSpec, OptionSpec, Words } from "./command.ts";

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: "debug", summary: "tell more, also where an error came from" },
  { name: "no-color", summary: "no colours, as with the environment variable NO_COLOR" },
  { name: "help", short: "h", summary: "explain the command" },
];

export interface CommandLine {
  readonly globals: ReadonlySet<string>;
  /** Undefined when there is no command at all. */
  readonly command: string | undefined;
  /** What follows the command, with global flags still in it. */
  readonly rest: readonly string[];
}

/** Splits off the command: the first word that is no option. Options before it must be global ones. */
export function splitCommandLine(argv: readonly string[]): CommandLine {
  const globals = new Set<string>();
  for (const [index, word] of argv.entries()) {
    if (!word.startsWith("-") || word === "-") {
      return { globals, command: word, rest: argv.slice(index + 1) };
    }
    if (word === "--version" || word === "-v") {
      return { globals, command: "version", rest: argv.slice(index + 1) };
    }
    const option = findOption(GLOBAL_OPTIONS, word);
    if (option === undefined) throw unknownOption(word, GLOBAL_OPTIONS, "hansa help");
    globals.add(option.name);
  }
  return { globals, command: undefined, rest: [] };
}

/** The words after `spec`'s name, with global flags taken out of them into `globals`. Does not yet count operands. */
export function parseWords(
  spec: CommandSpec,
  rest: readonly string[],
): Words & { readonly globals: ReadonlySet<string> } {
  const flags = new Set<string>();
  const globals = new Set<string>();
  const values = new Map<string, string>();
  const operands: string[] = [];
  const queue = [...rest];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--") {
      operands.push(...queue.splice(0));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const equals = word.startsWith("--") ? word.indexOf("=") : -1;
    const name = equals < 0 ? word : word.slice(0, equals);
    const option = findOption(spec.options, name);
    if (option === undefined) {
      const global = findOption(GLOBAL_OPTIONS, word);
      if (global === undefined) {
        const known = [...spec.options, ...GLOBAL_OPTIONS];
        throw unknownOption(name, known, `hansa ${spec.name} --help`);
      }
      globals.add(global.name);
      continue;
    }
    if (flags.has(option.name) || values.has(option.name)) {
      throw usage(spec, `the option --${option.name} is given twice`);
    }
    if (option.value === undefined) {
      if (equals >= 0) throw usage(spec, `the option --${option.name} takes no value`);
      flags.add(option.name);
      continue;
    }
    // A value may begin with one dash, but two mean that it was left out.
    const value = equals < 0 ? queue.shift() : word.slice(equals + 1);
    if (value === undefined || (equals < 0 && value.startsWith("--"))) {
      throw usage(spec, `the option --${option.name} needs a value: ${option.value}`);
    }
    values.set(option.name, value);
  }
  return { flags, globals, values, operands };
}

/** Throws USAGE when there are too few or too many operands. Apart from parsing, so that --help needs none. */
export function checkOperands(spec: CommandSpec, { operands }: Words): void {
  const { name, min, max } = spec.operands ?? { name: "", min: 0, max: 0 };
  if (operands.length < min) throw usage(spec, `expected argument(s): ${name}`);
  const extra = operands[max];
  if (extra !== undefined) throw usage(spec, `unexpected argument: ${extra}`);
}

/** A USAGE error of `spec` that points to its help. */
export function usage(spec: CommandSpec, sentence: string): HansaError {
  return new HansaError("USAGE", sentence, { hint: `see hansa ${spec.name} --help` });
}

function findOption(options: readonly OptionSpec[], word: string): OptionSpec | undefined {
  return options.find(
    ({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`),
  );
}

function unknownOption(word: string, options: readonly OptionSpec[], help: string): HansaError {
  const known = options.map(({ name }) => `--${name}`);
  const near = closestWord(word, known);
  const hint = near === undefined ? `see ${help}` : `did you mean ${near}? See ${help}`;
  return new HansaError("USAGE", `unknown option: ${word}`, { hint });
}
