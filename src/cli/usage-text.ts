/** Help: of the whole program and of one command. Pure; docs/reference/cli.md is made from the same. */
import type { CommandSpec, OptionSpec } from "./command.ts";
import { alignColumns } from "./output/align-columns.ts";
import { GLOBAL_OPTIONS } from "./parse-words.ts";

/** "hansa connect [OPTIONS] HOST…" */
export function usageLine(spec: CommandSpec): string {
  const { name = "", min = 0, max = 0 } = spec.operands ?? {};
  // A name of several words tells by itself what follows.
  const many = max > 1 && !name.includes(" ") ? `${name}…` : name;
  const operand = min > 0 ? many : `[${many}]`;
  const options = spec.options.length > 0 ? " [OPTIONS]" : "";
  return `hansa ${spec.name}${options}${spec.operands ? ` ${operand}` : ""}`;
}

/** What `hansa COMMAND --help` prints. */
export function commandHelp(spec: CommandSpec): string {
  const globals = GLOBAL_OPTIONS.filter(({ name }) => name !== "node" || spec.asksNode === true);
  const options = [...spec.options, ...globals].filter(({ hidden }) => hidden !== true);
  return [
    `Usage: ${usageLine(spec)}`,
    "",
    `${capital(spec.summary)}.`,
    ...(spec.details === undefined ? [] : ["", spec.details]),
    "",
    "Options:",
    indent(alignColumns(options.map((option) => [optionText(option), option.summary]))),
    ...(spec.examples.length === 0
      ? []
      : ["", "Examples:", indent(spec.examples.map((line) => `hansa ${line}`).join("\n"))]),
    "",
  ].join("\n");
}

/** What `hansa help` prints. */
export function programHelp(commands: readonly CommandSpec[]): string {
  return [
    "Usage: hansa COMMAND",
    "",
    "Turns plain Docker hosts into one cluster with no master.",
    "",
    "Commands:",
    indent(alignColumns(commands.map(({ name, summary }) => [name, summary]))),
    "",
    "Options, before or after the command:",
    indent(alignColumns(GLOBAL_OPTIONS.map((option) => [optionText(option), option.summary]))),
    "",
    "See hansa COMMAND --help for one command.",
    "",
  ].join("\n");
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
