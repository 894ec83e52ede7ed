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
  {
    name: "context",
    value: "NAME",
    summary: "ask the cluster of that context, as with the environment variable HANSA_CONTEXT",
  },
  {
    name: "node",
    value: "NODE",
    summary: "ask that node of the cluster (name or id) through the one that is reached",
    completes: "nodes",
  },
];

/** Options of the whole program that were given, by name; a flag's value is empty. */
export type Globals = ReadonlyMap<string, string>;

export interface CommandLine {
  readonly globals: Globals;
  /** Undefined when there is no command at all. */
  readonly command: string | undefined;
  /** What follows the command, with global flags still in it. */
  readonly rest: readonly string[];
}

/** Splits off the command: the first word that is no option. Options before it must be global ones. */
export function splitCommandLine(argv: readonly string[]): CommandLine {
  const globals = new Map<string, string>();
  const queue = [...argv];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (!word.startsWith("-") || word === "-") return { globals, command: word, rest: queue };
    if (word === "--version" || word === "-v") return { globals, command: "version", rest: queue };
    const { name, given } = nameOf(word);
    const option = findOption(GLOBAL_OPTIONS, name);
    if (option === undefined) throw unknownOption(name, GLOBAL_OPTIONS, "hansa help");
    globals.set(option.name, optionValue(option, given, queue, "hansa help"));
  }
  return { globals, command: undefined, rest: [] };
}

/** The words after `spec`'s name, with global flags taken out of them into `globals`. Does not yet count operands. */
export function parseWords(
  spec: CommandSpec,
  rest: readonly string[],
): Words & { readonly globals: Globals } {
  const flags = new Set<string>();
  const globals = new Map<string, string>();
  const values = new Map<string, string>();
  const lists = new Map<string, string[]>();
  const operands: string[] = [];
  const queue = [...rest];
  const verbatimAfter = spec.operands?.verbatimAfter ?? Number.POSITIVE_INFINITY;
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--") {
      operands.push(...queue.splice(0));
      break;
    }
    if (operands.length >= verbatimAfter) {
      operands.push(word, ...queue.splice(0));
      break;
    }
    const together = flagsTogether(spec.options, word);
    if (together !== undefined) {
      queue.unshift(...together);
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const { name, given } = nameOf(word);
    const help = `hansa ${spec.name} --help`;
    const option = findOption(spec.options, name);
    if (option === undefined) {
      const global = findOption(GLOBAL_OPTIONS, name);
      if (global === undefined) {
        const known = [...spec.options, ...GLOBAL_OPTIONS];
        throw unknownOption(name, known, help);
      }
      globals.set(global.name, optionValue(global, given, queue, help));
      continue;
    }
    if (option.refused !== undefined) {
      throw usage(spec, `the option ${word} does nothing here: ${option.refused}`);
    }
    if (option.many === true) {
      const value = optionValue(option, given, queue, help);
      lists.set(option.name, [...(lists.get(option.name) ?? []), value]);
      continue;
    }
    if (flags.has(option.name) || values.has(option.name)) {
      throw usage(spec, `the option --${option.name} is given twice`);
    }
    const value = optionValue(option, given, queue, help);
    if (option.value === undefined) flags.add(option.name);
    else values.set(option.name, value);
  }
  return { flags, globals, values, lists, operands };
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

/** The option's name with its dashes, and what stands after its equals sign. */
function nameOf(word: string): { readonly name: string; readonly given: string | undefined } {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  if (equals < 0) return { name: word, given: undefined };
  return { name: word.slice(0, equals), given: word.slice(equals + 1) };
}

/** The option's value, taken off `queue` when it was not given with it; "" for a flag. */
function optionValue(
  { name, value }: OptionSpec,
  given: string | undefined,
  queue: string[],
  help: string,
): string {
  const refuse = (sentence: string): never => {
    throw new HansaError("USAGE", sentence, { hint: `see ${help}` });
  };
  if (value === undefined) {
    return given === undefined ? "" : refuse(`the option --${name} takes no value`);
  }
  const found = given ?? queue.shift();
  // A value may begin with one dash, but two mean that it was left out.
  const isMissing = found === undefined || (given === undefined && found.startsWith("--"));
  return isMissing ? refuse(`the option --${name} needs a value: ${value}`) : found;
}

/** "-it" as "-i" and "-t", where all of its letters are flags. */
function flagsTogether(options: readonly OptionSpec[], word: string): string[] | undefined {
  if (!/^-[a-zA-Z]{2,}$/.test(word)) return undefined;
  const words = [...word.slice(1)].map((letter) => `-${letter}`);
  const areFlags = words.every((each) => {
    const option = findOption(options, each);
    return option !== undefined && option.value === undefined;
  });
  return areFlags ? words : undefined;
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
