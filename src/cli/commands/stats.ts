/** `hansa stats`: what containers use of their hosts, as docker stats, of all nodes. */
import type { Command } from "../command.ts";
import { formatOf, OUTPUT_OPTION } from "../output/document-format.ts";

export const stats: Command = {
  name: "stats",
  summary: "show what containers use of processors, memory, network and disks",
  details: `Without a container all that run on the network hansa now, on every node in reach. A terminal is redrawn
each second until Ctrl-C; elsewhere a table or document is printed each second.`,
  operands: { name: "CONTAINER", min: 0, max: 256 },
  options: [{ name: "no-stream", summary: "show it once" }, OUTPUT_OPTION],
  examples: ["stats", "stats --no-stream", "stats web host2/db"],
  async run(words, context) {
    const format = formatOf(words);
    const { runStats } = await import("../run-stats.ts");
    return runStats(context, words.operands, words.flags.has("no-stream"), format);
  },
};
