/** `hansa status`: what the node knows, whole or in sections. */
import type { Status } from "../../api/status-schema.ts";
import type { Command, Context } from "../command.ts";
import { documentText, formatOf, OUTPUT_OPTION } from "../output/document-format.ts";
import { coloured, plain } from "../output/paint.ts";
import { withProgress } from "../output/progress.ts";
import {
  connectionsText,
  ipamText,
  nodeText,
  peersText,
  targetsText,
  type View,
} from "../output/status-text.ts";

interface Section {
  readonly flag: "targets" | "peers" | "connections" | "ipam";
  readonly title: string;
  readonly summary: string;
  readonly text: (status: Status, view: View) => string;
}

/** In the order in which they are printed. */
const SECTIONS: readonly Section[] = [
  { flag: "targets", title: "Targets", summary: "hosts that this node dials", text: targetsText },
  { flag: "peers", title: "Peers", summary: "nodes, each with its connections", text: peersText },
  {
    flag: "connections",
    title: "Connections",
    summary: "this node's connections and attempts",
    text: connectionsText,
  },
  { flag: "ipam", title: "IPAM", summary: "who owns how many addresses", text: ipamText },
];

export const status: Command = {
  name: "status",
  summary: "show targets, peers, connections and addresses",
  details: `Without a section everything is shown. Data goes to standard output, headings to standard error.
With json or yaml and sections the document has only these.`,
  options: [...SECTIONS.map(({ flag, summary }) => ({ name: flag, summary })), OUTPUT_OPTION],
  examples: ["status", "status --connections", "status -o json"],
  async run(words, context) {
    const format = formatOf(words);
    const asked = SECTIONS.filter(({ flag }) => words.flags.has(flag));
    const found = await withProgress(context.note, "waiting for the daemon", () =>
      context.client.status(),
    );
    if (format !== "table") {
      const document =
        asked.length === 0
          ? found
          : Object.fromEntries(asked.map(({ flag }) => [flag, found[flag]]));
      context.out(await documentText(document, format));
      return 0;
    }
    printStatus(found, asked.length > 0 ? asked : SECTIONS, context, asked.length === 0);
    for (const { message, hint } of found.warnings) {
      context.note(`Warning: ${message}`);
      if (hint !== "") context.note(`Hint: ${hint}`);
    }
    return 0;
  },
};

function printStatus(
  found: Status,
  sections: readonly Section[],
  context: Context,
  isWhole: boolean,
): void {
  const view = { paint: context.colour ? coloured : plain, nowMs: context.nowMs() };
  const print = (title: string, text: string): void => {
    context.note(`${title} status:`);
    if (text !== "") context.out(`${text}\n`);
  };
  // Called by a predecessor's name we print what that name's documents show, and nothing before it.
  if (isWhole && context.program === "hansa") print("Node", nodeText(found));
  for (const { title, text } of sections) print(title, text(found, view));
}
