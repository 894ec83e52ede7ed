/** The completion script for zsh, as a function file named _hansa. Pure. */
import { type CommandSpec, type Completes, type OptionSpec, PROGRAM_NAMES } from "../command.ts";
import { GLOBAL_OPTIONS } from "../parse-words.ts";

/** The whole file. */
export function zshCompletion(commands: readonly CommandSpec[]): string {
  const list = commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  return `#compdef ${PROGRAM_NAMES.join(" ")}
# Completion of hansa for zsh, made by: hansa completion zsh

_hansa_live() {
  local -a found
  found=(\${(f)"$(hansa completion $1 2>/dev/null)"})
  compadd -a found
}

_hansa() {
  local curcontext=$curcontext state line
  local -a commands
  commands=(
${list.join("\n")}
  )
  _arguments -C ${GLOBAL_OPTIONS.map((option) => argument(option)).join(" ")} '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${commands.map(branch).join("\n")}
      esac ;;
  esac
}

_hansa "$@"
`;
}

function branch({ name, options, operands }: CommandSpec): string {
  const words = [...options, ...GLOBAL_OPTIONS].map((option) => argument(option));
  if (operands !== undefined) {
    words.push(quote(`*:${operands.name}:${action(operands.completes)}`));
  }
  return `        ${name}) _arguments ${words.join(" ")} ;;`;
}

/** "{-o,--output}'[summary]:FORMAT:(table json)'". */
function argument({ name, short, value, summary, completes }: OptionSpec): string {
  const text = `[${summary.replaceAll("[", "(").replaceAll("]", ")").replaceAll(":", ",")}]`;
  const taken = value === undefined ? "" : `:${value}:${action(completes)}`;
  const dashed = value === undefined ? `--${name}` : `--${name}=`;
  if (short === undefined) return quote(`${dashed}${text}${taken}`);
  const apart = quote(`(-${short} --${name})`);
  return `${apart}{-${short},${dashed}}${quote(`${text}${taken}`)}`;
}

function action(completes: Completes | undefined): string {
  if (completes === undefined) return " ";
  if (completes === "files") return "_files";
  if (typeof completes === "string") return `_hansa_live ${completes}`;
  return `(${completes.join(" ")})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
