/**
 * The completion script for bash. Pure.
 *
 * Bash cuts words at "=" and ":" too, so the script matches against the whole word under the cursor and takes off of each answer what
 * bash has cut off before it: `--output=js` and `host:6783` complete as people expect.
 */
import { type CommandSpec, type Completes, type OptionSpec, PROGRAM_NAMES } from "../command.ts";
import { GLOBAL_OPTIONS } from "../parse-words.ts";

/** The whole script; to be read by bash 4 or newer. */
export function bashCompletion(commands: readonly CommandSpec[]): string {
  return `# Completion of hansa for bash, made by: hansa completion bash
_hansa() {
  local before=\${COMP_LINE:0:COMP_POINT} word cut option= value command= offered= index
  word=\${before##*[[:space:]]}
  cut=\${word%"\${COMP_WORDS[COMP_CWORD]}"}
  value=$word
  [[ \${COMP_WORDS[COMP_CWORD]} == [=:] ]] && cut=$word
  for word in \${before%"$word"}; do
    [[ $option ]] || [[ $word == -* ]] || [[ $word == "\${COMP_WORDS[0]}" ]] || command=\${command:-$word}
    option=
    case "$command $word" in
${lines([...globalTakers(), ...commands.flatMap(takers)], (pattern) => `      ${pattern}) option=$word ;;`)}
    esac
  done
  if [[ $value == --*=* ]]; then
    option=\${value%%=*} value=\${value#*=}
  fi
  if [[ $option ]]; then
    case "$command $option" in
${lines([...commands.flatMap(optionAnswers), ...globalAnswers()], (answer) => `      ${answer}`)}
    esac
  elif [[ $value == -* ]]; then
    case $command in
${lines(commands, (spec) => `      ${spec.name}) offered="${optionWords(spec.options)}" ;;`)}
    esac
    offered+=" ${optionWords(GLOBAL_OPTIONS)}"
  else
    case $command in
      "") offered="${commands.map(({ name }) => name).join(" ")}" ;;
${lines(commands.flatMap(operandAnswers), (answer) => `      ${answer}`)}
    esac
  fi
  COMPREPLY=()
  for word in $offered; do
    [[ $word == "$value"* ]] || continue
    # What bash has taken for other words must not come a second time.
    [[ $cut == *"="* ]] && cut=\${cut#*=}
    COMPREPLY+=("\${word#"$cut"}")
  done
}
complete -F _hansa ${PROGRAM_NAMES.join(" ")}
`;
}

/** The same of the whole program's options, which may stand anywhere. */
function globalTakers(): string[] {
  return GLOBAL_OPTIONS.filter(({ value }) => value !== undefined)
    .flatMap(spelled)
    .map((word) => `*" ${word}"`);
}

/** Options after which a value follows as a word of its own. */
function takers({ name, options }: CommandSpec): string[] {
  return options
    .filter(({ value }) => value !== undefined)
    .flatMap((option) => spelled(option).map((word) => `"${name} ${word}"`));
}

function optionAnswers({ name, options }: CommandSpec): string[] {
  return answers(options, (word) => `"${name} ${word}"`);
}

/** After those of commands, which may have an option of the same name. */
function globalAnswers(): string[] {
  return answers(GLOBAL_OPTIONS, (word) => `*" ${word}"`);
}

function answers(options: readonly OptionSpec[], pattern: (word: string) => string): string[] {
  return options.flatMap((option) =>
    option.completes === undefined
      ? []
      : [`${spelled(option).map(pattern).join("|")}) ${answer(option.completes)} ;;`],
  );
}

function operandAnswers({ name, operands }: CommandSpec): string[] {
  return operands?.completes === undefined ? [] : [`${name}) ${answer(operands.completes)} ;;`];
}

function answer(completes: Completes): string {
  if (completes === "files") return `compopt -o default 2>/dev/null; COMPREPLY=(); return`;
  if (typeof completes === "string") {
    return `offered=$("\${COMP_WORDS[0]}" completion ${completes} 2>/dev/null)`;
  }
  return `offered="${completes.join(" ")}"`;
}

function optionWords(options: readonly OptionSpec[]): string {
  return options.flatMap(spelled).join(" ");
}

function spelled({ name, short }: OptionSpec): string[] {
  return short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];
}

function lines<T>(items: readonly T[], line: (item: T) => string): string {
  return items.map(line).join("\n");
}
