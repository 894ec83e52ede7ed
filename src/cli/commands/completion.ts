/**
 * `hansa completion SHELL`: the shell's own completion of this program. Made from the table of commands, so it is built with it rather
 * than listed in it.
 */
import type { Status } from "../../api/status-schema.ts";
import { HansaError } from "../../errors.ts";
import type { Command, CommandSpec } from "../command.ts";
import { helpFor } from "./help.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** What scripts of shells ask for while a word is typed; not for people, so help does not list it. */
const LIVE: Readonly<Record<string, (status: Status) => string[]>> = {
  targets: ({ targets }) => [...targets],
  nodes: ({ peers }) =>
    peers.filter(({ state }) => state !== "foreign" && state !== "twin").map(({ name }) => name),
  peers: ({ peers, targets }) =>
    peers
      .slice(1)
      .filter(({ state }) => state !== "foreign" && state !== "twin")
      .map(({ name }) => name)
      .filter((name) => !targets.includes(name)),
};

/** The commands that are made from the table of all others: help and completion. */
export function tableCommands(commands: readonly Command[]): readonly Command[] {
  const completion: Command = {
    ...COMPLETION,
    async run({ operands: [asked = ""] }, context) {
      const live = LIVE[asked];
      if (live !== undefined) {
        for (const word of live(await context.client.status())) context.out(`${word}\n`);
        return 0;
      }
      const specs: CommandSpec[] = [
        ...commands.map(offered),
        COMPLETION,
        helpFor([...commands, COMPLETION]),
      ];
      if (asked === "bash") {
        context.out((await import("../completion/bash-completion.ts")).bashCompletion(specs));
      } else if (asked === "zsh") {
        context.out((await import("../completion/zsh-completion.ts")).zshCompletion(specs));
      } else if (asked === "fish") {
        context.out((await import("../completion/fish-completion.ts")).fishCompletion(specs));
      } else {
        const text = `invalid argument: SHELL, required: ${SHELLS.join(", ")}, received: ${asked}`;
        throw new HansaError("USAGE", text, { hint: "see hansa completion --help" });
      }
      return 0;
    },
  };
  return [completion, helpFor([...commands, completion])];
}

/** What is only refused is not offered. */
function offered(spec: CommandSpec): CommandSpec {
  return { ...spec, options: spec.options.filter(({ refused }) => refused === undefined) };
}

const COMPLETION: CommandSpec = {
  name: "completion",
  summary: "print the completion of this program for a shell",
  details: `Commands, options and their values are offered while they are typed; also the names of targets and peers while the
node runs.

bash: hansa completion bash > /etc/bash_completion.d/hansa
zsh:  hansa completion zsh > "\${fpath[1]}/_hansa"
fish: hansa completion fish > ~/.config/fish/completions/hansa.fish`,
  operands: { name: "SHELL", min: 1, max: 1, completes: SHELLS },
  options: [],
  examples: ["completion bash"],
};
