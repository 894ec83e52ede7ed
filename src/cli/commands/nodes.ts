/** `hansa nodes`: who is there, by number and name. */
import type { Command } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { nodesText } from "../output/quorum-text.ts";

export const nodes: Command = {
  name: "nodes",
  summary: "list the nodes that are there, each with its votes",
  details: `Only nodes that the one that is asked hears. A node without a vote has 0 votes. The cluster must have its store (create).`,
  options: [OUTPUT_OPTION],
  asksNode: true,
  examples: ["nodes", "nodes -o json"],
  async run(words, context) {
    const format = formatOf(words);
    const view = await context.client.quorum();
    if (format === "table") context.out(`${nodesText(view)}\n`);
    else context.out(await documentText(view.members, format));
    return 0;
  },
};
