/** `hansa forget`: takes hosts away from the targets. */
import type { Command } from "../command.ts";

export const forget: Command = {
  name: "forget",
  summary: "take hosts away from the targets of this node",
  details: `Hosts are matched by the text that they were given with. Connections that exist stay; a host that is
no target is no error.`,
  operands: { name: "HOST", min: 1, max: 1024, completes: "targets" },
  options: [],
  asksNode: true,
  examples: ["forget host3"],
  async run({ operands }, context) {
    const { targets } = await context.client.forget(operands);
    context.note(`Targets: ${targets.length === 0 ? "none" : targets.join(", ")}`);
    return 0;
  },
};
