/** `hansa inspect`: the whole state as one document. */
import type { Command } from "../command.ts";
import { alignColumns } from "../output/align-columns.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";

export const inspect: Command = {
  name: "inspect",
  summary: "print the whole state of this node as one JSON document",
  details: `The table shows the address ring only; json, the default, and yaml show everything: Router, IPAM, and
under Hansa what hansa status -o json shows.`,
  options: [OUTPUT_OPTION],
  asksNode: true,
  examples: ["inspect", "inspect -o yaml"],
  async run(words, context) {
    const format = formatOf(words, "json");
    const found = await context.client.inspect();
    if (format !== "table") {
      context.out(await documentText(found, format));
      return 0;
    }
    const rows = found.IPAM.Entries.map((entry) => [
      entry.Token,
      `${entry.Size}`,
      entry.Nickname === "" ? entry.Peer : `${entry.Peer}(${entry.Nickname})`,
      `${entry.Version}`,
    ]);
    context.out(`${alignColumns([["START", "ADDRESSES", "OWNER", "VERSION"], ...rows])}\n`);
    return 0;
  },
};
