/** `hansa help [COMMAND]`. Made from the table of commands, so it is built with it rather than listed in it. */
import { HansaError } from "../../errors.ts";
import { closestWord } from "../closest-word.ts";
import type { Command, CommandSpec } from "../command.ts";
import { commandHelp, programHelp } from "../usage-text.ts";

/** The help command over `commands`. */
export function helpFor(commands: readonly CommandSpec[]): Command {
  const help: Command = {
    name: "help",
    summary: "explain the program or one command",
    operands: {
      name: "COMMAND",
      min: 0,
      max: 1,
      completes: commands.map(({ name }) => name),
    },
    options: [],
    examples: ["help launch"],
    async run({ operands: [name] }, context) {
      const all = [...commands, help];
      if (name === undefined) context.out(programHelp(all, context.program));
      else context.out(commandHelp(findCommand(all, name), context.program));
      return 0;
    },
  };
  return help;
}

/** The command of that name. Throws USAGE with the nearest name as a hint. */
export function findCommand<T extends CommandSpec>(commands: readonly T[], name: string): T {
  const found = commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const near = closestWord(
    name,
    commands.map((command) => command.name),
  );
  const hint = "see hansa help for all commands";
  throw new HansaError("USAGE", `unknown command: ${name}`, {
    hint: near === undefined ? hint : `did you mean hansa ${near}?\n${hint}`,
  });
}
