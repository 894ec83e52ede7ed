/** The completion script for fish. Pure. */
import { type CommandSpec, type Completes, type OptionSpec, PROGRAM_NAMES } from "../command.ts";
import { GLOBAL_OPTIONS } from "../parse-words.ts";

/** The whole script: one `complete` a command, an option or an operand. */
export function fishCompletion(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const lines = [
    "# Completion of hansa for fish, made by: hansa completion fish",
    "complete -c hansa -f",
    ...GLOBAL_OPTIONS.map((option) => `complete -c hansa ${optionOf(option)}`),
    ...commands.flatMap(({ name, summary, options, operands }) => [
      `complete -c hansa -n 'not __fish_seen_subcommand_from ${names}' -a ${name} -d ${quote(summary)}`,
      ...options.map((option) => `${after(name)} ${optionOf(option)}`),
      ...(operands?.completes === undefined
        ? []
        : [`${after(name)} ${answer(operands.completes)}`]),
    ]),
    ...PROGRAM_NAMES.slice(1).map((name) => `complete -c ${name} -w hansa`),
  ];
  return `${lines.join("\n")}\n`;
}

function after(command: string): string {
  return `complete -c hansa -n '__fish_seen_subcommand_from ${command}'`;
}

function optionOf({ name, short, value, summary, completes }: OptionSpec): string {
  return [
    ...(short === undefined ? [] : [`-s ${short}`]),
    `-l ${name}`,
    ...(value === undefined ? [] : ["-r"]),
    ...(completes === undefined ? [] : [answer(completes)]),
    `-d ${quote(summary)}`,
  ].join(" ");
}

function answer(completes: Completes): string {
  if (completes === "files") return "-F";
  if (typeof completes === "string") return `-a '(hansa completion ${completes} 2>/dev/null)'`;
  return `-a ${quote(completes.join(" "))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
