/** `hansa top`: the processes of a container. */
import type { Command } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";

export const top: Command = {
  name: "top",
  summary: "show the processes of a container",
  details:
    "A container is meant as with hansa exec. What follows it goes to ps on the container's host.",
  operands: { name: "CONTAINER [PS-OPTION…]", min: 1, max: 16, verbatimAfter: 1 },
  options: [OUTPUT_OPTION],
  examples: ["top web", "top host2/web -o pid,rss,cmd"],
  async run(words, context) {
    const format = formatOf(words);
    const [container = "", ...options] = words.operands;
    const { askContainer } = await import("../../client/container-answers.ts");
    const { isProcessTable } = await import("../../client/container-check.ts");
    const request = { arguments: options.join(" ") };
    const table = await askContainer(context.client, container, "top", request, isProcessTable);
    if (format !== "table") context.out(await documentText(table, format));
    else {
      const { alignColumns } = await import("../output/align-columns.ts");
      context.out(`${alignColumns([table.titles, ...table.processes])}\n`);
    }
    return 0;
  },
};
