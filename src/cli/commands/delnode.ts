/** `hansa delnode`: takes a node out of the cluster for good. */
import { setTimeout as delay } from "node:timers/promises";
import { HansaError } from "../../errors.ts";
import { askYes } from "../ask-yes.ts";
import type { Command, Context } from "../command.ts";
import { withProgress } from "../output/progress.ts";

/** For the count of nodes to follow. */
const COUNTED_MS = 15_000;
const LOOK_MS = 200;

export const delnode: Command = {
  name: "delnode",
  summary: "take a node out of the cluster for good",
  details: `NODE is a name, an id or an address, and never the node that is asked. A node that is heard leaves by itself, when no container of its is on the network any more: it
hands its addresses and its vote over, and hansa reset frees its host. A node that is off is taken over: switch it off for good before, for should it still run
somewhere its addresses are given out twice. In both cases its key is let in no more; after hansa reset its host may be added anew. It takes a majority of the votes.`,
  operands: { name: "NODE", min: 1, max: 1, completes: "nodes" },
  options: [{ name: "yes", summary: "do not ask" }],
  asksNode: true,
  examples: ["delnode host4", "delnode host4 --yes"],
  async run({ operands: [node = ""], flags }, context) {
    const before = await context.client.quorum();
    if (!flags.has("yes")) await confirm(node, context);
    const removed = await withProgress(context.note, "removing the node", () =>
      context.client.removeNode(node, true),
    );
    await counted(before.configVersion ?? 0, context);
    const { id, name, wasHeard, problem } = removed;
    if (problem !== null) context.note(`Note: ${problem}`);
    if (wasHeard) context.note(`Hint: run hansa reset on ${name} before it is used again`);
    else
      context.note(
        `Hint: ${name} is not let in any more as it was; should it start again, run hansa reset there`,
      );
    context.out(`node ${id} (${name}) was removed from the cluster\n`);
    return 0;
  },
};

/** Called as pvecm the line itself is the answer where nobody can be asked, as it is there. */
async function confirm(node: string, context: Context): Promise<void> {
  const answer = await askYes(`Remove node ${node} from the cluster for good?`);
  if (answer === true || (answer === undefined && context.program === "pvecm")) return;
  throw new HansaError("USAGE", `node ${node} was not removed: that was not confirmed`, {
    hint: `say yes, or run hansa delnode ${node} --yes`,
  });
}

/** Returns once the number of the configuration tells of it, or after a while: it follows by itself. */
async function counted(version: number, context: Context): Promise<void> {
  const end = performance.now() + COUNTED_MS;
  while (performance.now() < end) {
    const { configVersion } = await context.client.quorum();
    if ((configVersion ?? 0) > version) return;
    await delay(LOOK_MS);
  }
}
