/** `hansa exec`: a command in any container of the cluster. */
import { HansaError } from "../../errors.ts";
import type { Command } from "../command.ts";
import { usage } from "../parse-words.ts";

export const exec: Command = {
  name: "exec",
  summary: "run a command in a container, on whichever node it is",
  details: `A container is meant by its name, its id or the beginning of it, or its compose service; with the node
before it (NODE/CONTAINER) where several would fit. Standard input, output and error are the command's own; with
--tty they are one terminal. The exit status is the command's: 126 and 127 for one that cannot be run or found,
125 when the connection to it was lost in the middle, 1 and 3 also when it was never started.`,
  operands: { name: "CONTAINER COMMAND…", min: 2, max: Number.POSITIVE_INFINITY, verbatimAfter: 1 },
  options: [
    { name: "interactive", short: "i", summary: "give it our standard input" },
    { name: "tty", short: "t", summary: "give it a terminal" },
    { name: "user", short: "u", value: "USER", summary: "run it as USER or USER:GROUP" },
    { name: "workdir", short: "w", value: "DIR", summary: "run it in that folder" },
    {
      name: "env",
      short: "e",
      value: "NAME=VALUE",
      many: true,
      summary: "set a variable; NAME alone takes ours",
    },
  ],
  examples: ["exec web ls -l /", "exec -it host2/web sh", "exec -i db psql < dump.sql"],
  async run(words, context) {
    const [container = "", ...command] = words.operands;
    const tty = words.flags.has("tty");
    const stdin = words.flags.has("interactive");
    if (tty && stdin && !context.console.isTerminal("stdin")) {
      throw usage(exec, "standard input is no terminal, which --tty with --interactive needs");
    }
    const { runExec } = await import("../run-exec.ts");
    const environment = (words.lists.get("env") ?? []).flatMap(variable);
    return runExec(context, container, {
      ...{ command, environment, tty, stdin },
      user: words.values.get("user") ?? "",
      workdir: words.values.get("workdir") ?? "",
    });
  },
};

function variable(text: string): string[] {
  if (text.includes("=")) return [text];
  if (text === "") throw new HansaError("USAGE", "--env needs NAME or NAME=VALUE");
  const value = process.env[text];
  return value === undefined ? [] : [`${text}=${value}`];
}
