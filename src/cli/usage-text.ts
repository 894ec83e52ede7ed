/** Help: of the whole program and of one command. Pure; docs/reference/cli.md is made from the same. */
import type { CommandSpec, OptionSpec, ProgramName } from "./command.ts";
import { alignColumns } from "./output/align-columns.ts";
import { GLOBAL_OPTIONS } from "./parse-words.ts";

/** "hansa connect [OPTIONS] HOST…" */
export function usageLine(spec: CommandSpec, program: ProgramName = "hansa"): string {
  const { name = "", min = 0, max = 0 } = spec.operands ?? {};
  // A name of several words tells by itself what follows.
  const many = max > 1 && !name.includes(" ") ? `${name}…` : name;
  const operand = min > 0 ? many : `[${many}]`;
  const options = spec.options.length > 0 ? " [OPTIONS]" : "";
  return `${program} ${spec.name}${options}${spec.operands ? ` ${operand}` : ""}`;
}

/** What `hansa COMMAND --help` prints, called by the name `program`. */
export function commandHelp(spec: CommandSpec, program: ProgramName = "hansa"): string {
  const globals = GLOBAL_OPTIONS.filter(({ name }) => name !== "node" || spec.asksNode === true);
  const options = [...spec.options, ...globals].filter(isShown);
  return [
    `Usage: ${usageLine(spec, program)}`,
    "",
    `${capital(spec.summary)}.`,
    ...(spec.details === undefined ? [] : ["", spec.details]),
    "",
    "Options:",
    indent(alignColumns(options.map((option) => [optionText(option), option.summary]))),
    ...(spec.examples.length === 0
      ? []
      : ["", "Examples:", indent(spec.examples.map((line) => `${program} ${line}`).join("\n"))]),
    "",
  ].join("\n");
}

/** What `hansa help` prints, called by the name `program`. */
export function programHelp(
  commands: readonly CommandSpec[],
  program: ProgramName = "hansa",
): string {
  return [
    `Usage: ${program} COMMAND`,
    "",
    "Turns plain Docker hosts into one cluster with no master.",
    "",
    "Commands:",
    indent(alignColumns(commands.map(({ name, summary }) => [name, summary]))),
    "",
    "Options, before or after the command:",
    indent(alignColumns(GLOBAL_OPTIONS.map((option) => [optionText(option), option.summary]))),
    "",
    `See ${program} COMMAND --help for one command.`,
    "",
  ].join("\n");
}

/** Whether help and reference have a line for it. */
export function isShown({ hidden, refused }: OptionSpec): boolean {
  return hidden !== true && refused === undefined;
}

/** "-o, --output FORMAT" */
export function optionText({ name, short, value }: OptionSpec): string {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}
