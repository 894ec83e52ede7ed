/** `hansa prime`: waits until the node can give a container an address. */
import type { Command } from "../command.ts";
import { withProgress } from "../output/progress.ts";

/** How often a waiting prime asks the node what is wrong. */
const LOOK_MS = 2_000;

export const prime: Command = {
  name: "prime",
  summary: "wait until this node can start containers",
  details: `Waits as long as it takes. Nodes 1 to 4 own addresses from birth; others get theirs from a node that
they are connected to.`,
  options: [],
  asksNode: true,
  examples: ["prime"],
  async run(_words, context) {
    const waiting = "waiting for addresses: a node with free ones must be connected";
    const { id } = await withProgress(context.note, waiting, async (progress) => {
      // What keeps the node from ever being ready stands in its warnings; a wait that ends soon never asks.
      const look = setInterval(() => {
        context.client.status().then(
          ({ warnings: [warning] }) => progress.step(warning?.message ?? waiting),
          // That the node is gone is prime's own to tell.
          () => progress.step(waiting),
        );
      }, LOOK_MS);
      try {
        return await context.client.prime();
      } finally {
        clearInterval(look);
      }
    });
    context.out(`[${id}] Node ready\n`);
    return 0;
  },
};
