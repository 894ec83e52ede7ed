/**
 * The command line: from words to an exit status.
 *
 * Invariant: whatever happens, standard error ends with one clear error block and never with a stack (except --debug).
 */
import { HansaError } from "../errors.ts";
import type { Command, Context, ProgramName } from "./command.ts";
import { allCommands, COMMAND_NAMES, loadCommand } from "./command-table.ts";
import { checkOperands, type Globals, parseWords, splitCommandLine } from "./parse-words.ts";
import { reportError } from "./report-error.ts";

/** What the terminal gives: a context without what only the parsed command line tells. */
export type Terminal = (globals: Globals) => Context;

/** Runs the command that `argv` (without program and script) names. Never throws. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const globals = new Map<string, string>(argv.includes("--debug") ? [["debug", ""]] : []);
  try {
    return await runCommand(argv, terminal, globals);
  } catch (error) {
    const { lines, exit } = reportError(error, globals.has("debug"));
    const context = terminal(globals);
    for (const line of lines) context.note(inWordsOf(context.program, line));
    return exit;
  }
}

async function runCommand(
  argv: readonly string[],
  terminal: Terminal,
  globals: Map<string, string>,
): Promise<number> {
  const line = splitCommandLine(argv);
  for (const [name, value] of line.globals) globals.set(name, value);
  const isHelp = line.command === undefined;
  const command = await commandOf(line.command ?? "help");
  if (command.raw === true) {
    refuseElsewhere(command, globals);
    const operands = globals.has("help") ? ["--help"] : line.rest;
    return command.run(
      { flags: new Set(), values: new Map(), lists: new Map(), operands },
      terminal(globals),
    );
  }
  const words = parseWords(command, line.rest);
  for (const [name, value] of words.globals) globals.set(name, value);
  refuseElsewhere(command, globals);
  const context = terminal(globals);
  if (globals.has("help") && !isHelp) {
    const { commandHelp } = await import("./usage-text.ts");
    context.out(commandHelp(command, context.program));
    return 0;
  }
  checkOperands(command, words);
  return command.run(words, context);
}

/** Throws USAGE. */
async function commandOf(name: string): Promise<Command> {
  const known = await loadCommand(name);
  if (known !== undefined) return known;
  const { findCommand } = await import("./commands/help.ts");
  return findCommand(await allCommands(), name);
}

/** What is done on this host must not be done here when another was meant. */
function refuseElsewhere(command: Command, globals: ReadonlyMap<string, string>): void {
  if (globals.has("help")) return;
  if (globals.has("context") && command.onThisHost === true) {
    const text = `hansa ${command.name} is done to this host, whatever context there is`;
    throw new HansaError("USAGE", text, {
      hint: "run it on the host that is meant, without --context",
    });
  }
  if (!globals.has("node") || command.asksNode === true) return;
  const text = `hansa ${command.name} cannot be asked of another node`;
  throw new HansaError("USAGE", text, { hint: "run it there, without --node" });
}

/** A command that a message names, as whoever called us by another name types it. */
function inWordsOf(program: ProgramName, line: string): string {
  if (program === "hansa") return line;
  const names = COMMAND_NAMES.join("|");
  return line.replaceAll(new RegExp(`\\bhansa (?=(?:${names}|help)\\b)`, "g"), `${program} `);
}
