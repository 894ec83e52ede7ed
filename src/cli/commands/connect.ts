/** `hansa connect`: adds targets, or replaces them, and dials them at once. */
import { HansaError } from "../../errors.ts";
import { parseTarget } from "../../values/endpoint.ts";
import type { Command } from "../command.ts";

export const connect: Command = {
  name: "connect",
  summary: "add hosts to the targets of this node and dial them at once",
  details: `Hosts need not run yet, nor exist: the node goes on trying. A host that is a target already is
dialled at once. Connections that exist stay.`,
  operands: { name: "HOST", min: 1, max: 1024, completes: "peers" },
  options: [{ name: "replace", summary: "make these hosts the only targets" }],
  asksNode: true,
  examples: ["connect host2", "connect --replace host1 host2 192.0.2.7:6783"],
  async run({ flags, operands }, context) {
    for (const target of operands) {
      if (parseTarget(target) !== undefined) continue;
      const shown = JSON.stringify(target.slice(0, 100)).slice(1, -1);
      const text = `invalid argument: HOST, required: HOST[:PORT], received: ${shown}`;
      throw new HansaError("USAGE", text, { hint: "see hansa connect --help" });
    }
    const { targets } = await context.client.connect(operands, flags.has("replace"));
    context.note(`Targets: ${targets.join(", ")}`);
    return 0;
  },
};
