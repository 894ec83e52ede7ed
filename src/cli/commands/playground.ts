/** `hansa playground`: hands its words over as they are. */
import type { Command } from "../command.ts";

export const playground: Command = {
  name: "playground",
  summary: "run many real Docker hosts on this machine, to try hansa",
  details: "See hansa playground --help for its own commands.",
  operands: {
    name: "ARGUMENT",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    completes: [
      ...["up", "list", "x", "d", "kill", "boot", "cut", "mend", "part", "oneway", "block"],
      ...["heal", "delay", "down"],
    ],
  },
  options: [],
  examples: ["playground up 4", "playground x 1 hansa status", "playground down"],
  raw: true,
  async run({ operands }) {
    const { runPlayground } = await import("../../playground/main.ts");
    return runPlayground(operands);
  },
};
