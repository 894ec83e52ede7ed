/** `hansa prime`: waits until the node can give a container an address. */
import type { Command } from "../command.ts";
import { withProgress } from "../output/progress.ts";

export const prime: Command = {
  name: "prime",
  summary: "wait until this node can start containers",
  details: `Waits as long as it takes. Nodes 1 to 4 own addresses from birth; others get theirs from a node that
they are connected to.`,
  options: [],
  examples: ["prime"],
  async run(_words, context) {
    const waiting = "waiting for addresses: a node with free ones must be connected";
    const { id } = await withProgress(context.note, waiting, () => context.client.prime());
    context.out(`[${id}] Node ready\n`);
    return 0;
  },
};
